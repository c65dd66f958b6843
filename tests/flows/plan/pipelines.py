"""Specs for tests of plans."""

from __future__ import annotations

from typing import Any

from flows.spec import Pipeline


def pipeline(**keys: Any) -> Pipeline:
    """A valid spec with these keys, by their dotted paths; `None` removes one."""
    spec: dict[str, Any] = {
        "version": 1,
        "name": "orders",
        "source": {"rabbitmq": {"url": "amqp://guest:guest@broker/", "queue": "orders"}},
        "aggregate": {"window": {"time": "1s"}},
        "sink": {"elasticsearch": {"url": "http://h", "index": "orders"}},
        "dead_letter": {"rabbitmq": {"routing_key": "orders.parked"}},
    }
    for path, value in keys.items():
        *above, last = path.split(".")
        mapping = spec
        for key in above:
            mapping = mapping.setdefault(key, {})
        if value is None:
            mapping.pop(last)
        else:
            mapping[last] = value
    return Pipeline.model_validate(spec)
