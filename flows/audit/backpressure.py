"""Finds consumers that receive nothing because they are full, and the cause.

Pure: `now` is an argument, in seconds of any clock that only goes forward.

The watermark waits for a source partition until it has been silent for `idle_after`. A full
consumer is silent too, but it is not idle: the queue may still hold messages for it, and these
would be late.

Rule 1: A consumer is backpressured while it has no connection, while the job is paused, and while
        it is full, in any state of the sink. A consumer whose queue does not exist is not: nothing
        can be late from there.
Rule 2: It is blocked once it has been nearly full for a while, and hardly any message was settled
        meanwhile. The cause is what most of its messages wait for, or a silent sink.
Rule 3: It is starved while its prefetch is used up, the dataflow has hardly any messages and the
        sink has no backlog: then it may hold more, as far as the memory or the number in the spec
        allows.
Rule 4: If open groups block it then, they wait for room; if only further messages could complete
        these groups, the consumer is stuck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from connectors.connector import Load
from connectors.message import SinkState
from connectors.prefetch import MAX_MESSAGES
from connectors.units import measured_size, size_text
from flows.audit.counters import ConsumerAccount
from flows.audit.reconcile import Accounts
from flows.groups.rules import Rules
from flows.spec import Pipeline

SILENT_AFTER = 1.0
"""Seconds. A healthy sink answers within it."""
WARN_AFTER = 5.0
"""Seconds. No request takes as long, unless the sink is unreachable or overloaded."""
REMIND_AFTER = 60.0
"""Seconds between two lines of the log about the same consumer."""
CHECK_INTERVAL = 0.25
"""Largest number of seconds between two checks of a consumer."""
MOSTLY = 0.75
"""Fraction of the memory. Above it, the memory is the limit of a full consumer."""
NEARLY, HARDLY = 0.9, 0.1
"""Fractions of the prefetch. Rule 2."""

HeldBy = Literal["open_groups", "sink", "dead_letter"]
HOLDERS: Sequence[HeldBy] = ("open_groups", "sink", "dead_letter")


class Blocked(NamedTuple):
    """A consumer that receives no or hardly any messages."""

    consumer: str
    seconds: float
    held: int
    prefetch: int
    bytes: int
    memory: int
    held_by: HeldBy
    is_stuck: bool
    """Only further messages could complete the groups, and none can arrive."""
    remedy: str

    def __str__(self) -> str:
        """Return the line for the log and for `/health`."""
        what = {
            "open_groups": "most of these messages are in open groups, which wait for room",
            "sink": "most of these messages wait for an answer of the sink",
            "dead_letter": "most of these messages are rejected, and wait to be parked",
        }
        return (
            f"{self.consumer} has been full for {self.seconds:.0f} s: it holds {self.held} "
            f"messages, its prefetch is {self.prefetch}, they take {measured_size(self.bytes)} "
            f"of {size_text(self.memory)}, and {what[self.held_by]}; {self.remedy}"
        )


class _Consumer:
    def __init__(self, account: ConsumerAccount, load: Load, now: float) -> None:
        self.account, self.load = account, load
        self.since, self.answered = now, account.answered


class Backpressure:
    """Checks the consumers of one process."""

    def __init__(
        self,
        accounts: Accounts,
        sink_state: Callable[[], SinkState] = SinkState,
        *,
        source_at: str = "source",
        is_given: bool = False,
        idle_after: float | None = None,
        ends_by_clock: bool = False,
        shorter: str = "aggregate.window.tumbling.every",
    ) -> None:
        """`accounts` count the members of open groups, and the documents at the sink.

        `source_at`: YAML path of the source; `is_given`: the file sets a prefetch there.
        `idle_after`: in seconds, `None` if windows do not go by event time. `ends_by_clock`: the
        clock completes every group, even if no further message arrives. `shorter`: key of the time
        for which messages are held, with event time.
        """
        self._accounts, self._sink_state = accounts, sink_state
        self._source_at, self._is_given = source_at, is_given
        self._by_event, self._ends_by_clock = idle_after is not None, ends_by_clock
        self._shorter = shorter
        self.check_interval = min(CHECK_INTERVAL, idle_after / 10) if idle_after else CHECK_INTERVAL
        """Seconds between two checks."""
        self._consumers: dict[str, _Consumer] = {}
        self._answered, self._answered_at = -1, 0.0

    @property
    def prefetch(self) -> int:
        """Sum of the prefetch of all consumers, as of their last checks."""
        return sum(consumer.load.prefetch for consumer in self._consumers.copy().values())

    @property
    def held_bytes(self) -> int:
        """Memory of all messages without an outcome, as of the last checks; in bytes."""
        return sum(consumer.load.bytes for consumer in self._consumers.copy().values())

    @property
    def memory(self) -> int:
        """Memory that these messages may take in this process; in bytes."""
        return sum(consumer.load.memory for consumer in self._consumers.copy().values())

    @property
    def oldest(self) -> float:
        """Age of the oldest message in flight in seconds, as of the last checks."""
        loads = (consumer.load.oldest for consumer in self._consumers.copy().values())
        return max(loads, default=0.0)

    @property
    def loads(self) -> Mapping[str, Load]:
        """The load of each consumer, as of its last check."""
        return {name: consumer.load for name, consumer in self._consumers.copy().items()}

    def check(
        self, name: str, account: ConsumerAccount, load: Load, now: float, *, paused: bool = False
    ) -> bool:
        """Return whether a silent consumer is backpressured, and so not idle. Rule 1.

        Call it every `check_interval` seconds. `paused`: the operator has paused the job.
        """
        self._is_sink_silent(now)
        consumer = self._consumers.get(name)
        if consumer is None or not _is_blocked(consumer, load):
            consumer = self._consumers[name] = _Consumer(account, load, now)
        consumer.load = load
        is_away = not (account.connected or load.is_missing)
        return self._by_event and (load.is_full or paused or is_away)

    def is_starved(self, account: ConsumerAccount, load: Load, now: float) -> bool:
        """Return whether a consumer with hardly any messages needs a larger prefetch. Rule 3."""
        if not load.may_grow or self._sink_state().has_backlog:
            return False
        return not self._is_sink_silent(now) and account.to_dead_letter <= load.held / 2

    def blocked(self, now: float) -> list[Blocked]:
        """Return consumers that have been blocked for `WARN_AFTER`; from any thread. Rule 2."""
        return [
            self._describe(name, consumer, now)
            for name, consumer in self._consumers.copy().items()
            if now - consumer.since >= WARN_AFTER and _is_nearly_full(consumer.load)
        ]

    def _is_sink_silent(self, now: float) -> bool:
        """Return whether the sink is silent although documents wait for its answer."""
        sink = self._accounts.sink
        if sink.left != self._answered or not sink.open:
            self._answered, self._answered_at = sink.left, now
        return sink.open > 0 and now - self._answered_at >= SILENT_AFTER

    def _held_by(self, consumer: _Consumer, now: float) -> HeldBy:
        sink, held = self._accounts.sink, consumer.load.held
        if consumer.account.to_dead_letter > held / 2:
            return "dead_letter"
        is_sinks = self._is_sink_silent(now) or sink.open > self._accounts.groups.open
        return "sink" if is_sinks else "open_groups"

    def _describe(self, name: str, consumer: _Consumer, now: float) -> Blocked:
        load, held_by = consumer.load, self._held_by(consumer, now)
        is_stuck = held_by == "open_groups" and not self._ends_by_clock
        seconds = now - consumer.since
        remedy = self._remedy(held_by, load)
        held = load.held, load.prefetch, load.bytes, load.memory
        return Blocked(name, seconds, *held, held_by, is_stuck, remedy)

    def _remedy(self, held_by: HeldBy, load: Load) -> str:
        if held_by == "sink":
            return "no other message arrives until the sink has stored them"
        if held_by == "dead_letter":
            return "no other message arrives until dead_letter has accepted them"
        is_out_of_memory = load.bytes > MOSTLY * load.memory
        key = "memory" if is_out_of_memory else "prefetch"
        raised = f"raise {self._source_at}.{key}"
        if self._ends_by_clock:
            return f"the clock ends these groups; to hold more meanwhile, {raised}"
        remedies = [raised] if is_out_of_memory or load.prefetch < MAX_MESSAGES else []
        remedies.append("take more processes" if is_out_of_memory else "take more consumers")
        if self._is_given and not is_out_of_memory:
            remedies.append("omit it, so that it grows as far as memory allows")
        remedies.append(
            f"make {self._shorter} shorter"
            if self._by_event
            else "add aggregate.window.time or lower aggregate.max_groups"
        )
        return f"only messages that cannot arrive complete these groups: {'; or '.join(remedies)}"


def make_backpressure(
    spec: Pipeline, rules: Rules, accounts: Accounts, sink_state: Callable[[], SinkState]
) -> Backpressure:
    """Make the checks for a spec and its rules."""
    tumbling = rules.event_order or rules.tumbling
    event_time = tumbling if tumbling is not None and tumbling.by_event else None
    by_arrival = tumbling is not None and event_time is None
    ages = rules.event_order is None and (rules.time is not None or rules.idle is not None)
    held_for = "tumbling.every"
    if rules.event_order is not None:
        held_for = "time" if rules.idle is None else "idle"
        held_for = held_for if spec.state is None else "lateness"
    return Backpressure(
        accounts,
        sink_state,
        source_at=f"source.{spec.source.name}",
        is_given=spec.source.chosen.prefetch != "auto",
        idle_after=event_time.idle_after if event_time is not None else None,
        ends_by_clock=by_arrival or ages,
        shorter=f"aggregate.window.{held_for}",
    )


class Reminders:
    """Decides when the log has a line about a blocked consumer."""

    def __init__(self) -> None:
        self._logged_at: dict[str, float] = {}

    def lines(self, blocked: Sequence[Blocked], now: float) -> list[str]:
        """Return the lines to log now: at once, every `REMIND_AFTER`, and at the end."""
        lines, names = [], {one.consumer for one in blocked}
        for one in blocked:
            if now >= self._logged_at.get(one.consumer, -REMIND_AFTER) + REMIND_AFTER:
                self._logged_at[one.consumer] = now
                lines.append(str(one))
        for name in [name for name in self._logged_at if name not in names]:
            del self._logged_at[name]
            lines.append(f"{name} is no longer full")
        return lines


def _is_nearly_full(load: Load) -> bool:
    return load.is_full or 0 < NEARLY * load.prefetch <= load.held


def _is_blocked(consumer: _Consumer, load: Load) -> bool:
    settled = consumer.account.answered - consumer.answered
    return _is_nearly_full(load) and settled <= HARDLY * load.prefetch
