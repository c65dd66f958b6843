"""Checks that open groups can be kept in the state. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.memory.spec import MemorySource
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.spec import Problem
from connectors.units import duration_text
from flows.config.aggregate import AggregateSpec
from flows.config.cross_checks import MAX_HELD, or_raise_timeout, under_timeout

AGGREGATE = ("aggregate",)


def problems(
    source: RabbitMQSource | MemorySource, aggregate: AggregateSpec, commit: float | None
) -> Iterator[Problem]:
    """Find what cannot work; `commit`: `state.commit` in seconds, `None`: there is no `state`."""
    if commit is None:
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
    if isinstance(source, RabbitMQSource) and source.consumer_timeout:
        yield from _wait_too_long(source.consumer_timeout, aggregate, commit)


def _wait_too_long(timeout: float, aggregate: AggregateSpec, commit: float) -> Iterator[Problem]:
    """Refuse messages that stay unacknowledged longer than the broker lets them."""
    most, window = round(timeout * MAX_HELD, 3), aggregate.window
    limit = under_timeout(timeout)
    if commit >= most:
        yield Problem(
            ("state", "commit"),
            f"{limit}: until a commit, its messages are unacknowledged; write a few seconds",
        )
    if window.event_time is not None and window.lateness >= most:
        yield Problem(
            (*AGGREGATE, "window", "lateness"),
            f"{limit}: with state too, messages that wait for earlier ones are unacknowledged; "
            f"write less than {duration_text(most)}, {or_raise_timeout(window.lateness)}; "
            "or use tumbling with an event_time, where no message waits",
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
