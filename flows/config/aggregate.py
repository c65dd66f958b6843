"""The models of `aggregate` in `pipeline.yaml`: keys, policies for groups, and their limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema, create_model

from connectors.spec import Problem, Spec, instead_of
from connectors.units import Duration
from flows.config.field_types import PathText
from flows.config.reduce import Reduce, SummarySpec
from flows.config.window import WindowSpec


def _scalar(value: Any) -> Any:
    # A value that a message can have too, but not null: JSON has neither infinity nor NaN.
    if isinstance(value, (str, int)) or (isinstance(value, float) and value - value == 0):
        return value
    raise ValueError("must be text, a number, true or false")


class MissingKey(Spec):
    """The key of messages that have none."""

    default: Annotated[
        Any,
        PlainValidator(_scalar),
        WithJsonSchema({"title": "value", "type": ["string", "number", "boolean"]}),
    ]
    """The value for a path without a value, also for one of several paths. The key is the same as
    that of a message with this value."""


def _shape_of_missing_key(value: Any) -> str | None:
    # Pydantic puts the tag into the paths of errors, where it must not look like a key.
    if isinstance(value, (dict, MissingKey)):
        return "<mapping>"
    return "<word>" if value in ("park", "alone") else None


WhatIsMissing = Annotated[
    Annotated[Literal["park", "alone"], Tag("<word>")] | Annotated[MissingKey, Tag("<mapping>")],
    Discriminator(
        _shape_of_missing_key,
        custom_error_type="missing_key",
        custom_error_message="must be park, alone, or a mapping such as {default: none}",
    ),
]


def _shape_of_by(value: Any) -> str | None:
    if isinstance(value, dict):
        return None
    return "<list>" if isinstance(value, (list, tuple)) else "<path>"


By = Annotated[
    Annotated[PathText, Tag("<path>")]
    | Annotated[tuple[PathText, ...], Field(strict=False, min_length=1), Tag("<list>")],
    Discriminator(
        _shape_of_by,
        custom_error_type="by",
        custom_error_message="must be a path, such as order.id, or a list of paths",
    ),
]


if TYPE_CHECKING:
    _WithFor = Spec
else:
    # `for` is a keyword of Python, so no class statement can declare it.
    _WithFor = create_model(
        "_WithFor",
        __base__=Spec,
        **{
            "for": (
                Annotated[Duration, Field(gt=0, examples=["1h"])],
                Field(
                    description="How long a value is remembered after its first message has "
                    "arrived; with `window.event_time`, event times count instead."
                ),
            )
        },
    )


class DistinctSpec(_WithFor):
    """Count messages that were sent twice once, by a value that tells them apart."""

    elsewhere: ClassVar = instead_of(
        {
            "write by": "key field path id fields",
            "write for": "within window ttl time period duration",
            "write max_values": "max_keys max_size size limit",
        }
    )

    by: By
    """The value: a path, or a list of paths, as in `aggregate.by`. Two messages with the same value
    and the same key are one: the second waits for the first, and is acknowledged when that is
    stored. If the first is rejected, the second is written by itself, or with `reduce` rejected
    too. A message without a value, or with null, is distinct from all others."""
    max_values: Annotated[int, Field(ge=1)] = 1_000_000
    """The largest number of values to remember, in all processes together; each takes about 300
    bytes. If there are more, the oldest is forgotten; the log and
    `hopper_distinct_forgotten_total` say so."""

    @property
    def seconds(self) -> float:
        """The value of `for`."""
        return float(getattr(self, "for"))


def _on_stop(given: dict[str, Any]) -> Literal["write", "requeue"]:
    # Readers would take a part of a group by key for a whole group; a small batch harms no reader.
    return "requeue" if given.get("by") else "write"


class AggregateSpec(Spec):
    """Which messages form a group, what completes it, and what it becomes.

    Without `by` each consumer has one open group at a time.
    """

    elsewhere: ClassVar = instead_of(
        {
            "write by": "group_by groupby key keys key_by partition_by correlation_id",
            "write window": "windows batching batch period",
            "write order": "sort sort_by order_by",
            "write reduce": "aggregations aggs fields metrics functions",
            "write incomplete": "on_incomplete on_timeout",
            "write late": "on_late late_data",
            "write distinct": "deduplicate dedupe dedup unique",
        }
    )

    by: By | None = None
    """The key of a group: a path, or a list of paths. A path is `order.id` (in the document),
    `/a.b/0` (a JSON Pointer), `header.x-order`, `property.correlation_id`, `routing_key`,
    `exchange`, `queue`, or `body.header.x` (where the document has a field `header`). `order.id`
    also finds a field with the dot in its name: `{"order.id": 1}`. A JSON Pointer can write every
    name, `/a * b` for example. Keys have types: `1` and `"1"` are two keys, and so are `true` and
    `1`, but `1` and `1.0` are one. Empty text is a key; equal objects or arrays are equal keys."""
    missing_key: WhatIsMissing = "park"
    """For a message with no value, or null, at a path of `by`: `park` it, write it `alone`, at
    once, or give it a default value, such as `{default: none}`."""
    distinct: DistinctSpec | None = None
    """Messages that were sent twice count once. A process remembers the values in memory, and a
    restart forgets them, unless `state` keeps them. Without `by`, messages are spread over the
    consumers' groups by their value."""
    window: WindowSpec
    """The rules that complete a group."""
    incomplete: Literal["write", "park", "drop"] = "write"
    """For a group that `time`, `idle` or `max_groups` has ended: `write` it, `park` each of its
    messages with key and reason, or `drop` them (acknowledge them without storing)."""
    on_stop: Literal["write", "requeue", "park", "keep"] = Field(default_factory=_on_stop)
    """For groups that are open when the job stops: `write` them incomplete, `requeue` their
    messages, which the broker redelivers to the next process, `park` them, or `keep` them open in
    the `state`. Omitted: `keep` with `state`, else `requeue` with `by`, else `write`. A group that
    a stop ends is incomplete, so `write` parks it where `incomplete: park` is set."""
    late: Literal["park", "drop", "new", "amend"] = "park"
    """For a message whose window is closed or whose key is remembered: `park` it, `drop` it
    (acknowledge it without storing), open a `new` group for it, or `amend` the window: write its
    summary again, with the message in it, under the same `_id`."""
    remember: Annotated[int, Field(ge=0)] = 0
    """How many keys of complete groups to remember: a later message with one of them is `late`.
    `0`: none, so the key opens a new group. The oldest key is forgotten first, and a restart
    forgets all, unless `state` keeps them. A group that was parked, dropped or requeued does not
    close its key, nor does one that `first` or `room` completed, nor a message that was written
    `alone`."""
    amend_for: Annotated[Duration, Field(gt=0)] = 3600.0
    """With `late: amend`: how long after it is closed a window can be amended, by the clock. Later
    messages are parked."""
    max_groups: Annotated[int, Field(ge=1)] = 1_000_000
    """When more groups are open than this, the oldest one is completed (`room`). A group of one
    message takes about 1 KB."""
    order: PathText | None = None
    """Path of the value by which the messages of a group are sorted before they are reduced or
    written: numbers first, then texts, messages without a value last; equal values stay in the
    order of arrival. Omitted: the order of arrival, with event time too."""
    reduce: Reduce | None = None
    """The one document that a group becomes: these fields, or the `dict` that a `module:function`
    of your own returns for a list of documents. Omitted: the documents stay as they are. The `_id`
    is made of the key and the start of the aligned window; a document that another process has
    written there is never replaced, but a part is written beside it. Without an aligned window,
    the `_id` is made of the key and every `message_id`."""
    summary: SummarySpec = SummarySpec()
    """With `reduce`: names of the fields that are added to it."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        yield from self._needs()
        yield from self._contradictions()

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`."""
        for key in ("incomplete", "late"):
            if getattr(self, key) == "drop":
                yield Problem((key,), "drop: these messages are acknowledged without being stored")

    @property
    def recognises(self) -> bool:
        """A redelivered message is recognised by its `message_id`."""
        return self.by is not None or self.reduce is not None or self.distinct is not None

    @property
    def keeps_members(self) -> bool:
        """A group keeps its members until it leaves: it may be parked, or is not reduced before."""
        is_running = isinstance(self.reduce, dict) and self.order is None
        return not is_running or "park" in (self.incomplete, self.on_stop)

    def _needs(self) -> Iterator[Problem]:
        """Keys that need another key."""
        tumbling = self.window.tumbling
        if self.by is None:
            for key in ("missing_key", "remember", "max_groups"):
                if not self._is_default(key):
                    yield Problem((key,), "needs by: without it there are no keys")
        if self.late == "amend" and not (self.reduce and tumbling and tumbling.event_time):
            yield Problem(("late",), "amend needs reduce, and window.tumbling with an event_time")
        elif self.late != "park" and not (self.remember or self.window.goes_by_event_time):
            text = "needs remember, or window.tumbling with an event_time: nothing is late"
            yield Problem(("late",), text)
        if self.late == "amend" and self.summary.fingerprint is None:
            yield Problem(
                ("summary", "fingerprint"),
                "late: amend needs it: the job replaces what it recognises as its own",
            )
        if tumbling is not None and tumbling.emit_every is not None:
            at = ("window", "tumbling", "emit_every")
            if not isinstance(self.reduce, dict):
                yield Problem(at, "needs reduce with fields, whose values it writes early")
            elif self.summary.fingerprint is None:
                text = "needs summary.fingerprint, which tells early summaries from final ones"
                yield Problem(at, text)
        if self.late != "amend" and not self._is_default("amend_for"):
            yield Problem(("amend_for",), "needs late: amend")
        if self.reduce is None and not self._is_default("summary"):
            yield Problem(("summary",), "needs reduce")

    def _contradictions(self) -> Iterator[Problem]:
        if self.distinct and self.by is None and self.reduce and self.window.tumbling:
            yield Problem(
                ("distinct",),
                "needs by where windows become summaries; by: queue makes one summary of all "
                "messages",
            )
        if self.remember and self.window.tumbling:
            yield Problem(
                ("remember",), "cannot be with window.tumbling, where windows are closed, not keys"
            )
        if self.late == "amend" and isinstance(self.reduce, str):
            yield Problem(
                ("late",), "amend keeps running values, not documents for a function of your own"
            )
        if self.incomplete != "write" and not self.window.completes:
            yield Problem(
                ("incomplete",),
                f"would {self.incomplete} every group but forced ones: a group that time or idle "
                "ends is incomplete; add a rule that completes groups: last, size or count",
            )
        for name in self.reduce if isinstance(self.reduce, dict) else ():
            yield from self._collisions(name)

    def _collisions(self, name: str) -> Iterator[Problem]:
        """Fields of `reduce` with the name of a field that every summary has."""
        names = self.summary.names
        if self.window.tumbling is not None and self.summary.fingerprint is not None:
            names[self.summary.fingerprint] = "fingerprint"
        for taken, key in names.items():
            remedy = f"rename it, or set summary.{key} to another name, or to null"
            if name == taken:
                yield Problem(("reduce", name), f"is a field that every summary has: {remedy}")
            elif f"{name}.".startswith(f"{taken}.") or f"{taken}.".startswith(f"{name}."):
                text = f"cannot be beside {taken}, which every summary has"
                yield Problem(("reduce", name), f"{text}: one would be in the other; {remedy}")

    def _is_default(self, key: str) -> bool:
        return bool(getattr(self, key) == type(self).model_fields[key].default)
