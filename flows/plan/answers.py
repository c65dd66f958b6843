"""The answers that rules give: what becomes of what is open when a key changes. Pure.

A function answers by the old and the new spec, because the same key means more with groups by key
than with plain batches; `always` is the same answer for every spec. At a stop, what was consumed
and is not written is written, requeued or parked, as `on_stop` of the old spec says; the new
version receives what was requeued.
"""

from __future__ import annotations

from flows.plan.effect import RESTART, About, Effect, Rule
from flows.spec import Pipeline


def has_groups(spec: Pipeline) -> bool:
    """Return whether it matters which messages leave together: by key, or for a summary."""
    return spec.aggregate.by is not None or spec.aggregate.reduce is not None


def always(*, about: About, text: str, together: bool = True, requeues: bool = False) -> Rule:
    """Return the rule of a key whose change means the same in every spec."""
    effect = Effect(about=about, text=text, together=together, requeues=requeues)
    return lambda _old, _new: effect


def restart(_old: Pipeline, _new: Pipeline) -> Effect:
    """Answer for keys that change how the job works, and not what it writes."""
    return RESTART


def window(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for the rules that complete groups."""
    if not has_groups(old) and not has_groups(new):
        return RESTART  # each message is its own document, in whichever request
    return Effect(
        about="groups",
        text="open groups are requeued whole, and the new rules complete them",
        together=False,
        requeues=True,
    )


early = always(
    about="documents",
    text="early summaries stay until the final ones replace them",
)
"""For how often the summaries of open windows are written."""


def key(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for the key of groups, which is in the `_id` of summaries."""
    if new.aggregate.reduce is None and old.aggregate.reduce is None:
        text = "messages of open groups are requeued, and grouped by the new key"
    else:
        text = (
            "messages of open groups are requeued, and grouped by the new key; summaries get other "
            "_ids, so those that are stored stay beside them"
        )
    return Effect(about="groups", text=text, together=False, requeues=True)


def reduce(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for the document that a group becomes."""
    if old.aggregate.reduce is None or new.aggregate.reduce is None:
        text = (
            "a group becomes another kind of document, with another _id: messages that are stored "
            "and redelivered are in both"
        )
        return Effect(about="documents", text=text, together=False, requeues=True)
    text = "open groups are requeued, and get the new fields; summaries that are stored keep theirs"
    return Effect(about="documents", text=text, together=False, requeues=True)


def policy(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for what becomes of incomplete groups and late messages."""
    if not has_groups(old) and not has_groups(new):
        return RESTART
    return Effect(
        about="groups",
        text="counts for groups that end, and messages that arrive, after the restart",
    )


def on_stop(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for the policy of a stop, which counts at the next stop only."""
    if not has_groups(old) and not has_groups(new):
        return RESTART
    return Effect(
        about="groups",
        text=f"this stop still follows the old value, {old.aggregate.on_stop}: open groups are "
        f"{AT_STOP[old.aggregate.on_stop]}",
    )


AT_STOP = {
    "write": "written incomplete, so later messages of the same group are a second document",
    "requeue": "requeued whole",
    "park": "parked, each message with its reason",
    "keep": "kept in the state, and stay open",
}
"""What becomes of open groups, by `on_stop`."""


def remembered(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for what a process remembers of complete groups."""
    if not has_groups(old) and not has_groups(new):
        return RESTART
    return Effect(
        about="groups",
        text="a restart forgets keys of complete groups, and windows that late messages amend: "
        "messages that are late now may open a new group after it",
    )


distinct = always(
    about="documents",
    text="a restart forgets distinct values: copies of messages that are stored count again",
)
"""For the values by which messages that were sent twice are recognised."""


def event_time(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for the event time and the watermark."""
    effect = window(old, new)
    if not effect.needs_attention:
        return effect
    text = "open groups are requeued whole; the watermark begins anew, by the new rule"
    return Effect(about="groups", text=text, together=False, requeues=True)


def order(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for the order within a group or a request."""
    if not has_groups(old) and not has_groups(new):
        text = "documents of one request are sorted in another way"
        return Effect(about="order", text=text)
    text = "open groups are requeued, and sorted by the new value when they are complete"
    return Effect(about="order", text=text, together=False, requeues=True)


def identity(_old: Pipeline, new: Pipeline) -> Effect:
    """Answer for the `_id` of documents."""
    if new.aggregate.reduce is not None:
        return RESTART  # summaries have an _id of their own
    return Effect(
        about="documents",
        text="documents that are stored keep their _id; a message that is redelivered after it was "
        "stored is stored a second time, under the new _id: drain, and do not kill",
        together=False,
    )


index = always(
    about="documents",
    text="documents that are stored stay where they are; a message that is redelivered after "
    "it was stored is stored again in the new index; later versions of a document do not "
    "replace those in the old one",
    together=False,
)
"""For the place of documents in the cluster."""


cluster = always(
    about="documents",
    text="if it is another cluster, documents that are stored stay in the old one; another "
    "address of the same cluster needs only the restart",
    together=False,
)
"""For the address of the cluster."""


action = always(
    about="documents",
    text="a message that is redelivered after it was stored is applied by the new action to "
    "the document that the old one has made",
    together=False,
)
"""For what is done with a document."""


content = always(
    about="documents",
    text="messages that wait in the queue, and those that are requeued, are read and written "
    "by the new value; documents that are stored stay as they are",
    together=False,
    requeues=True,
)
"""For how bodies become documents."""


def several_requests(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for the number of requests in flight."""
    one = [
        spec.sink.elasticsearch is not None and spec.sink.elasticsearch.concurrency == 1
        for spec in (old, new)
    ]
    if one[0] == one[1]:
        return RESTART
    return Effect(
        about="order",
        text="with concurrency: 1 windows are written one after the other, with more they are not; "
        "one _id keeps its order in both",
    )


def consumers(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for the number of consumers."""
    one = [spec.source.chosen.consumers == 1 for spec in (old, new)]
    if one[0] == one[1]:
        return RESTART
    return Effect(
        about="order",
        text="only one consumer keeps the order of the queue; with several, sink.elasticsearch."
        "version keeps the newer document of an _id",
    )


queue = always(
    about="source",
    text="messages in a queue that is no longer named stay there, also those that the stop "
    "requeues: let the old version empty it first",
)
"""For the queues that are consumed."""


broker = always(
    about="source",
    text="if it is another broker, messages stay in the old one, also those that the stop "
    "requeues: let the old version empty it first; another address needs only the restart",
)
"""For the address of the broker."""


offset = always(
    about="source",
    text="a stream has no offset in the new queue, so it is read again from x-stream-offset: "
    "documents without an _id of their own are stored twice; both versions together read "
    "everything twice",
    together=False,
)
"""For the place of the offset of a stream."""


declaration = always(
    about="source",
    text="an existing queue keeps its properties, and the broker refuses other ones: empty and "
    "delete the queue before the new version starts; bindings are added, never removed",
)
"""For the properties and bindings of the queue."""


def subscription(_old: Pipeline, new: Pipeline) -> Effect:
    """Answer for how the job subscribes to the queue."""
    rabbitmq = new.source.rabbitmq
    if rabbitmq is None or not rabbitmq.consume.exclusive:
        return RESTART
    return Effect(
        about="source",
        text="exclusive: the new version waits until the old one has stopped",
        together=False,
    )


dead_letters = always(
    about="dead letters",
    text="messages that are parked already stay in the old place: list and replay them with "
    "the old file, or hopper dead-letters --queue",
)
"""For the place of dead letters."""


other_source = always(
    about="source",
    text="messages that wait in the old source stay there: let the old version empty it first",
    together=False,
)
"""For another kind of source."""


other_sink = always(
    about="documents",
    text="documents that are stored stay in the old sink; a message that is redelivered after "
    "it was stored is stored again in the new one",
    together=False,
)
"""For another kind of sink."""


name = always(
    about="restart",
    text="a restart; alerts and dashboards that select the old name find nothing",
)
"""For the name of the job."""


setup = always(
    about="setup",
    text="the job ignores it: run hopper setup before the new version",
)
"""For what `hopper setup` prepares."""
