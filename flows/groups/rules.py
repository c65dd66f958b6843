"""What a shard is told to do: the rules of its groups, read from the spec and made ready.

Pure. It decides nothing, and knows neither paths nor expressions: `member_values.py` hands in what
looks into values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

from flows.conditions.conditions import GroupSoFar
from flows.config.aggregate import AggregateSpec
from flows.config.window import TumblingSpec, WindowSpec
from flows.groups.member_values import MemberValues


class UntilCondition(Protocol):
    """Whether a group is complete; asked after each message."""

    @property
    def test(self) -> Callable[[Sequence[Any], GroupSoFar], bool | None]:
        """Of the newest message's values, and of the group with that message in it.

        Raises:
            own.Failed: a function of the user's own raised.
        """


class RunningTally(Protocol):
    """Running values of a group: they grow with each member, and the members are not kept.

    A group may have several states, one for each origin of its members, since those of a lost
    connection go as a whole.
    """

    def start(self) -> Any:
        """A state that knows of no member."""

    def add(self, state: Any, values: Sequence[Any], number: int) -> None:
        """Add a member, the one that came to the group as its `number`th; numbers only rise."""

    def results(self, states: Sequence[Any]) -> Mapping[str, Any]:
        """What all states come to; they may grow further."""


MICROSECONDS = 1_000_000
"""In a second."""
MIN_STEP, MAX_STEP = 0.001, 60.0
"""Seconds of event time, between two moments at which groups may end."""


@dataclass(frozen=True)
class Tumbling:
    """Windows that are aligned: they begin at whole multiples of `every`, for all keys alike."""

    every: float
    """Seconds, at least a microsecond."""
    by_event: bool = False
    """A message belongs where its event time is, else where the clock was when it came."""
    lateness: float = 0.0
    """Seconds of stream time that a window waits after its end; by event time only."""
    idle_after: float = 30.0
    """Seconds after which a silent partition holds stream time back no longer."""
    ahead: float = 60.0
    """Seconds that an event time may be in the future; beyond that it moves nothing."""

    @cached_property
    def every_us(self) -> int:
        """`every` in whole microseconds, so that windows begin where one expects it."""
        return max(1, round(self.every * MICROSECONDS))

    @cached_property
    def lateness_us(self) -> int:
        """`lateness` in whole microseconds; by arrival there is none."""
        return round(self.lateness * MICROSECONDS) if self.by_event else 0

    def closed_below(self, at: float) -> int:
        """The first window, by its number since 1970, that is not closed when time is at `at`."""
        return (round(at * MICROSECONDS) - self.lateness_us) // self.every_us


@dataclass(frozen=True)
class Rules:
    """When a group is complete, and what becomes of it; `None` never completes anything.

    All times are seconds.
    """

    plain: bool = False
    """Members have neither key, marks nor size, so that they can be counted in slices."""
    count: int | None = None
    bytes: int | None = None
    time: float | None = None
    idle: float | None = None
    until: UntilCondition | None = None
    until_tally: RunningTally | None = None
    """The running values that `until` wants."""
    tumbling: Tumbling | None = None
    event_order: Tumbling | None = None
    """The steps in which event time comes further, where `time` and `idle` go by it."""
    incomplete: Literal["write", "park", "drop"] = "write"
    on_stop: Literal["write", "requeue", "park"] = "write"
    late: Literal["park", "drop", "new", "amend"] = "park"
    remember: int = 0
    """Closed keys."""
    amend_for: float = 0.0
    max_groups: int | None = None
    order: int | None = None
    """Where in a member's values stands what members are sorted by."""
    tally: RunningTally | None = None
    """What a group is reduced to."""
    by_function: bool = False
    """A function of the user's own reduces a group, after it has left."""
    hold: bool = True
    """Members are kept to the end although there may be a tally."""
    recognise: bool = False
    """A message that is delivered again is recognised by its name."""
    partitions: Sequence[str] = ()
    """All that take part in stream time."""

    @cached_property
    def weighs(self) -> bool:
        """A rule or a condition asks for the bytes of a group."""
        return self.bytes is not None or self.until is not None

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
        """No rule asks for a single message: they are counted in slices."""
        each = (self.idle, self.until, self.tumbling, self.tally)
        return self.plain and not self.recognise and all(rule is None for rule in each)


def make_rules(
    spec: AggregateSpec, values: MemberValues, partitions: Sequence[str], shards: int
) -> Rules:
    """Translate a spec: its limits hold for all shards together, and each has an equal part."""
    window, parks = spec.window, "park" in (spec.incomplete, spec.on_stop)
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
        hold=values.tally is None or values.order is not None or parks,
        recognise=spec.recognises,
        partitions=partitions,
    )


def _tumbling(spec: TumblingSpec | None) -> Tumbling | None:
    if spec is None:
        return None
    by_event = spec.event_time is not None
    return Tumbling(spec.every, by_event, spec.lateness, spec.idle_after, spec.ahead)


def _event_order(window: WindowSpec) -> Tumbling | None:
    """Event time in steps that are small beside `time` and `idle`."""
    if window.event_time is None:
        return None
    shortest = min(seconds for seconds in (window.time, window.idle) if seconds is not None)
    step = min(max(shortest / 100, MIN_STEP), MAX_STEP)
    return Tumbling(step, True, window.lateness, window.idle_after, window.ahead)
