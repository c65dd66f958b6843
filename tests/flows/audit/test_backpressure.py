"""A full consumer is not idle, and its cause and remedy are reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.connector import Load
from connectors.message import Lost, Opened, Origin, SinkState
from flows.audit.backpressure import Backpressure, Blocked, Reminders, make_backpressure
from flows.audit.reconcile import Accounts
from flows.groups.member_values import MemberValues
from flows.groups.rules import make_rules
from flows.spec import load
from tests.flows.settling import SettlingStub

ORIGIN = Origin("queue/000", 1)
MEMORY = 64 * 1024**2
FULL = Load(held=10, prefetch=10, is_full=True, bytes=MEMORY // 2, memory=MEMORY)
MAY_GROW = FULL._replace(may_grow=True)


class StalledJob:
    """One consumer and one shard; windows go by event time by default."""

    def __init__(self, **options: Any) -> None:
        self.accounts = Accounts()
        self.settling = SettlingStub(awaiting_outcome=10)
        self.consumer = self.accounts.open("queue/000", self.settling)
        self.consumer.take([Opened(ORIGIN)])
        self.groups, self.sink = self.accounts.of_groups(), self.accounts.of_sink()
        self.backpressure = Backpressure(
            self.accounts,
            lambda: self.sink_state,
            source_at="source.rabbitmq",
            **{"idle_after": 2.0, **options},
        )
        self.sink_state, self.grown = SinkState(), 0

    def hold(self, in_groups: int, with_sink: int) -> None:
        self.groups.note(open=in_groups, groups=in_groups)
        self.sink.note(open=with_sink)

    def reject(self, messages: int) -> None:
        """So many of its messages are rejected, and not parked yet."""
        self.consumer.counts = self.consumer.counts._replace(rejected=messages)

    def check(self, now: float, load: Load = FULL) -> bool:
        self.grown += self.backpressure.is_starved(self.consumer, load, now)
        return self.backpressure.check("queue/000", self.consumer, load, now)

    def pass_time(self, until: float, load: Load = FULL) -> StalledJob:
        """Check four times a second."""
        for quarter in range(int(4 * until) + 1):
            self.check(quarter / 4, load)
        return self

    def blocked(self, now: float) -> Blocked:
        [blocked] = self.backpressure.blocked(now)
        return blocked


@pytest.mark.parametrize(("in_groups", "with_sink"), [(10, 0), (0, 10), (5, 5), (0, 0)])
def test_a_full_consumer_is_never_idle_with_any_sink(in_groups: int, with_sink: int) -> None:
    job = StalledJob()
    job.hold(in_groups, with_sink)

    assert all(job.check(now) for now in (0.0, 0.5, 1.0, 9.0, 3600.0))
    job.sink.note(entered=0, left=1, open=with_sink)
    assert all(job.check(now) for now in (3600.5, 3601.0, 3700.0))


def test_a_consumer_without_connection_is_awaited_unless_its_queue_is_gone() -> None:
    job = StalledJob()
    job.consumer.take([Lost(ORIGIN)])

    assert job.check(0.0, Load())
    assert not job.check(1.0, Load(is_missing=True))
    assert job.check(2.0, Load())


def test_a_consumer_that_may_hold_more_can_be_idle() -> None:
    job = StalledJob()
    job.sink.note(entered=5, left=0, open=5)

    load = FULL._replace(held=9, is_full=False)
    assert not any(job.check(now, load) for now in (0.0, 5.0, 3600.0))


def test_without_a_connection_a_consumer_is_not_idle() -> None:
    job = StalledJob()
    job.consumer.take([Lost(ORIGIN)])

    assert job.check(0.0, Load())


def test_without_event_time_no_consumer_is_idle() -> None:
    assert not StalledJob(idle_after=None).check(0.0)


@pytest.mark.parametrize(("in_groups", "with_sink"), [(10, 0), (4, 6), (0, 10), (0, 0)])
@pytest.mark.parametrize("ends_by_clock", [False, True])
def test_a_full_consumer_grows_while_dataflow_and_sink_wait(
    in_groups: int, with_sink: int, ends_by_clock: bool
) -> None:
    """Independent of what holds its messages: `memory` is the bound."""
    job = StalledJob(ends_by_clock=ends_by_clock)
    job.hold(in_groups, with_sink)

    assert job.pass_time(0.75, MAY_GROW).grown == 4
    assert job.pass_time(0.75, FULL).grown == 4
    assert job.pass_time(0.75, MAY_GROW._replace(is_full=False, may_grow=False)).grown == 4


def test_it_does_not_grow_while_the_sink_has_a_backlog() -> None:
    job = StalledJob()
    job.sink_state = SinkState(has_backlog=True)

    assert job.pass_time(0.75, MAY_GROW).grown == 0


@pytest.mark.parametrize(("in_groups", "with_sink"), [(0, 10), (4, 6), (9, 1)])
def test_it_does_not_grow_while_the_sink_does_not_answer(in_groups: int, with_sink: int) -> None:
    job = StalledJob()
    job.hold(in_groups, with_sink)
    job.pass_time(0.75, MAY_GROW)

    before = job.grown
    for second in range(1, 61):
        job.check(second, MAY_GROW)
    assert job.grown == before
    assert job.blocked(60.0).held_by == "sink"


def test_a_consumer_whose_messages_are_settled_is_not_blocked() -> None:
    """It is full because more messages arrive than the sink can store."""
    job = StalledJob()
    job.hold(10, 0)
    for second in range(20):
        job.consumer.answered += 2
        job.check(second, MAY_GROW)

    assert job.backpressure.blocked(19.9) == []


def test_it_does_not_grow_while_rejected_messages_wait_to_be_dead_lettered() -> None:
    job = StalledJob()
    job.settling.awaiting_outcome = 2
    job.reject(8)
    job.hold(2, 0)

    assert job.pass_time(6.0, MAY_GROW).grown == 0
    assert job.blocked(6.0).held_by == "dead_letter"
    assert not job.blocked(6.0).is_stuck


def test_groups_that_the_clock_completes_do_not_block_for_ever() -> None:
    job = StalledJob(ends_by_clock=True)
    job.hold(10, 0)

    assert job.pass_time(6.0).grown == 0
    assert (job.blocked(6.0).held_by, job.blocked(6.0).is_stuck) == ("open_groups", False)
    assert "to hold more meanwhile, raise source.rabbitmq.prefetch" in str(job.blocked(6.0))


def test_a_consumer_that_cannot_grow_is_stuck_and_has_a_remedy() -> None:
    job = StalledJob(is_given=True)
    job.hold(10, 0)
    job.pass_time(6.0)

    assert job.grown == 0
    assert job.backpressure.blocked(4.9) == []
    assert job.blocked(5.0).is_stuck
    assert str(job.blocked(6.0)) == (
        "queue/000 has been full for 6 s: it holds 10 messages, its prefetch is 10, they take 32 "
        "MiB of 64MiB, and most of these messages are in open groups, which wait for room; only "
        "messages that cannot arrive complete these groups: raise source.rabbitmq.prefetch; or "
        "take more consumers; or omit it, so that it grows as far as memory allows; or make "
        "aggregate.window.tumbling.every shorter"
    )


@pytest.mark.parametrize(
    ("window", "state", "key"),
    [
        ("{tumbling: {every: 1h, event_time: at}}", "", "tumbling.every"),
        ("{time: 1h, event_time: at}", "", "time"),
        ("{time: 1h, idle: 1m, event_time: at}", "", "idle"),
        ("{time: 1h, idle: 1m, event_time: at}", "state: {path: /s}", "lateness"),
    ],
)
def test_the_remedy_names_the_time_for_which_messages_are_held(
    tmp_path: Path, window: str, state: str, key: str
) -> None:
    """With a state, groups in the order of event time hold what waits for earlier messages."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        f"{{version: 1, name: a, source: {{memory: {{}}}}, sink: {{memory: {{}}}}, aggregate: "
        f"{{by: k, window: {window}}}{', ' if state else ''}{state}}}"
    )
    spec = load(path, {})
    rules = make_rules(spec.aggregate, MemberValues(spec.aggregate), (), shards=1)
    job = StalledJob()
    job.backpressure = make_backpressure(spec, rules, job.accounts, SinkState)
    job.hold(10, 0)
    job.pass_time(6.0)

    assert job.blocked(6.0).remedy.endswith(f"or make aggregate.window.{key} shorter")


def test_the_remedy_for_full_memory_is_more_memory() -> None:
    job = StalledJob(is_given=True)
    job.hold(10, 0)
    job.pass_time(6.0, FULL._replace(bytes=MEMORY - 100))

    assert (
        "complete these groups: raise source.rabbitmq.memory; or take more processes; or make "
    ) in str(job.blocked(6.0))


def test_the_remedy_for_a_group_without_a_clock_is_a_clock() -> None:
    job = StalledJob(idle_after=None)
    job.settling.awaiting_outcome = 65_535
    job.hold(65_535, 0)
    job.pass_time(6.0, Load(held=65_535, prefetch=65_535, is_full=True, memory=MEMORY))

    assert str(job.blocked(6.0)).endswith(
        "these groups: take more consumers; or add aggregate.window.time or lower "
        "aggregate.max_groups"
    )


def test_a_consumer_with_a_few_settled_messages_is_still_blocked() -> None:
    """Nine of ten of its messages stay unacknowledged."""
    job = StalledJob()
    job.hold(95, 0)
    load = Load(held=95, prefetch=100)
    for second in range(9):
        job.consumer.answered += 1
        job.check(second, load)

    assert job.blocked(8.0).seconds == 8.0


def test_the_prefetches_of_all_consumers_are_added() -> None:
    job = StalledJob()
    job.check(0.0)
    job.backpressure.check("queue/001", job.accounts.open("queue/001", SettlingStub()), FULL, 0.0)

    assert job.backpressure.prefetch == 20


def test_it_is_logged_at_once_each_minute_and_at_its_end() -> None:
    reminders = Reminders()
    blocked = Blocked("queue/000", 5.0, 10, 10, 1, 2, "sink", False, "wait")

    logged = [reminders.lines([blocked], now) for now in (100.0, 101.0, 159.0, 160.0, 161.0)]

    assert [len(lines) for lines in logged] == [1, 0, 0, 1, 0]
    assert reminders.lines([], 162.0) == ["queue/000 is no longer full"]
    assert reminders.lines([], 163.0) == []
    assert len(reminders.lines([blocked], 164.0)) == 1
