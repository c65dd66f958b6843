"""What `pipeline.yaml` says about groups: which messages belong together, and what they become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema

from connectors.spec import Problem, Spec, instead_of
from connectors.units import Duration
from flows.config.field_types import PathText
from flows.config.reduce import Reduce, SummarySpec
from flows.config.window import WindowSpec


def _scalar(value: Any) -> Any:
    # A value that is not null, and that a message can have too: there is no infinity in JSON.
    if isinstance(value, (str, int)) or (isinstance(value, float) and value - value == 0):
        return value
    raise ValueError("must be text, a number, true or false")


class MissingKey(Spec):
    """A key for messages without one."""

    default: Annotated[
        Any,
        PlainValidator(_scalar),
        WithJsonSchema({"title": "value", "type": ["string", "number", "boolean"]}),
    ]
    """Stands where a path finds nothing, also for one part of several: the same key as if it had
    been in the message."""


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


def _on_stop(given: dict[str, Any]) -> Literal["write", "requeue"]:
    # A part of a group by key would be taken for a whole one; a batch is only a smaller batch.
    return "requeue" if given.get("by") else "write"


class AggregateSpec(Spec):
    """Which messages belong together, when they are complete, and what they become.

    Without `by` each consumer's messages are one stream, of one window after the other.
    """

    elsewhere: ClassVar = instead_of(
        {
            "write by": "group_by groupby key keys key_by partition_by correlation_id",
            "write window": "windows batching batch period",
            "write order": "sort sort_by order_by",
            "write reduce": "aggregations aggs fields metrics functions",
            "write incomplete": "on_incomplete on_timeout",
            "write late": "on_late late_data",
        }
    )

    by: By | None = None
    """What the messages of a group have in common, the key: a path, or a list of paths.
    `order.id` (in the document), `/a.b/0` (the same as a JSON Pointer), `header.x-order`,
    `property.correlation_id`, `routing_key`, `exchange`, `queue`, `body.header.x` (a field of the
    document that is called `header`). `order.id` is also found where a field has the dot in its
    name: `{"order.id": 1}`. Every name can be written as a JSON Pointer, `/a * b` for example.
    Keys have types: `1` and `"1"` are two, `true` and `1` too, but `1` and `1.0` are one; empty
    text is a key, objects and arrays are keys by what is in them."""
    missing_key: WhatIsMissing = "park"
    """What becomes of a message that has nothing, or null, at a path of `by`: `park`, `alone` (it
    leaves at once, by itself), or `{default: none}`, a key for all of them."""
    window: WindowSpec
    """When a group is complete."""
    incomplete: Literal["write", "park", "drop"] = "write"
    """What becomes of a group that `time`, `idle` or `max_groups` ended: `write`, `park` (each
    message, with the key and the reason) or `drop` (acknowledged, and gone)."""
    on_stop: Literal["write", "requeue", "park"] = Field(default_factory=_on_stop)
    """What a stop does with groups that are open: `write` them although they are not complete,
    `requeue` them, so that the broker delivers their messages again and the next process makes
    whole groups of them, or `park` them. Omitted: `requeue` with `by`, else `write`. A group that a
    stop ends is incomplete: with `incomplete: park`, `write` parks it too."""
    late: Literal["park", "drop", "new", "amend"] = "park"
    """What becomes of a message whose window is closed, or whose key is remembered: `park`, `drop`
    (acknowledged, and gone), `new` (a group of its own) or `amend` (the window's summary is written
    again, with it, under the same `_id`)."""
    remember: Annotated[int, Field(ge=0)] = 0
    """How many keys to remember whose groups are complete: what comes later for one of them is
    `late`. `0`: none, so the same key opens a new group. It is the memory of a process, gone after
    a restart, and forgets first what was completed first. A group that was parked, dropped or
    requeued does not close its key, nor does one that ended by `first` or `room`, nor a message
    that left alone."""
    amend_for: Annotated[Duration, Field(gt=0)] = 3600.0
    """With `late: amend`: how long a window can be amended after it was closed, by the clock. What
    comes later is parked."""
    max_groups: Annotated[int, Field(ge=1)] = 1_000_000
    """When more groups are open than this, the one that was opened first leaves (`room`). A group
    of one message takes about 1 KB."""
    order: PathText | None = None
    """What a group's messages are sorted by before it leaves, and before it is reduced: numbers as
    numbers, texts after them; equal ones as they came; those without it last. Omitted: as they
    came, by event time too."""
    reduce: Reduce | None = None
    """What a group becomes: one document, of these fields, or what a function `module:function` of
    your own returns (a `dict`; it is given a list of documents). Omitted: the documents, as they
    are. Its `_id` is made of the key and the start of the aligned window; what another process has
    written there is never replaced, but a part is written beside it. Without such a window, the
    `_id` is made of the key and every `message_id`."""
    summary: SummarySpec = SummarySpec()
    """With `reduce`: what the fields are called that are added to it."""

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
        return self.by is not None or self.reduce is not None

    def _needs(self) -> Iterator[Problem]:
        """What has no meaning without something else."""
        tumbling = self.window.tumbling
        if self.by is None:
            for key in ("missing_key", "remember", "max_groups"):
                if not self._is_default(key):
                    yield Problem((key,), "needs by: without it there are no keys")
        if self.late == "amend" and not (self.reduce and tumbling and tumbling.event_time):
            yield Problem(("late",), "amend needs reduce, and window.tumbling with an event_time")
        elif self.late != "park" and not (self.remember or self.window.goes_by_event_time):
            told = "needs remember, or window.tumbling with an event_time: nothing is late"
            yield Problem(("late",), told)
        if self.late == "amend" and self.summary.fingerprint is None:
            yield Problem(
                ("summary", "fingerprint"),
                "late: amend needs it: the job replaces what it recognises as its own",
            )
        if self.late != "amend" and not self._is_default("amend_for"):
            yield Problem(("amend_for",), "needs late: amend")
        if self.reduce is None and not self._is_default("summary"):
            yield Problem(("summary",), "needs reduce")

    def _contradictions(self) -> Iterator[Problem]:
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
                f"would {self.incomplete} every group but forced ones: what time or idle ends is "
                "incomplete; add a rule that completes groups, such as last, size or count",
            )
        for name in self.reduce if isinstance(self.reduce, dict) else ():
            yield from self._collisions(name)

    def _collisions(self, name: str) -> Iterator[Problem]:
        """Where a field of `reduce` meets one that every summary has."""
        names = self.summary.names
        if self.window.tumbling is not None and self.summary.fingerprint is not None:
            names[self.summary.fingerprint] = "fingerprint"
        for taken, key in names.items():
            remedy = f"rename it, or set summary.{key} to another name, or to null"
            if name == taken:
                yield Problem(("reduce", name), f"is a field that every summary has: {remedy}")
            elif f"{name}.".startswith(f"{taken}.") or f"{taken}.".startswith(f"{name}."):
                told = f"cannot be beside {taken}, which every summary has"
                yield Problem(("reduce", name), f"{told}: one would be in the other; {remedy}")

    def _is_default(self, key: str) -> bool:
        return bool(getattr(self, key) == type(self).model_fields[key].default)
