"""The models of `window` in `pipeline.yaml`: the rules that complete a group."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from connectors.spec import Problem, Spec, instead_of
from connectors.units import Duration, Size, duration_text
from flows.config.field_types import OfGroup, OfMessage, PathText, ZoneText

MIN_EVERY = 0.001
"""Seconds. Rounding errors are too large beside windows shorter than a millisecond."""


DAY, CLOCK_CHANGE = 86_400.0, 3_600.0
"""Seconds of a day, and by which a clock is put back or forward at most, as a rule."""
MIN_EVERY_OF_ZONE = 900.0
"""Seconds. All local clocks differ from UTC by whole multiples of it."""

SHORTEST_COLLECT, LONGEST_COLLECT = 0.003, 0.02
"""Seconds for which messages may collect before they are read: a shorter time costs more than it
gains, and a longer one gains nothing."""
COLLECT_SHARE = 0.06
"""Share of a window's time."""

OF_EVENT_TIME = ("event_time", "lateness", "idle_after", "ahead")
"""Keys about event time, which complete no group by themselves."""


class TumblingSpec(Spec):
    """Aligned windows, the same for all keys: from 10:00 to 10:01, for example.

    Open windows hold their messages: as many as fit into `memory`.
    """

    elsewhere: ClassVar = instead_of(
        {
            "write every": "size length period duration interval width",
            "write lateness": "grace grace_period allowed_lateness delay max_lateness watermark",
            "write event_time": "timestamp time_field field time ts timestamp_field",
            "write zone": "timezone time_zone tz utc_offset",
            "write emit_every": "early emit trigger early_trigger emit_early update_every",
            "windows follow one another here": "slide hop advance offset",
        }
    )

    every: Annotated[Duration, Field(gt=0, examples=["1m"])]
    """Length of a window. Each begins at a whole multiple of it, counted from 1970 in UTC; a
    message at exactly its end belongs to the next window."""
    zone: Annotated[ZoneText, Field(examples=["Europe/Berlin"])] | None = None
    """The time zone of the windows, by its name in the IANA database. Days then begin at local
    midnight, and weeks (`7d`) on Monday; `every` is a whole number of days, or divides a day. On
    the days when the clock changes, a window is an hour shorter or longer; an hour that comes twice
    is two windows of `1h`. Omitted: windows go by UTC."""
    emit_every: Annotated[Duration, Field(ge=1, examples=["1m"])] | None = None
    """With `reduce`: how often the summary of an open window is written while messages arrive, so
    that dashboards move. An early summary has the `_id` of the window and `completed_by: early`;
    no message is acknowledged by it, and the summary at the end of the window replaces it.
    Omitted: a summary is written at the end of its window."""
    event_time: PathText | None = None
    """Path of a message's event time: a date and time of ISO 8601 (without an offset: UTC), or a
    number, or its text, of seconds, milli-, micro- or nanoseconds since 1970; its magnitude
    decides the unit. A message without an event time is parked (`missing_time`), and
    so is one whose event time cannot be read (`bad_value`).
    Omitted: windows go by the time of arrival, and no message is late."""
    lateness: Duration = 0.0
    """How far the watermark must pass the end of a window to close it. Only a message for a closed
    window is late. The watermark is the smallest of the largest event times that the consumers have
    seen; it is the same for all keys."""
    idle_after: Annotated[Duration, Field(gt=0)] = 30.0
    """The watermark does not wait for a consumer that has been silent for this long. When all are
    silent, the clock moves the watermark, so that the last windows close too."""
    ahead: Duration = 60.0
    """An event time further in the future than this does not move the watermark; its message enters
    its window. While all event times are that far ahead, the clock closes windows, `idle_after`
    after their end."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.every < MIN_EVERY:
            yield Problem(("every",), f"must be at least {duration_text(MIN_EVERY)}")
        if self.zone is not None and self.every < MIN_EVERY_OF_ZONE:
            least = duration_text(MIN_EVERY_OF_ZONE)
            yield Problem(
                ("zone",),
                f"needs an every of at least {least}: omit it, as shorter windows "
                "are the same in every zone",
            )
        elif self.zone is not None and self.every % DAY and DAY % self.every:
            yield Problem(
                ("every",), "must divide a day, or be a whole number of days, where there is a zone"
            )
        if self.emit_every is not None and self.emit_every >= self.every:
            yield Problem(("emit_every",), f"must be less than every ({duration_text(self.every)})")
        if self.event_time is None:
            for key in ("lateness", "idle_after", "ahead"):
                if getattr(self, key) != type(self).model_fields[key].default:
                    yield Problem((key,), "needs event_time: by time of arrival nothing is late")

    @property
    def longest(self) -> float:
        """Seconds that the first message of a window waits while messages arrive."""
        longer = CLOCK_CHANGE if self.zone is not None and self.every > CLOCK_CHANGE else 0.0
        return self.every + longer + self.lateness


class WindowSpec(Spec):
    """The rules that complete a group; the first one that holds does. At least one is needed.

    `completed_by` names the rule: the name of the key, or `window` (tumbling), `stop`, `room`
    (`max_groups`), `alone` (`missing_key`), `late`, `forced` (a message with the header
    `x-hopper: complete`, or SIGUSR1) or `early` (`emit_every`, while a window is open). When a
    message meets several rules, the first of `last`, `until`, `size`, `count` and `bytes` counts.
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
    """Number of messages. A few hundred to a few thousand documents a request suit Elasticsearch
    best."""
    bytes: Annotated[Size, Field(ge=1, examples=["5MiB"])] | None = None
    """Bytes of the bodies as received. The message that reaches the limit is in the group."""
    time: Annotated[Duration, Field(gt=0, examples=["1s"])] | None = None
    """Time since the group's first message: the longest delay of a document when messages are rare.
    A message at exactly the end belongs to the next group."""
    idle: Annotated[Duration, Field(gt=0, examples=["1s"])] | None = None
    """Time since the group's last message. A message at exactly the end belongs to the next
    group."""
    last: Annotated[OfMessage, Field(examples=['message.type == "end"'])] | None = None
    """A condition on a message. The message that meets it completes its group, and is in it.
    Conditions are written in CEL over `message` (the document), `header`, `property`,
    `routing_key`, `exchange` and `queue`. A missing field, or one of another type than the
    condition expects, makes it false, without an error. Or name a `module:function` of your own: it
    gets an object with these attributes, and returns `True` or `False`."""
    first: Annotated[OfMessage, Field(examples=['message.type == "start"'])] | None = None
    """A condition on a message. The message that meets it completes the group before it, and opens
    the next one. A message that meets `first` and `last` is a group by itself."""
    until: Annotated[OfGroup, Field(examples=['group.sum("amount") > 100.0'])] | None = None
    """A condition on the group with its newest message: `group.key`, `group.count`, `group.bytes`,
    `group.age` (in seconds), `group.sum("amount")`, `group.min(…)`, `group.max(…)`,
    `group.avg(…)`; and on the newest message, as in `last`."""
    size: PathText | None = None
    """Path of the number of messages in the group, a number or its text. When messages disagree,
    the latest counts; if the group has that many already, it is complete at once. A message with
    another value than a positive number is parked (`bad_value`); one without a value changes
    nothing."""
    event_time: PathText | None = None
    """With `time` or `idle`: path of the event time, as in `tumbling`. Then both go by event time:
    messages enter their groups in the order of their event times, and a group ends when the
    watermark is `lateness` past its end. A message for a group that has ended is `late`. Omitted:
    both go by the time of arrival, so that a backlog becomes few groups."""
    lateness: Duration = 0.0
    """How far the watermark must pass the end of a group to end it; as in `tumbling`."""
    idle_after: Annotated[Duration, Field(gt=0)] = 30.0
    """As in `tumbling`."""
    ahead: Duration = 60.0
    """As in `tumbling`."""
    tumbling: TumblingSpec | None = None
    """Aligned windows, by time of arrival or by event time. A key has one group in each window."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        rules = [key for key in type(self).model_fields if key not in OF_EVENT_TIME]
        if all(getattr(self, key) is None for key in rules):
            yield Problem((), f"needs at least one of: {', '.join(rules)}")
        yield from self._problems_of_event_time()
        if self.idle is not None and self.time is not None and self.idle >= self.time:
            yield Problem(
                ("idle",),
                f"must be less than time ({duration_text(self.time)}), which always ends first",
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
    def collect_seconds(self) -> float:
        """How long messages may collect before they are read."""
        every = None if self.tumbling is None else self.tumbling.every
        times = [time for time in (self.time, self.idle, every) if time is not None]
        longest = COLLECT_SHARE * min(times, default=inf)
        return max(SHORTEST_COLLECT, min(LONGEST_COLLECT, longest))

    @property
    def goes_by_event_time(self) -> bool:
        """Whether groups end by event time, so that messages may be late."""
        return bool(self.event_time or (self.tumbling and self.tumbling.event_time))

    @property
    def ends_by_clock(self) -> bool:
        """Whether every group is complete at some time, even if no message arrives any more."""
        return self.time is not None or self.idle is not None or self.tumbling is not None

    @property
    def completes(self) -> bool:
        """Whether a rule other than the clock can complete a group."""
        keys = ("count", "bytes", "last", "first", "until", "size", "tumbling")
        return any(getattr(self, key) is not None for key in keys)
