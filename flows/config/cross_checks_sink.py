"""Checks that the sink can store the documents that the pipeline makes.

Pure. It knows the limits of Elasticsearch for summaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.template import Placeholder, parse_template
from connectors.spec import Problem
from flows.config.aggregate import AggregateSpec
from flows.config.reduce import Reduction

SINK = ("sink", "elasticsearch")


def problems(
    queues: Sequence[str], aggregate: AggregateSpec, sink: ElasticsearchSink, *, kept: bool
) -> Iterator[Problem]:
    """Find combinations that cannot work; `queues` are their names; `kept`: there is a `state`."""
    yield from _queue_in_index(queues, sink)
    if aggregate.reduce is not None:
        yield from _summaries(aggregate, sink)
        yield from _changes_its_index(aggregate, sink, kept=kept)
        if len(queues) > 1 and parse_template(sink.index).needs_queue:
            yield Problem(
                (*SINK, "index"),
                "cannot contain {queue}: a summary may have messages of several queues; write a "
                "field of the summary, such as {from} with reduce: {from: {first: queue}}",
            )


def warnings(aggregate: AggregateSpec, sink: ElasticsearchSink) -> Iterator[Problem]:
    """Find combinations that work, but may surprise."""
    if aggregate.reduce is None:
        return
    for name in ("id", "version", "routing"):
        if getattr(sink, name) not in (None, "auto", "none"):
            text = "is for documents of messages: summaries do not use it"
            yield Problem((*SINK, name), text)


def _summaries(aggregate: AggregateSpec, sink: ElasticsearchSink) -> Iterator[Problem]:
    if aggregate.window.tumbling is not None and sink.action != "index":
        yield Problem(
            (*SINK, "action"),
            "must be index: the summary of an aligned window is read by its _id, so that a part "
            "never replaces the whole; a data stream cannot be read by _id: write to an index, or "
            "use windows without tumbling",
        )
    elif sink.action not in ("index", "create"):
        yield Problem((*SINK, "action"), "must be index or create: a summary is a whole document")
    if sink.id == "none":
        yield Problem(
            (*SINK, "id"),
            "must not be none: a summary has an _id of its own, so that writing it twice makes one "
            "document",
        )
    for place in parse_template(sink.index).placeholders if sink.index_fallback is None else ():
        if not _has(aggregate, place):
            yield Problem(
                (*SINK, "index"),
                "names a field that a summary does not have: it has the fields of reduce and of "
                "summary",
            )


def _has(aggregate: AggregateSpec, place: Placeholder) -> bool:
    """Whether a summary may have the value that a placeholder names."""
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


def _changes_its_index(
    aggregate: AggregateSpec, sink: ElasticsearchSink, *, kept: bool
) -> Iterator[Problem]:
    """Refuse an index that depends on a value which another revision of a summary may change.

    The next revision would be a second document, in another index. Without a state, an amendment
    stays in the index of the document that its process has written.
    """
    tumbling = aggregate.window.tumbling
    if kept and aggregate.late == "amend":
        why, otherwise = "a late message amends the summary", "late: park"
    elif tumbling is not None and tumbling.emit_every is not None:
        why, otherwise = "the summary is written early, and again later", "omit emit_every"
    else:
        return
    for place in parse_template(sink.index).placeholders:
        if place.root == "document" and _may_change(aggregate, sink, place):
            yield Problem(
                (*SINK, "index"),
                f"{{{place.name}}} may have another value when {why}, which must stay in its "
                "index: use the key or the start of the window, such as {window_start:%Y.%m}; or "
                f"{otherwise}",
            )


def _may_change(aggregate: AggregateSpec, sink: ElasticsearchSink, place: Placeholder) -> bool:
    """Whether a later revision of a window's summary may have another value in a placeholder.

    The first value stays, if messages are not ordered, and a summary without it is not stored.
    """
    root, reductions = place.path.partition(".")[0], aggregate.reduce
    names = {field.partition(".")[0]: key for field, key in aggregate.summary.names.items()}
    if names.get(root) in ("count", "completed_by"):
        return True
    first_stays = aggregate.order is None and sink.index_fallback is None
    return isinstance(reductions, dict) and any(
        not (first_stays and isinstance(one, Reduction) and one.function == "first")
        for field, one in reductions.items()
        if field.partition(".")[0] == root
    )


def _queue_in_index(queues: Sequence[str], sink: ElasticsearchSink) -> Iterator[Problem]:
    """Refuse `{queue}` in the index if no index can have the name of one of the queues."""
    for queue in queues:
        try:
            parse_template(sink.index, queue)
        except ValueError as error:
            text = f"cannot contain the name of the queue ({{queue}}): {error}"
            remedy = "write {queue|lower}" if "lowercase" in text else "write the index without it"
            yield Problem((*SINK, "index"), f"{text}: {remedy}")
            return
