"""Tells which consumers receive nothing since they hold all they may, and what holds it.

Pure: `now` is an argument, in seconds of any clock that only goes forward.

Event time waits for a source partition until it has been silent for `idle_after`. The silence of a
consumer to which the broker delivers nothing says nothing: what is in the queue has still to come,
and would be late.

Rule 1: A consumer is kept waiting while it has no connection, and while it holds all it may:
        in any state of the sink.
Rule 2: It is blocked once it has held nearly all it may for a while, and hardly any of it was
        settled meanwhile. What holds it is what most of it waits for; and a sink that says nothing.
Rule 3: Where open groups block it, and only more messages could complete these, it grows; where it
        may not, it is stuck.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from connectors.connector import Load
from connectors.prefetch import MAX_MESSAGES
from flows.audit.counters import ConsumerAccount
from flows.audit.reconcile import Accounts
from flows.groups.rules import Rules
from flows.spec import Pipeline

GROW_AFTER = 1.0
"""Seconds. A sink that is well answers within it, and a window that is due leaves."""
TELL_AFTER = 5.0
"""Seconds. No request takes as long, unless the sink is away or overloaded."""
REMIND_AFTER = 60.0
"""Seconds between two lines of the log about the same consumer."""
CHECK_INTERVAL = 0.25
"""Seconds between two looks at a consumer, at the most."""
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
    held_by: HeldBy
    is_stuck: bool
    """Only messages could end it that cannot come."""
    helps: str

    def __str__(self) -> str:
        """For people."""
        what = {
            "open_groups": "most of these messages are in open groups",
            "sink": "most of these messages wait for the sink's answer",
            "dead_letter": "most of these messages are rejected, and wait to be dead-lettered",
        }
        return (
            f"{self.consumer} has been full for {self.seconds:.0f} s: it holds {self.held} "
            f"messages, its prefetch is {self.prefetch}, and {what[self.held_by]}; {self.helps}"
        )


class ConsumerCheck(NamedTuple):
    """What one check of a consumer found."""

    is_backpressured: bool
    """Its silence tells nothing about event time. Rule 1."""
    grow: bool
    """It is to hold more. Rule 3."""


class _Consumer:
    def __init__(self, account: ConsumerAccount, load: Load, now: float) -> None:
        self.account, self.load = account, load
        self.since, self.returned = now, account.returned


class Backpressure:
    """Of one process."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        prefetch_at: str = "prefetch",
        is_given: bool = False,
        idle_after: float | None = None,
        ends_by_clock: bool = False,
    ) -> None:
        """`accounts` tell what is in open groups, and with the sink.

        `prefetch_at` is the YAML path of the prefetch; `is_given`: the spec says a number there.
        `idle_after`, in seconds: windows go by event time; `None`: they do not. `ends_by_clock`:
        every group is complete some time, even if no message comes any more.
        """
        self._accounts = accounts
        self._prefetch_at, self._is_given = prefetch_at, is_given
        self._by_event, self._ends_by_clock = idle_after is not None, ends_by_clock
        self.check_interval = min(CHECK_INTERVAL, idle_after / 10) if idle_after else CHECK_INTERVAL
        """Seconds between two looks."""
        self._consumers: dict[str, _Consumer] = {}
        self._answered, self._answered_at = -1, 0.0

    @property
    def prefetch(self) -> int:
        """The most that all consumers together may hold, as of the last looks."""
        return sum(consumer.load.prefetch for consumer in self._consumers.copy().values())

    def check(self, name: str, account: ConsumerAccount, load: Load, now: float) -> ConsumerCheck:
        """Check a consumer; call it every `check_interval` seconds."""
        sink = self._accounts.sink
        if sink.left != self._answered or not sink.open:
            self._answered, self._answered_at = sink.left, now
        consumer = self._consumers.get(name)
        if consumer is None or not _is_blocked(consumer, load):
            consumer = self._consumers[name] = _Consumer(account, load, now)
        consumer.load = load
        is_backpressured = self._by_event and (load.is_full or not account.connected)  # Rule 1
        return ConsumerCheck(is_backpressured, self._grows(consumer, now))

    def blocked(self, now: float) -> list[Blocked]:
        """Consumers that have been so for `TELL_AFTER`; from any thread. Rule 2."""
        return [
            self._told(name, consumer, now)
            for name, consumer in self._consumers.copy().items()
            if now - consumer.since >= TELL_AFTER and _is_nearly_full(consumer.load)
        ]

    def _grows(self, consumer: _Consumer, now: float) -> bool:
        load = consumer.load
        if not (load.is_full and load.may_grow) or self._ends_by_clock:
            return False
        if now - consumer.since < GROW_AFTER or self._held_by(consumer, now) != "open_groups":
            return False
        consumer.since = now  # until the next step
        return True

    def _held_by(self, consumer: _Consumer, now: float) -> HeldBy:
        sink, held = self._accounts.sink, consumer.load.held
        if consumer.account.awaiting_outcome < held / 2:
            return "dead_letter"
        is_silent = sink.open > 0 and now - self._answered_at >= GROW_AFTER
        return "sink" if is_silent or sink.open > self._accounts.groups.open else "open_groups"

    def _told(self, name: str, consumer: _Consumer, now: float) -> Blocked:
        load, held_by = consumer.load, self._held_by(consumer, now)
        is_stuck = held_by == "open_groups" and not self._ends_by_clock
        seconds = now - consumer.since
        helps = self._helps(held_by, load)
        return Blocked(name, seconds, load.held, load.prefetch, held_by, is_stuck, helps)

    def _helps(self, held_by: HeldBy, load: Load) -> str:
        if held_by == "sink":
            return "nothing else arrives until the sink has taken them"
        if held_by == "dead_letter":
            return "nothing else arrives until dead_letter takes them"
        raised = f"raise {self._prefetch_at}"
        if self._ends_by_clock:
            return f"the clock ends these groups; to hold more meanwhile, {raised}"
        remedies = [raised] if load.prefetch < MAX_MESSAGES else []
        remedies.append("take more consumers")
        if self._is_given:
            remedies.append("omit it, so that it grows up to its bound")
        remedies.append(
            "make aggregate.window.tumbling.every shorter"
            if self._by_event
            else "add aggregate.window.time or lower aggregate.max_groups"
        )
        return f"only messages that cannot arrive complete these groups: {'; or '.join(remedies)}"


def make_backpressure(spec: Pipeline, rules: Rules, accounts: Accounts) -> Backpressure:
    """Translate a spec, and the rules that are made of it."""
    tumbling = rules.event_order or rules.tumbling
    event_time = tumbling if tumbling is not None and tumbling.by_event else None
    by_arrival = tumbling is not None and event_time is None
    ages = rules.event_order is None and (rules.time is not None or rules.idle is not None)
    return Backpressure(
        accounts,
        prefetch_at=f"source.{spec.source.name}.prefetch",
        is_given="prefetch" in spec.source.chosen.model_fields_set,
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
