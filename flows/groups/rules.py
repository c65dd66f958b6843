"""The rules of a shard's groups, made from the spec.

Pure. It decides nothing, and knows neither paths nor expressions: `member_values.py` provides the
functions that read values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol

from flows.conditions.conditions import GroupSoFar
from flows.config.aggregate import AggregateSpec
from flows.config.window import TumblingSpec, WindowSpec
from flows.groups.member_values import MemberValues
from flows.groups.zone_windows import ZoneWindows
from flows.values.group import Member


class UntilCondition(Protocol):
    """The condition `until`, tested after each message."""

    @property
    def test(self) -> Callable[[Sequence[Any], GroupSoFar], bool | None]:
        """(values of the newest message, group including that message) -> whether it is complete.

        Raises:
            user_functions.Failed: the user function raised.
        """


class RunningTally(Protocol):
    """Running values of a group, updated by each member; the members are not kept.

    A group may have several states, one for each origin of its members, because all members of a
    lost connection leave at once.
    """

    def start(self) -> Any:
        """Return the state of a group without members."""

    def add(self, state: Any, values: Sequence[Any], number: int) -> None:
        """Add a member; `number` is its number in the group, by arrival."""

    def results(self, states: Sequence[Any]) -> Mapping[str, Any]:
        """Return the values over all states, which may take further members later."""


MICROSECONDS = 1_000_000
"""Microseconds in a second."""
MIN_STEP, MAX_STEP = 0.001, 60.0
"""The shortest and the longest time between two moments at which groups may end, in seconds."""


@dataclass(frozen=True)
class Tumbling:
    """Aligned windows, at the same times for all keys; their numbers ascend.

    They begin at whole multiples of `every`, and their number is that of the multiple; or they go
    by the clock of a zone (`zone_windows.py`).
    """

    every: float
    """Length of a window, in seconds; at least a microsecond."""
    by_event: bool = False
    """Event time chooses the window of a message; else its arrival does."""
    lateness: float = 0.0
    """How long a window waits after its end, in seconds of the watermark; by event time only."""
    idle_after: float = 30.0
    """Seconds after which the watermark no longer waits for a silent partition."""
    ahead: float = 60.0
    """Seconds that an event time may be in the future; later ones do not advance the watermark."""
    zone: ZoneWindows | None = None
    """`None`: windows go by UTC."""

    @cached_property
    def every_us(self) -> int:
        """`every` in whole microseconds, so that no rounding shifts the start of windows."""
        return max(1, round(self.every * MICROSECONDS))

    @cached_property
    def lateness_us(self) -> int:
        """`lateness` in whole microseconds; 0 for windows by arrival."""
        return round(self.lateness * MICROSECONDS) if self.by_event else 0

    def closed_below(self, at: float) -> int:
        """Return the number of the first window that is not closed at time `at`."""
        moment = round(at * MICROSECONDS) - self.lateness_us
        return moment // self.every_us if self.zone is None else self.zone.window_at(moment)

    def start(self, window: int) -> int:
        """Return the start of a window, in microseconds since 1970."""
        return window * self.every_us if self.zone is None else window

    def end(self, window: int) -> int:
        """Return the end of a window, in microseconds since 1970."""
        return (window + 1) * self.every_us if self.zone is None else self.zone.end(window)


@dataclass(frozen=True)
class Rules:
    """When a group is complete, and what happens to it then; a rule that is `None` does not apply.

    All times are seconds.
    """

    plain: bool = False
    """Members have neither key, marks nor size, so that a shard can add them in slices."""
    count: int | None = None
    bytes: int | None = None
    time: float | None = None
    idle: float | None = None
    until: UntilCondition | None = None
    until_tally: RunningTally | None = None
    """The running values that `until` reads."""
    tumbling: Tumbling | None = None
    emit_every: float | None = None
    """Seconds between early summaries of an open window."""
    event_order: Tumbling | None = None
    """The steps in which the shard's time advances, if `time` and `idle` go by event time."""
    incomplete: Literal["write", "park", "drop"] = "write"
    on_stop: Literal["write", "requeue", "park", "keep"] = "write"
    late: Literal["park", "drop", "new", "amend"] = "park"
    remember: int = 0
    """The largest number of closed keys to remember."""
    amend_for: float = 0.0
    max_groups: int | None = None
    order: int | None = None
    """The position among a member's values of the value to sort by."""
    tally: RunningTally | None = None
    """The functions that reduce a group."""
    by_function: bool = False
    """A user function reduces a group, after it has left."""
    hold: bool = True
    """Members are kept until the group leaves, even if there is a tally."""
    distinct_for: float | None = None
    """Seconds for which a distinct value is remembered; `None`: messages have none."""
    max_distinct: int = 0
    """The largest number of distinct values to remember."""
    recognise: bool = False
    """Redelivered messages are recognised by their `message_id`."""
    partitions: Sequence[str] = ()
    """The source partitions that the watermark waits for."""

    @cached_property
    def weighs(self) -> bool:
        """A rule or a condition reads the bytes of a group."""
        return self.bytes is not None or self.until is not None

    @cached_property
    def leaves_open(self) -> bool:
        """A stop leaves groups open: their messages are requeued, or the state has them."""
        return self.on_stop in ("requeue", "keep")

    @cached_property
    def reduced(self) -> bool:
        """A group becomes one document."""
        return self.tally is not None or self.by_function

    @cached_property
    def amends(self) -> bool:
        """Aligned windows may be written again."""
        return self.late == "amend" and self.tally is not None

    @cached_property
    def sliced(self) -> bool:
        """No rule looks at a single message, so a shard adds them in slices."""
        each = (self.idle, self.until, self.tumbling, self.tally)
        return self.plain and not self.recognise and all(rule is None for rule in each)

    def so_far(self, states: Iterable[Any], member: Member, number: int) -> Sequence[Any]:
        """Return the running values that `until` reads, as if a group had this member already.

        `states`: those of its other members; `number`: the place of the member in the group.
        """
        tally = self.until_tally
        if tally is None:
            return ()
        newest = tally.start()
        tally.add(newest, member.values, number)
        return tuple(tally.results([*states, newest]).values())


def make_rules(
    spec: AggregateSpec, values: MemberValues, partitions: Sequence[str], shards: int
) -> Rules:
    """Translate a spec; each shard gets an equal part of the limits, which hold for all shards."""
    window = spec.window
    marked = (window.first, window.last, window.size)
    return Rules(
        plain=spec.by is None and all(rule is None for rule in marked),
        count=window.count,
        bytes=window.bytes,
        time=window.time,
        idle=window.idle,
        until=values.until,
        until_tally=values.running,
        tumbling=_tumbling(window.tumbling),
        emit_every=None if window.tumbling is None else window.tumbling.emit_every,
        event_order=_event_order(window),
        incomplete=spec.incomplete,
        on_stop=spec.on_stop,
        late=spec.late,
        remember=spec.remember // shards,
        amend_for=spec.amend_for,
        max_groups=spec.max_groups // shards if spec.by else None,
        order=values.order,
        tally=values.tally,
        by_function=isinstance(spec.reduce, str),
        hold=spec.keeps_members,
        distinct_for=None if spec.distinct is None else spec.distinct.seconds,
        max_distinct=0 if spec.distinct is None else max(1, spec.distinct.max_values // shards),
        recognise=spec.recognises,
        partitions=partitions,
    )


def _tumbling(spec: TumblingSpec | None) -> Tumbling | None:
    if spec is None:
        return None
    by_event = spec.event_time is not None
    tumbling = Tumbling(spec.every, by_event, spec.lateness, spec.idle_after, spec.ahead)
    if spec.zone is None:
        return tumbling
    return replace(tumbling, zone=ZoneWindows(spec.zone, tumbling.every_us))


def _event_order(window: WindowSpec) -> Tumbling | None:
    """Return the steps of event time, which are short compared to `time` and `idle`."""
    if window.event_time is None:
        return None
    shortest = min(seconds for seconds in (window.time, window.idle) if seconds is not None)
    step = min(max(shortest / 100, MIN_STEP), MAX_STEP)
    return Tumbling(step, True, window.lateness, window.idle_after, window.ahead)
