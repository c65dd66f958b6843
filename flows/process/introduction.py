"""Makes the first lines of the log: the job, its source and sink, its windows and limits.

Pure.
"""

from __future__ import annotations

import os

from connectors.queue_names import named
from connectors.units import duration_text, size_text
from flows.config.window import TumblingSpec, WindowSpec
from flows.spec import Pipeline
from flows.version import VERSION


def introduction(spec: Pipeline, path: str, consumers: int) -> list[str]:
    """Return two lines that describe the job, without secrets.

    `consumers`: their number in the whole cluster.
    """
    return [
        f"Hopper {VERSION} runs {spec.name} of {os.path.abspath(path)}: "
        f"{_source(spec)} → {_sink(spec)}",
        f"{_groups(spec)}; {_bounds(spec, consumers)}",
    ]


def _source(spec: Pipeline) -> str:
    rabbitmq = spec.source.rabbitmq
    where = f" at {', '.join(map(str, rabbitmq.url))}" if rabbitmq is not None else " in memory"
    return f"{named(spec.source.chosen.queue)}{where}"


def _sink(spec: Pipeline) -> str:
    elasticsearch = spec.sink.elasticsearch
    if elasticsearch is None:
        return f"store {spec.sink.memory.name if spec.sink.memory else ''} in memory"
    return f"index {elasticsearch.index} at {', '.join(map(str, elasticsearch.url))}"


def _groups(spec: Pipeline) -> str:
    by = spec.aggregate.by
    keys = "" if by is None else f"by {by if isinstance(by, str) else ', '.join(by)}, "
    return f"{keys}window: {_window(spec.aggregate.window)}"


def _window(window: WindowSpec) -> str:
    rules = {
        "count": window.count,
        "bytes": window.bytes and size_text(window.bytes),
        "time": window.time and duration_text(window.time),
        "idle": window.idle and duration_text(window.idle),
        "last": window.last,
        "first": window.first,
        "until": window.until,
        "size": window.size,
        "event_time": window.event_time,
        "tumbling": window.tumbling and _tumbling(window.tumbling),
    }
    return ", ".join(f"{key} {value}" for key, value in rules.items() if value is not None)


def _tumbling(spec: TumblingSpec) -> str:
    zone = f" in {spec.zone}" if spec.zone else ""
    early = f", early each {duration_text(spec.emit_every)}" if spec.emit_every else ""
    return f"every {duration_text(spec.every)}{zone}{early}"


def _bounds(spec: Pipeline, consumers: int) -> str:
    source = spec.source.chosen
    who = "1 consumer" if consumers == 1 else f"{consumers} consumers"
    most = "" if source.prefetch == "auto" else f", {source.prefetch} of them each"
    elasticsearch = spec.sink.elasticsearch
    requests = f", {elasticsearch.concurrency} requests at once" if elasticsearch else ""
    kept = f", open groups kept in {spec.state.path}" if spec.state is not None else ""
    return f"{who}, {size_text(source.memory)} of messages in a process{most}{requests}{kept}"
