"""Which keys of a spec are fixed while a state has open groups: those that decide what it counts.

Pure.
"""

from __future__ import annotations

from typing import Any

from flows.config.aggregate import AggregateSpec


def fixed_keys(aggregate: AggregateSpec) -> dict[str, Any]:
    """Return these keys, with their values as in JSON."""
    shown = aggregate.model_dump(mode="json", exclude_none=True)
    window = shown["window"]
    tumbling = window.get("tumbling", {})
    return {
        "aggregate.by": shown.get("by"),
        "aggregate.reduce": shown.get("reduce"),
        "aggregate.order": shown.get("order"),
        "what an open group keeps": "messages" if aggregate.keeps_members else "values",
        "aggregate.window.until": window.get("until"),
        "aggregate.window.event_time": window.get("event_time"),
        "aggregate.window.tumbling": {
            key: tumbling[key] for key in ("every", "zone", "event_time") if key in tumbling
        },
    }
