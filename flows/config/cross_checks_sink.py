"""Whether a sink can store what a pipeline makes; each by itself is right.

Pure. It knows what Elasticsearch can do with summaries.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.template import Placeholder, parse_template
from connectors.spec import Problem
from flows.config.aggregate import AggregateSpec

SINK = ("sink", "elasticsearch")


def problems(queue: str, aggregate: AggregateSpec, sink: ElasticsearchSink) -> Iterator[Problem]:
    """What cannot work; `queue` is its name."""
    yield from _queue_in_index(queue, sink)
    if aggregate.reduce is not None:
        yield from _summaries(aggregate, sink)


def warnings(aggregate: AggregateSpec, sink: ElasticsearchSink) -> Iterator[Problem]:
    """What works, but may not do what one expects."""
    if aggregate.reduce is None:
        return
    for name in ("id", "version", "routing"):
        if getattr(sink, name) not in (None, "auto", "none"):
            told = "is for documents of messages: summaries do not use it"
            yield Problem((*SINK, name), told)


def _summaries(aggregate: AggregateSpec, sink: ElasticsearchSink) -> Iterator[Problem]:
    if aggregate.window.tumbling is not None and sink.action != "index":
        yield Problem(
            (*SINK, "action"),
            "must be index: the summary of an aligned window is read by its _id, so that a part "
            "never takes the place of the whole; a data stream cannot be read by _id: write to an "
            "index, or take windows without tumbling",
        )
    elif sink.action not in ("index", "create"):
        yield Problem((*SINK, "action"), "must be index or create: a summary is a whole document")
    if sink.id == "none":
        yield Problem(
            (*SINK, "id"),
            "must not be none: a summary has an _id of its own, so that one that is written again "
            "is the same document",
        )
    for place in parse_template(sink.index).places if sink.index_fallback is None else ():
        if not _has(aggregate, place):
            yield Problem(
                (*SINK, "index"),
                "names a field that a summary does not have: its fields are those of reduce, and "
                "those of summary",
            )


def _has(aggregate: AggregateSpec, place: Placeholder) -> bool:
    """Whether a summary may have what a place in a template names."""
    if place.root == "queue" or place.name == "@timestamp":
        return True
    if place.root != "document":
        return False  # no sender publishes a summary
    if not isinstance(aggregate.reduce, dict):
        return True  # only the user's function knows
    fields = [*aggregate.reduce, *aggregate.summary.names]
    if aggregate.by is None and aggregate.summary.key is not None:
        fields.remove(aggregate.summary.key)
    root = place.path.partition(".")[0]
    return root in {field.partition(".")[0] for field in fields}


def _queue_in_index(queue: str, sink: ElasticsearchSink) -> Iterator[Problem]:
    """The queue's name may have in it what no index has: no message would be stored."""
    try:
        parse_template(sink.index, queue)
    except ValueError as error:
        told = f"cannot have the queue's name in it, as {{queue}} says: {error}"
        remedy = "write {queue|lower}" if "lowercase" in told else "write the index without it"
        yield Problem((*SINK, "index"), f"{told}: {remedy}")
