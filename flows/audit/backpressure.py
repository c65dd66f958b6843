"""Tells which consumers receive nothing since they hold all they may, and what holds it.

Pure: `now` is an argument, in seconds of any clock that only goes forward.

Event time waits for a source partition until it has been silent for `idle_after`. The silence of a
consumer to which the broker delivers nothing says nothing: what is in the queue has still to come,
and would be late.

Rule 1: A consumer is kept waiting while it has no connection, and while it holds all it may:
        in any state of the sink.
Rule 2: It is blocked once it has held nearly all it may for a while, and hardly any of it was
        settled meanwhile. What holds it is what most of it waits for; and a sink that says nothing.
Rule 3: It is starved while the dataflow has no messages and the sink has no backlog: then it may
        hold more, as far as the memory or the number in the spec allows.
Rule 4: Where open groups block it then, they wait for room: where only more messages could complete
        them, it is stuck.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from connectors.connector import Load
from connectors.message import SinkState
from connectors.prefetch import MAX_MESSAGES
from connectors.units import size_text
from flows.audit.counters import ConsumerAccount
from flows.audit.reconcile import Accounts
from flows.groups.rules import Rules
from flows.spec import Pipeline

SILENT_AFTER = 1.0
"""Seconds. A sink that is well answers within it."""
TELL_AFTER = 5.0
"""Seconds. No request takes as long, unless the sink is away or overloaded."""
REMIND_AFTER = 60.0
"""Seconds between two lines of the log about the same consumer."""
CHECK_INTERVAL = 0.25
"""Seconds between two looks at a consumer, at the most."""
MOSTLY = 0.75
"""Part of the memory: then it is what keeps a consumer from holding more."""
NEARLY, HARDLY = 0.9, 0.1
"""Parts of the prefetch. Rule 2."""

HeldBy = Literal["open_groups", "sink", "dead_letter"]
HOLDERS: Sequence[HeldBy] = ("open_groups", "sink", "dead_letter")


class Blocked(NamedTuple):
    """A consumer that receives nothing, or hardly anything."""

    consumer: str
    seconds: float
    held: int
    prefetch: int
    bytes: int
    memory: int
    held_by: HeldBy
    is_stuck: bool
    """Only messages could end it that cannot come."""
    helps: str

    def __str__(self) -> str:
        """For people."""
        what = {
            "open_groups": "most of these messages are in open groups, which wait for room",
            "sink": "most of these messages wait for the sink's answer",
            "dead_letter": "most of these messages are rejected, and wait to be dead-lettered",
        }
        return (
            f"{self.consumer} has been full for {self.seconds:.0f} s: it holds {self.held} "
            f"messages, its prefetch is {self.prefetch}, they take {self.bytes / 1024**2:.0f} MiB "
            f"of {size_text(self.memory)}, and {what[self.held_by]}; {self.helps}"
        )


class _Consumer:
    def __init__(self, account: ConsumerAccount, load: Load, now: float) -> None:
        self.account, self.load = account, load
        self.since, self.returned = now, account.returned


class Backpressure:
    """Of one process."""

    def __init__(
        self,
        accounts: Accounts,
        sink_state: Callable[[], SinkState] = SinkState,
        *,
        source_at: str = "source",
        is_given: bool = False,
        idle_after: float | None = None,
        ends_by_clock: bool = False,
    ) -> None:
        """`accounts` tell what is in open groups, and with the sink.

        `source_at` is the YAML path of the source; `is_given`: the spec says a prefetch there.
        `idle_after`, in seconds: windows go by event time; `None`: they do not. `ends_by_clock`:
        every group is complete some time, even if no message comes any more.
        """
        self._accounts, self._sink_state = accounts, sink_state
        self._source_at, self._is_given = source_at, is_given
        self._by_event, self._ends_by_clock = idle_after is not None, ends_by_clock
        self.check_interval = min(CHECK_INTERVAL, idle_after / 10) if idle_after else CHECK_INTERVAL
        """Seconds between two looks."""
        self._consumers: dict[str, _Consumer] = {}
        self._answered, self._answered_at = -1, 0.0

    @property
    def prefetch(self) -> int:
        """The most that all consumers together may hold, as of the last looks."""
        return sum(consumer.load.prefetch for consumer in self._consumers.copy().values())

    @property
    def held_bytes(self) -> int:
        """Memory that their messages without an outcome take, as of the last checks."""
        return sum(consumer.load.bytes for consumer in self._consumers.copy().values())

    def check(self, name: str, account: ConsumerAccount, load: Load, now: float) -> bool:
        """Return whether the silence of a consumer tells nothing about event time. Rule 1.

        To be called every `check_interval` seconds.
        """
        self._hear_sink(now)
        consumer = self._consumers.get(name)
        if consumer is None or not _is_blocked(consumer, load):
            consumer = self._consumers[name] = _Consumer(account, load, now)
        consumer.load = load
        return self._by_event and (load.is_full or not account.connected)

    def is_starved(self, account: ConsumerAccount, load: Load, now: float) -> bool:
        """Return whether a consumer without messages is to hold more. Rule 3."""
        if not (load.is_full and load.may_grow) or self._sink_state().has_backlog:
            return False
        return not self._hear_sink(now) and account.to_dead_letter <= load.held / 2

    def blocked(self, now: float) -> list[Blocked]:
        """Consumers that have been so for `TELL_AFTER`; from any thread. Rule 2."""
        return [
            self._told(name, consumer, now)
            for name, consumer in self._consumers.copy().items()
            if now - consumer.since >= TELL_AFTER and _is_nearly_full(consumer.load)
        ]

    def _hear_sink(self, now: float) -> bool:
        """Return whether the sink says nothing, though it has been asked."""
        sink = self._accounts.sink
        if sink.left != self._answered or not sink.open:
            self._answered, self._answered_at = sink.left, now
        return sink.open > 0 and now - self._answered_at >= SILENT_AFTER

    def _held_by(self, consumer: _Consumer, now: float) -> HeldBy:
        sink, held = self._accounts.sink, consumer.load.held
        if consumer.account.to_dead_letter > held / 2:
            return "dead_letter"
        is_sinks = self._hear_sink(now) or sink.open > self._accounts.groups.open
        return "sink" if is_sinks else "open_groups"

    def _told(self, name: str, consumer: _Consumer, now: float) -> Blocked:
        load, held_by = consumer.load, self._held_by(consumer, now)
        is_stuck = held_by == "open_groups" and not self._ends_by_clock
        seconds = now - consumer.since
        helps = self._helps(held_by, load)
        held = load.held, load.prefetch, load.bytes, load.memory
        return Blocked(name, seconds, *held, held_by, is_stuck, helps)

    def _helps(self, held_by: HeldBy, load: Load) -> str:
        if held_by == "sink":
            return "nothing else arrives until the sink has taken them"
        if held_by == "dead_letter":
            return "nothing else arrives until dead_letter takes them"
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
            "make aggregate.window.tumbling.every shorter"
            if self._by_event
            else "add aggregate.window.time or lower aggregate.max_groups"
        )
        return f"only messages that cannot arrive complete these groups: {'; or '.join(remedies)}"


def make_backpressure(
    spec: Pipeline, rules: Rules, accounts: Accounts, sink_state: Callable[[], SinkState]
) -> Backpressure:
    """Translate a spec, and the rules that are made of it."""
    tumbling = rules.event_order or rules.tumbling
    event_time = tumbling if tumbling is not None and tumbling.by_event else None
    by_arrival = tumbling is not None and event_time is None
    ages = rules.event_order is None and (rules.time is not None or rules.idle is not None)
    return Backpressure(
        accounts,
        sink_state,
        source_at=f"source.{spec.source.name}",
        is_given=spec.source.chosen.prefetch != "auto",
        idle_after=event_time.idle_after if event_time is not None else None,
        ends_by_clock=by_arrival or ages,
    )


class Reminders:
    """What the log says of blocked consumers, and when."""

    def __init__(self) -> None:
        self._told_at: dict[str, float] = {}

    def lines(self, blocked: Sequence[Blocked], now: float) -> list[str]:
        """What is to be said now: at once, each `REMIND_AFTER`, and when it is over."""
        lines, names = [], {one.consumer for one in blocked}
        for one in blocked:
            if now >= self._told_at.get(one.consumer, -REMIND_AFTER) + REMIND_AFTER:
                self._told_at[one.consumer] = now
                lines.append(str(one))
        for name in [name for name in self._told_at if name not in names]:
            del self._told_at[name]
            lines.append(f"{name} is not full any more")
        return lines


def _is_nearly_full(load: Load) -> bool:
    return load.is_full or 0 < NEARLY * load.prefetch <= load.held


def _is_blocked(consumer: _Consumer, load: Load) -> bool:
    settled = consumer.account.returned - consumer.returned
    return _is_nearly_full(load) and settled <= HARDLY * load.prefetch
