"""Checks that open groups can be kept in the state. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.memory.spec import MemorySource
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.spec import Problem
from connectors.units import duration_text
from flows.config.aggregate import AggregateSpec

AGGREGATE = ("aggregate",)


def problems(
    source: RabbitMQSource | MemorySource, aggregate: AggregateSpec, *, kept: bool
) -> Iterator[Problem]:
    """Find what cannot work; `kept`: the spec has a `state`."""
    if not kept:
        if aggregate.on_stop == "keep":
            text = "keep needs state: without it only the broker keeps messages"
            yield Problem((*AGGREGATE, "on_stop"), text)
        return
    if aggregate.by is None:
        text = "needs aggregate.by: a batch without keys waits seconds, and the broker keeps it"
        yield Problem(("state",), text)
    if aggregate.on_stop == "requeue":
        text = "requeue cannot be with state, whose messages are acknowledged; write keep"
        yield Problem((*AGGREGATE, "on_stop"), text)
    yield from _not_kept(aggregate)


def _not_kept(aggregate: AggregateSpec) -> Iterator[Problem]:
    """Keys that need what the state does not keep."""
    if aggregate.window.event_time is not None:
        what = "messages that wait for earlier ones: use tumbling with an event_time"
        yield Problem(
            (*AGGREGATE, "window", "event_time"),
            f"cannot be with state, which does not keep {what}",
        )


def warnings(source: RabbitMQSource | MemorySource, commit: float) -> Iterator[Problem]:
    """Find what works with a state, but may surprise; `commit`: `state.commit` in seconds."""
    if source.prefetch != "auto":
        key = "rabbitmq" if isinstance(source, RabbitMQSource) else "memory"
        yield Problem(
            ("source", key, "prefetch"),
            f"is an upper limit: a consumer acknowledges at most {source.prefetch} messages in "
            f"each state.commit ({duration_text(commit)}); omit it, so that it grows",
        )
