"""What `pipeline.yaml` says about windows: when a group is complete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from connectors.spec import Problem, Spec, instead_of
from connectors.units import Duration, Size, duration_text
from flows.config.field_types import OfGroup, OfMessage, PathText

MIN_EVERY = 0.001
"""Seconds. Shorter windows than a millisecond would be told apart by rounding errors."""


OF_EVENT_TIME = ("event_time", "lateness", "idle_after", "ahead")
"""Keys that say what time is, and complete nothing."""


class TumblingSpec(Spec):
    """Aligned windows, one after the other, for all keys alike: from 10:00 to 10:01, for example.

    A consumer holds at most `prefetch` messages while its windows are open.
    """

    elsewhere: ClassVar = instead_of(
        {
            "write every": "size length period duration interval width",
            "write lateness": "grace grace_period allowed_lateness delay max_lateness watermark",
            "write event_time": "timestamp time_field field time ts timestamp_field",
            "windows follow one another here": "slide hop advance offset",
        }
    )

    every: Annotated[Duration, Field(gt=0, examples=["1m"])]
    """How long a window is. It begins at a whole multiple of this, counted from 1970 in UTC; a
    message at exactly its end belongs to the next one."""
    event_time: PathText | None = None
    """Where a message has its time: a date and time of ISO 8601 (without an offset: UTC), or a
    number, or its text, of seconds, milli-, micro- or nanoseconds since 1970, told apart by
    their magnitude. A message without one is parked (`missing_time`).
    Omitted: the time that counts is that of arrival, and no message is late."""
    lateness: Duration = 0.0
    """How long a window waits after its end, by stream time. Only then is it closed, and only what
    comes for a closed window is late. Stream time is the newest time that the slowest consumer has
    seen; it is one for all keys."""
    idle_after: Annotated[Duration, Field(gt=0)] = 30.0
    """A consumer that has been silent for so long does not hold stream time back; when all are, the
    clock moves it, so the last windows end too."""
    ahead: Duration = 60.0
    """A time more than this in the future goes to its window, but does not move stream time. Where
    no other has come yet, the clock ends windows, `idle_after` after their end."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.every < MIN_EVERY:
            yield Problem(("every",), f"must be at least {duration_text(MIN_EVERY)}")
        if self.event_time is None:
            for key in ("lateness", "idle_after", "ahead"):
                if getattr(self, key) != type(self).model_fields[key].default:
                    yield Problem((key,), "needs event_time: by time of arrival nothing is late")

    @property
    def longest(self) -> float:
        """Seconds that the first message of a window waits, as long as messages come."""
        return self.every + self.lateness


class WindowSpec(Spec):
    """When a group is complete: whichever comes first. At least one is needed.

    What completed it is recorded: the name of the key, or `window` (tumbling), `stop`, `room`
    (`max_groups`), `alone` (`missing_key`), `late` or `forced` (a message with the header
    `x-hopper: complete`, or SIGUSR1). When one message meets several, they are asked in this order:
    `last`, `until`, `size`, `count`, `bytes`.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})
    elsewhere: ClassVar = instead_of(
        {
            "write time": "timeout max_age age interval max_time max_wait period duration",
            "write count": "max_count batch_size limit messages length",
            "write bytes": "max_bytes max_size byte_size",
            "write idle": "session gap inactivity inactivity_gap silence",
            "write tumbling: {every: 1m}": "every fixed aligned",
            "there are tumbling windows, which do not overlap": "sliding hopping hop slide",
            "write last": "end end_of_task ends_when complete_when",
            "write first": "start begins_when",
            "write until": "condition check when while",
        }
    )

    count: Annotated[int, Field(ge=1, examples=[1000])] | None = None
    """Messages. Elasticsearch takes a few hundred to a few thousand documents a request best."""
    bytes: Annotated[Size, Field(ge=1, examples=["5MiB"])] | None = None
    """Bytes of the bodies as received; the message that crosses the limit is in."""
    time: Annotated[Duration, Field(gt=0, examples=["1s"])] | None = None
    """Age, from the first message: how late a document may become visible when messages are rare.
    A message at exactly the end belongs to the next group."""
    idle: Annotated[Duration, Field(gt=0, examples=["1s"])] | None = None
    """Silence: time since the group's last message. A message at exactly the end belongs to the
    next group."""
    last: Annotated[OfMessage, Field(examples=['message.type == "end"'])] | None = None
    """A condition on a message: it completes its group, and is part of it.
    Conditions are written in CEL, of `message` (the document), `header`, `property`, `routing_key`,
    `exchange` and `queue`. A field that is not there, or is of another type than the condition
    takes it for, makes it false; that is no error. Or they are `module:function` of your own, which
    is given an object with these attributes, and returns `True` or `False`."""
    first: Annotated[OfMessage, Field(examples=['message.type == "start"'])] | None = None
    """A condition on a message: it completes the group before it, and opens the next one.
    A message that is first and last is a group by itself."""
    until: Annotated[OfGroup, Field(examples=['group.sum("amount") > 100.0'])] | None = None
    """A condition on the group so far, the newest message included: `group.key`, `group.count`,
    `group.bytes`, `group.age` (in seconds), `group.sum("amount")`, `group.min(…)`, `group.max(…)`,
    `group.avg(…)`; and on the newest message, as in `last`."""
    size: PathText | None = None
    """Where a message says how many its group will have: a number, or its text. Of messages that
    disagree, the latest counts; when as many are there already, the group is complete now. What is
    no positive number is parked (`bad_value`); a message that says nothing changes nothing."""
    event_time: PathText | None = None
    """With `time` or `idle`: where a message has its time, as in `tumbling`. Then these go by event
    time: messages enter their groups in the order of their times, and a group ends when stream time
    has come `lateness` beyond its end. A message whose group is over is `late`. Omitted: the time
    of arrival counts, and a backlog, which comes within minutes, becomes few groups."""
    lateness: Duration = 0.0
    """How much later than others of its time a message may come; as in `tumbling`."""
    idle_after: Annotated[Duration, Field(gt=0)] = 30.0
    """As in `tumbling`."""
    ahead: Duration = 60.0
    """As in `tumbling`."""
    tumbling: TumblingSpec | None = None
    """Aligned windows, by time of arrival or by event time. A key has a group in each window."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        rules = [key for key in type(self).model_fields if key not in OF_EVENT_TIME]
        if all(getattr(self, key) is None for key in rules):
            yield Problem((), f"needs at least one of: {', '.join(rules)}")
        yield from self._problems_of_event_time()
        if self.idle is not None and self.time is not None and self.idle >= self.time:
            yield Problem(
                ("idle",),
                f"must be less than time ({duration_text(self.time)}), which always comes first",
            )

    def _problems_of_event_time(self) -> Iterator[Problem]:
        if self.event_time is None:
            for key in OF_EVENT_TIME[1:]:
                if getattr(self, key) != type(self).model_fields[key].default:
                    yield Problem((key,), "needs event_time: by time of arrival nothing is late")
        elif self.tumbling is not None:
            yield Problem(("event_time",), "belongs to tumbling where windows are aligned")
        elif self.time is None and self.idle is None:
            yield Problem(("event_time",), "needs time or idle: nothing else goes by it")

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.tumbling is None or self.tumbling.event_time is not None:
            return
        for key, value in (("time", self.time), ("idle", self.idle)):
            if value is not None and value >= self.tumbling.every:
                every = duration_text(self.tumbling.every)
                yield Problem((key,), f"is never reached: a window ends after {every}")

    @property
    def goes_by_event_time(self) -> bool:
        """Messages may be late for what ends by their own times."""
        return bool(self.event_time or (self.tumbling and self.tumbling.event_time))

    @property
    def ends_by_clock(self) -> bool:
        """Every group is complete some time, even if no message comes any more."""
        return self.time is not None or self.idle is not None or self.tumbling is not None

    @property
    def completes(self) -> bool:
        """Some group may be complete before the clock ends it."""
        keys = ("count", "bytes", "last", "first", "until", "size", "tumbling")
        return any(getattr(self, key) is not None for key in keys)
