"""Checks that open groups can be kept in the state. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.memory.spec import MemorySource
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.spec import Problem
from connectors.units import duration_text
from flows.config.aggregate import AggregateSpec
from flows.config.cross_checks import MAX_HELD

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
    yield from _waits_too_long(source, aggregate)


def _waits_too_long(
    source: RabbitMQSource | MemorySource, aggregate: AggregateSpec
) -> Iterator[Problem]:
    """Refuse messages that wait for earlier ones longer than the broker lets them."""
    window = aggregate.window
    if window.event_time is None or not isinstance(source, RabbitMQSource):
        return
    timeout = source.consumer_timeout
    if timeout and window.lateness >= timeout * MAX_HELD:
        least, twice = duration_text(round(timeout * MAX_HELD, 3)), 2 * window.lateness
        yield Problem(
            (*AGGREGATE, "window", "lateness"),
            "must stay well under the broker's consumer timeout "
            f"({duration_text(timeout)}): with state too, messages that wait for earlier ones are "
            f"unacknowledged; write less than {least}, or raise the timeout on the broker and "
            f"here, with consumer_timeout: {duration_text(twice)} or x-consumer-timeout; or use "
            "tumbling with an event_time, where no message waits",
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
