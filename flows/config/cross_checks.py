"""Checks that source, windows and sink of a pipeline work together; each by itself is valid.

Pure. It knows how many messages a consumer can hold, and for how long; `cross_checks_sink.py`
checks the sink.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, inf
from typing import NamedTuple

from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.memory.spec import MemorySource
from connectors.prefetch import MAX_MESSAGES, MESSAGE_OVERHEAD
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.spec import Problem
from connectors.units import duration_text, size_text
from flows.conditions.conditions import reached_by
from flows.config import cross_checks_sink
from flows.config.aggregate import AggregateSpec
from flows.config.window import WindowSpec

WINDOW = ("aggregate", "window")

MIN_BYTES = {"json": 2, "ndjson": 2, "msgpack": 1}
"""The shortest body of each format, in bytes: `{}`, for example. The other formats allow an empty
body."""

SMALL_PREFETCH = 4000
"""Messages: windows by event time have often more."""
MAX_HELD = 0.9
"""Share of the consumer timeout after which a consumer requeues everything, before the broker
does."""

AnySource = RabbitMQSource | MemorySource


def problems(
    source: AnySource, aggregate: AggregateSpec, sink: ElasticsearchSink | None, *, kept: bool
) -> Iterator[Problem]:
    """Find combinations that cannot work; `kept`: open groups hold no messages."""
    if source.indices and source.format != "es_bulk":
        yield Problem((*_at(source), "indices"), "needs format: es_bulk")
    if not kept:
        yield from _never_complete(source, aggregate)
        for key, seconds, timeout in _held(source, aggregate):
            if seconds >= timeout * MAX_HELD:
                yield Problem((*WINDOW, *key), _too_long(aggregate, key, seconds, timeout))
    if sink is not None:
        yield from cross_checks_sink.problems(source.queue, aggregate, sink, kept=kept)


def warnings(
    source: AnySource, aggregate: AggregateSpec, sink: ElasticsearchSink | None, *, kept: bool
) -> Iterator[Problem]:
    """Find combinations that work, but may surprise; `kept`: open groups hold no messages."""
    if not kept:
        yield from _holding(source, aggregate)
    if sink is not None:
        yield from cross_checks_sink.warnings(aggregate, sink)


def _holding(source: AnySource, aggregate: AggregateSpec) -> Iterator[Problem]:
    window, most = aggregate.window, _most(source, aggregate)
    if window.count and window.count > most:
        then = ", so each window waits for its time" if window.time else ""
        never = "needs several consumers" if _may_be_more(source, aggregate) else "is never reached"
        yield Problem((*WINDOW, "count"), f"{never}: {_holds(source, most)}{then}")
    if window.bytes and window.bytes > source.memory:
        yield Problem(
            (*WINDOW, "bytes"),
            f"is never reached: a process holds at most {size_text(source.memory)} of messages; "
            f"raise {'.'.join(_at(source))}.memory",
        )
    reached = min((one.messages for one in _reaches(source, window)), default=inf)
    if not window.ends_by_clock:
        if reached > 1:  # else each message is a group, and none waits
            effect = _without_time(aggregate, most, reached)
            yield Problem((*WINDOW, "time"), f"is missing: {effect}")
    elif window.time is None and window.tumbling is None and window.count is None:
        yield Problem(
            (*WINDOW, "time"), "is missing: a group that never falls silent is never complete"
        )
    yield from _limits_windows(source, aggregate)
    for key, seconds, timeout in _held(source, aggregate):
        if seconds > timeout / 2:
            text = f"is more than half of the broker's consumer timeout ({duration_text(timeout)})"
            yield Problem((*WINDOW, *key), text)


def _at(source: AnySource) -> tuple[str, str]:
    return "source", "rabbitmq" if isinstance(source, RabbitMQSource) else "memory"


def _limits_windows(source: AnySource, aggregate: AggregateSpec) -> Iterator[Problem]:
    """Warn that a prefetch in the spec is an upper limit, and event-time windows may need more."""
    tumbling = aggregate.window.tumbling
    ends_by_age = aggregate.window.time is not None or aggregate.window.idle is not None
    if tumbling is None or tumbling.event_time is None or ends_by_age:
        return
    if source.prefetch != "auto" and source.prefetch < SMALL_PREFETCH:
        yield Problem(
            (*_at(source), "prefetch"),
            f"is an upper limit: when a consumer holds {source.prefetch} messages of windows that "
            f"are not over after {duration_text(tumbling.longest)}, nothing arrives any more; "
            "omit it, so that it grows as far as memory allows, or raise it",
        )


def _may_be_more(source: AnySource, aggregate: AggregateSpec) -> bool:
    """Whether a group may have messages of more consumers than are known here."""
    return aggregate.by is not None and source.consumers == "auto"


def _of_each(source: AnySource) -> int:
    """How many messages one consumer can hold, however small they are."""
    prefetch = source.prefetch_number or MAX_MESSAGES
    return min(prefetch, max(1, source.memory // MESSAGE_OVERHEAD))


def _most(source: AnySource, aggregate: AggregateSpec) -> int:
    """The largest number of messages in one group; with `consumers: auto`, for one worker."""
    return _of_each(source) * (_consumers(source) if aggregate.by is not None else 1)


def _consumers(source: AnySource) -> int:
    """How many consumers there are at least."""
    return len(source.queue) * (1 if source.consumers == "auto" else source.consumers)


def _holds(source: AnySource, most: int) -> str:
    if most == _of_each(source):
        return f"a consumer holds at most prefetch ({most}) messages"
    return f"consumers hold at most {_consumers(source)} times prefetch ({most}) messages"


class _Reach(NamedTuple):
    """A rule that counts messages: its key in `window`, and how many messages complete a group."""

    key: str
    messages: float
    """The largest number needed; infinite: no number is enough for sure."""


def _reaches(source: AnySource, window: WindowSpec) -> Iterator[_Reach]:
    if window.count is not None:
        yield _Reach("count", window.count)
    if window.bytes is not None:
        yield _Reach("bytes", _of_bytes(source, window.bytes))
    for name, least in reached_by(window.until) if window.until is not None else ():
        yield _Reach("until", least if name == "count" else _of_bytes(source, least))


def _of_bytes(source: AnySource, size: float) -> float:
    least = MIN_BYTES.get(source.format, 0)
    return ceil(size / least) if least else inf


def _never_complete(source: AnySource, aggregate: AggregateSpec) -> Iterator[Problem]:
    """Find windows whose groups need more messages than the consumers can hold."""
    window, most = aggregate.window, _most(source, aggregate)
    reaches = list(_reaches(source, window))
    by_message = any(rule is not None for rule in (window.last, window.first, window.size))
    by_group = window.until is not None and not any(one.key == "until" for one in reaches)
    if window.ends_by_clock or by_message or by_group:
        return
    if any(one.messages <= most for one in reaches):
        return
    key = reaches[0].key
    if key != "count":
        yield Problem(
            (*WINDOW, key),
            f"may never be reached by the messages that a consumer holds ({most}): "
            f"add a time, or a count of at most {most}",
        )
    elif window.count and not _may_be_more(source, aggregate):
        each = _of_each(source)
        what = "a consumer holds" if most == each else "all consumers hold"
        raised = -(-window.count * each // most)
        remedies = f"add a time, lower it to {most}"
        if raised <= MAX_MESSAGES:
            remedies += f", or raise prefetch to {raised}"
        yield Problem((*WINDOW, "count"), f"is more than {what}: {remedies}")


def _without_time(aggregate: AggregateSpec, most: int, reached: float) -> str:
    until = "for ever" if aggregate.on_stop == "requeue" else "until the job stops"
    if aggregate.by is not None:
        return (
            f"a group whose end never comes holds its messages {until}, and when such groups hold "
            "as many as prefetch allows, nothing arrives any more"
        )
    if reached <= most:
        return f"the last window waits for more messages {until}"
    return (
        f"a group whose end never comes holds its messages {until}, and when it holds "
        f"{most}, which is prefetch, nothing arrives any more"
    )


def _held(
    source: AnySource, aggregate: AggregateSpec
) -> Iterator[tuple[tuple[str, ...], float, float]]:
    """Find how long a message may be held: the key in `window`, the seconds, and the timeout."""
    if not isinstance(source, RabbitMQSource) or not source.consumer_timeout:
        return
    window = aggregate.window
    held: list[tuple[float, tuple[str, ...]]] = []
    if window.time is not None:
        held.append((window.time + window.lateness, ("time",)))
    if window.tumbling is not None:
        every_fits = window.tumbling.every < source.consumer_timeout * MAX_HELD
        late = every_fits and window.tumbling.lateness > 0
        held.append((window.tumbling.longest, ("tumbling", "lateness" if late else "every")))
    if window.idle is not None and not held:
        held.append((window.idle + window.lateness, ("idle",)))
    if held:
        seconds, key = min(held)
        yield key, seconds, source.consumer_timeout


def _too_long(
    aggregate: AggregateSpec, key: tuple[str, ...], seconds: float, timeout: float
) -> str:
    """Describe the limit, and how to raise it."""
    tumbling, most = aggregate.window.tumbling, timeout * MAX_HELD
    least = f"less than {duration_text(round(most, 3))}"
    if tumbling is not None and key[-1] == "lateness":
        least = f"less than {duration_text(round(most - tumbling.every, 3))}, or a shorter every"
    elif tumbling is not None and key[-1] == "every" and tumbling.lateness > 0:
        least += f" with its lateness of {duration_text(tumbling.lateness)}"
    kept = "; or keep open groups in a folder: state: {path: …}" if aggregate.by is not None else ""
    return (
        f"{under_timeout(timeout)}, after which it takes the messages back: write {least}, "
        f"{or_raise_timeout(seconds)}{kept}"
    )


def under_timeout(timeout: float) -> str:
    """Return what a time must do in which messages are unacknowledged."""
    return f"must stay well under the broker's consumer timeout ({duration_text(timeout)})"


def or_raise_timeout(seconds: float) -> str:
    """Return the other remedy for such a time."""
    return (
        "or raise the timeout on the broker and here, with consumer_timeout: "
        f"{duration_text(2 * seconds)} or x-consumer-timeout"
    )
