"""Describes the flow of a spec: its steps, what completes groups, and where messages go.

Pure. It describes the job in the words of the spec, and draws it as text and as Mermaid.
"""

from __future__ import annotations

import msgspec

from connectors.memory.spec import MemorySource
from connectors.queue_names import named
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.units import duration_text, size_text
from flows.config.aggregate import AggregateSpec, MissingKey
from flows.config.window import WindowSpec
from flows.spec import Pipeline


class Rule(msgspec.Struct):
    """A rule that completes a group: a key of `aggregate.window` or `max_groups`, and its value."""

    name: str
    text: str


class Graph(msgspec.Struct):
    """The flow of a pipeline, in the order in which messages travel."""

    name: str
    source: list[str]
    """Lines: the first one names the place, the others the options."""
    correlate: list[str]
    completed_by: list[Rule]
    """The first of these rules completes a group."""
    becomes: list[str]
    """What complete, incomplete and open groups become."""
    sink: list[str]
    dead_letter: list[str]
    rejected: list[str]
    """What each step rejects, as in `correlate: unreadable bodies`."""


def graph(spec: Pipeline) -> Graph:
    """Describe the flow of a spec."""
    return Graph(
        spec.name,
        _source(spec),
        _correlate(spec.aggregate),
        _completed_by(spec.aggregate),
        _becomes(spec.aggregate),
        _sink(spec),
        _dead_letter(spec),
        _rejected(spec),
    )


def _source(spec: Pipeline) -> list[str]:
    chosen, rabbitmq = spec.source.chosen, spec.source.rabbitmq
    where = f"at {', '.join(map(str, rabbitmq.url))}" if rabbitmq else "in memory"
    kind = "stream" if rabbitmq and rabbitmq.is_stream else "queue"
    return [
        f"{named(chosen.queue, kind)} {where}",
        f"consumers: {_consumers(chosen)}; in a process {size_text(chosen.memory)} of messages",
        f"format: {chosen.format}",
    ]


def _consumers(source: RabbitMQSource | MemorySource) -> str:
    several = len(source.queue) > 1
    if source.consumers == "auto":
        each = "one for each worker"
        return "one for each queue, more if workers are without one" if several else each
    return f"{source.consumers} for each queue" if several else f"{source.consumers}"


def _correlate(spec: AggregateSpec) -> list[str]:
    distinct = []
    if spec.distinct is not None:
        kept = duration_text(spec.distinct.seconds)
        distinct = [f"sent once: messages with the same {_paths(spec.distinct.by)}, for {kept}"]
    if spec.by is None:
        return ["no key: each consumer's messages are one group after the other", *distinct]
    by = _paths(spec.by)
    missing = spec.missing_key
    policy = f"the key {missing.default}" if isinstance(missing, MissingKey) else missing
    return [f"key: {by}", f"without a key: {policy}", *distinct]


def _paths(by: str | tuple[str, ...]) -> str:
    return by if isinstance(by, str) else ", ".join(by)


def _completed_by(spec: AggregateSpec) -> list[Rule]:
    window = spec.window
    rules = {
        "last": window.last and f"a message with {window.last}, which is in the group",
        "first": window.first and f"a message with {window.first}, which opens the next group",
        "until": window.until,
        "size": window.size and f"as many messages as {window.size} says",
        "count": window.count and f"{window.count} messages",
        "bytes": window.bytes and f"{size_text(window.bytes)} of bodies",
        "time": window.time and f"{duration_text(window.time)} after its first message",
        "idle": window.idle and f"{duration_text(window.idle)} without a message",
        "tumbling": _tumbling(window),
    }
    found = [Rule(name, str(text)) for name, text in rules.items() if text]
    if spec.by is not None:
        found.append(Rule("max_groups", f"more than {spec.max_groups} open groups: the oldest"))
    return found


def _tumbling(window: WindowSpec) -> str:
    tumbling = window.tumbling
    if tumbling is None:
        return ""
    by = f"time at {tumbling.event_time}" if tumbling.event_time else "time of arrival"
    late = f", and {duration_text(tumbling.lateness)} later" if tumbling.lateness else ""
    zone = f" in {tumbling.zone}" if tumbling.zone else ""
    return f"the end of each {duration_text(tumbling.every)}{zone} by {by}{late}"


def _becomes(spec: AggregateSpec) -> list[str]:
    reduce = spec.reduce
    if reduce is None:
        lines = ["complete: its documents, as they are"]
    elif isinstance(reduce, str):
        lines = [f"complete: the document that {reduce} returns"]
    else:
        lines = [f"complete: one document of {', '.join(reduce)}"]
    if spec.window.tumbling and spec.window.tumbling.emit_every:
        lines.append(f"early: its summary, each {duration_text(spec.window.tumbling.emit_every)}")
    if spec.window.time or spec.window.idle or spec.by:
        lines.append(f"incomplete: {spec.incomplete}")
    lines.append(f"open at a stop: {spec.on_stop}")
    if spec.remember or spec.window.goes_by_event_time:
        lines.append(f"late: {spec.late}")
    return lines


def _sink(spec: Pipeline) -> list[str]:
    elasticsearch = spec.sink.elasticsearch
    if elasticsearch is None:
        return [f"store {spec.sink.memory.name if spec.sink.memory else ''} in memory"]
    lines = [
        f"index {elasticsearch.index} at {', '.join(map(str, elasticsearch.url))}",
        f"action: {elasticsearch.action}; bulk requests at once: {elasticsearch.concurrency}",
    ]
    if elasticsearch.pipeline:
        lines.append(f"ingest pipeline: {elasticsearch.pipeline}")
    return lines


def _dead_letter(spec: Pipeline) -> list[str]:
    rabbitmq = spec.source.rabbitmq
    if spec.dead_letter is None or spec.dead_letter.rabbitmq is None:
        return [rabbitmq.without_dead_letter if rabbitmq else "rejected messages are dropped"]
    return [_place(spec.dead_letter.rabbitmq)]


def _place(spec: RabbitMQDeadLetter) -> str:
    where = "" if spec.url is None else f" at {', '.join(map(str, spec.url))}"
    if not spec.exchange:
        return f"queue {spec.routing_key}{where}"
    return f"exchange {spec.exchange}, routing key {spec.routing_key or 'empty'}{where}"


def _rejected(spec: Pipeline) -> list[str]:
    aggregate = spec.aggregate
    parks = {
        "groups that are not complete": "park" in (aggregate.incomplete, aggregate.on_stop),
        "late messages": aggregate.late == "park"
        and bool(aggregate.remember or aggregate.window.goes_by_event_time),
    }
    missing = aggregate.by is not None and aggregate.missing_key == "park"
    without_key = ", messages without a key" if missing else ""
    lines = [f"correlate: bodies that cannot be read{without_key}"]
    of_groups = [what for what, so in parks.items() if so]
    if of_groups:
        lines.append(f"aggregate: {', '.join(of_groups)}")
    lines.append("write: documents that are refused")
    return lines


def as_text(drawn: Graph) -> str:
    """Draw the flow for a terminal."""
    completed = ["complete by, whichever comes first:"]
    completed += [f"  {rule.name}: {rule.text}" for rule in drawn.completed_by]
    steps = {
        "source": drawn.source,
        "correlate": drawn.correlate,
        "aggregate": [*completed, *drawn.becomes],
        "write": drawn.sink,
    }
    width = len("acknowledge")
    lines = [drawn.name, ""]
    for name, about in steps.items():
        lines += [f"  {name.ljust(width)}  {about[0]}"]
        lines += [f"  {'│'.center(width)}  {line}" for line in about[1:]]
        lines += [f"  {'▼'.center(width)}"]
    lines += [f"  {'acknowledge'.ljust(width)}  stored, or rejected and then dead-lettered", ""]
    lines += [f"  {'rejected'.ljust(width)}  {drawn.dead_letter[0]}"]
    lines += [f"  {''.ljust(width)}  from {line}" for line in drawn.rejected]
    return "\n".join(lines)


def as_mermaid(drawn: Graph) -> str:
    """Draw the flow for Markdown."""
    completed = [f"{rule.name}: {rule.text}" for rule in drawn.completed_by]
    nodes = {
        "source": ("[(", ["source", *drawn.source], ")]"),
        "correlate": ("[", ["correlate", *drawn.correlate], "]"),
        "aggregate": ("[", ["aggregate", *drawn.becomes], "]"),
        "write": ("[", ["write"], "]"),
        "sink": ("[(", drawn.sink, ")]"),
        "acknowledge": ("[", ["acknowledge"], "]"),
        "dead_letter": ("[(", drawn.dead_letter, ")]"),
    }
    lines = ["flowchart TD"]
    lines += [f"  {name}{begin}{_label(text)}{end}" for name, (begin, text, end) in nodes.items()]
    lines += ["  source --> correlate --> aggregate"]
    lines += [f"  aggregate -->|{_label(completed)}| write", "  write --> sink"]
    lines += ["  write -->|stored| acknowledge", "  acknowledge --> source"]
    for line in drawn.rejected:
        step, _, what = line.partition(": ")
        lines.append(f"  {step} -->|{_label([what])}| dead_letter")
    lines += ["  dead_letter --> acknowledge"]
    return "\n".join(lines)


def _label(lines: list[str]) -> str:
    """Quote a text; escape the characters that have a meaning in Mermaid or HTML."""
    escaped = ["".join(f"#{ord(c)};" if c in '"#&<>`|{}' else c for c in line) for line in lines]
    return f'"{"<br/>".join(escaped)}"'
