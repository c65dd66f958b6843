"""The `aggregate` step of a shard with state: it writes commits, and passes on what is durable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from connectors.errors import Unavailable
from connectors.message import Outcomes, StreamOpened
from flows.audit.counters import Account
from flows.groups import kept_shard
from flows.groups.kept_shard import KeptShard
from flows.groups.rules import Rules
from flows.state.known_names import MOST_PINNED
from flows.steps.begin import Begins
from flows.steps.keep import KeptAggregate
from flows.summaries.functions.function import Function
from flows.summaries.reducers import Tally
from flows.values.begin import Begin, Begun, FolderView
from flows.values.columnar import Members
from flows.values.group import Group
from flows.values.stop import Stop
from tests.flows.kept_shards import alone
from tests.flows.members import FIRST, THIRD, WITH_KEYS, member
from tests.kept_state import MemoryShard, MemoryState

SHARD = "shard/0"
MEMORY = 10_000


class OneKeptStep:
    """The step of one shard, on a state that becomes durable when the test says so."""

    def __init__(self, state: MemoryState, workers: int = 1, **rules: Any) -> None:
        if not rules.get("hold"):
            rules |= {"tally": Tally({"n": Function("count")}), "hold": False}
        shard = KeptShard(Rules(**WITH_KEYS, **rules), 1.0, "t0ken", alone)
        self.now, self.account, self.store = 10.3, Account(), state.shard(SHARD)
        self.step = KeptAggregate(
            shard, state, MEMORY, Stop(), self.account, clock=lambda: self.now
        )
        self.begun = self.step.on_batch([Begin(SHARD, 0, workers, state.view())])[0]

    def take(self, *tags: int, key: str = '"a"') -> list[Any]:
        members = [member(tag, key, message_id=f"m{tag}") for tag in tags]
        return self.step.on_batch([Members(members)])[0]

    def wakes_in(self) -> float:
        """Seconds until the step is called next."""
        at = self.step.notify_at()
        assert at is not None
        return (at - datetime.now(UTC)).total_seconds()

    def leaving(self) -> list[Group]:
        """Return the groups that leave until there is nothing to do."""
        values = self.step.on_notify()[0]
        while not self.step.shard.is_idle:
            values += self.step.on_notify()[0]
        return [value for value in values if isinstance(value, Group)]

    def durable(self) -> list[Any]:
        """Make the commit durable, and return what leaves."""
        self.store.sync()
        return self.step.on_notify()[0]


def test_nothing_leaves_before_its_commit_is_durable() -> None:
    some = OneKeptStep(MemoryState(at_once=False), count=2)
    assert some.begun == [Begun(SHARD)]
    assert some.take(1, 2) == []
    assert some.step.on_notify()[0] == []
    assert some.wakes_in() < 0.01
    assert some.account.counts == (2, 0, 0, 2, 0, 0)

    [outcomes, group] = some.durable()

    assert isinstance(outcomes, Outcomes)
    assert isinstance(group, Group)
    assert [*outcomes.kept] == [1, 2]
    assert some.account.counts == (2, 2, 0, 0, 0, 0)


def test_it_wakes_for_the_next_commit() -> None:
    """And not otherwise, while no group is open."""
    some = OneKeptStep(MemoryState(), time=60.0)
    assert some.step.notify_at() is None
    some.now = 10.8
    some.take(1)

    assert 0.1 < some.wakes_in() < 0.21
    some.now = 11.0
    some.step.on_notify()
    assert some.step.on_notify()[0] != []
    assert some.wakes_in() > 0.4


def test_a_stop_makes_open_groups_durable() -> None:
    """Also what has changed since the commit that is being written."""
    state = MemoryState(at_once=False)
    some = OneKeptStep(state, time=60.0, on_stop="keep")
    some.take(1)
    some.now = 11.0
    some.step.on_notify()
    some.take(2)

    left = some.step.on_eof()[0]

    assert [tag for one in left for tag in one.kept] == [1, 2]  # type: ignore[union-attr]
    after = OneKeptStep(state, time=60.0)
    assert after.begun == [Begun(SHARD)]
    assert [group.count for group in after.step.shard.oldest(9)] == [2]


def test_a_disk_that_refuses_the_last_commit_leaves_messages_to_the_broker() -> None:
    some = OneKeptStep(MemoryState(at_once=False), time=60.0, on_stop="keep")
    some.take(1)
    some.store.sync = lambda: None  # type: ignore[method-assign]

    assert some.step.on_eof()[0] == []
    assert some.account.counts == (1, 0, 0, 1, 1, 0)


def test_what_waits_for_the_sink_is_bounded_by_memory() -> None:
    """Then nothing is committed, so that messages stay unacknowledged."""
    some = OneKeptStep(MemoryState(), count=1)
    tag = 0
    while not some.step._is_full:
        tag += 1
        some.take(tag)
        some.step.on_notify()
    assert tag <= MEMORY / 1000
    some.take(99)
    assert some.step.on_notify()[0] == []
    assert some.step.due_at is None

    some.store.forget(1, 0)

    assert some.step.on_notify()[0] == []
    assert [type(one) for one in some.step.on_notify()[0]] == [Outcomes, Group]


def test_ids_that_are_forgotten_early_are_counted_and_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only after a start with a state, or a lost connection: before, nothing is redelivered."""
    monkeypatch.setattr(kept_shard, "NAMES", 1)
    before = REGISTRY.get_sample_value("hopper_state_ids_forgotten_total") or 0.0
    state = MemoryState()
    for _ in range(2):
        some = OneKeptStep(state, time=600.0)
        for tag in range(1, 2 * MOST_PINNED):
            some.now += 1.0
            some.take(tag)
            some.step.on_notify()

    forgotten = REGISTRY.get_sample_value("hopper_state_ids_forgotten_total") or 0.0
    assert forgotten - before == MOST_PINNED
    [logged] = caplog.messages
    assert "a message that the broker redelivers now may count twice" in logged


def test_messages_of_groups_are_read_as_far_as_there_is_room() -> None:
    """Also after a restart, and at a stop; the other groups stay in the state."""
    state = MemoryState()
    some = OneKeptStep(state, time=5.0, hold=True)
    for tag in range(1, 61):
        some.take(tag, key=f'"{tag}"')
    some.now = 20.0
    left = some.leaving()
    assert 0 < len(left) < MEMORY / 500
    assert some.step.shard.unread == 60 - len(left)
    assert some.wakes_in() < 0.03
    assert some.step.due_at is None

    for group in left:
        some.store.forget(group.number, group.kept.row if group.kept else 0)
    more = some.leaving()
    assert len(more) == len(left)

    after = OneKeptStep(state, time=5.0, hold=True)
    stopped = after.step.on_eof()[0]
    assert 0 < len(stopped) < MEMORY / 500
    assert after.step.shard.unread > 0


class LostState(MemoryState):
    """The state of a shard that is in the folder of another process."""

    def begin(self, shard: str, views: Sequence[FolderView]) -> MemoryShard:
        raise Unavailable("its file is missing")


def test_a_shard_that_is_not_there_ends_the_process_with_its_name() -> None:
    with pytest.raises(Unavailable, match=f"^{SHARD}: its file is missing$"):
        OneKeptStep(LostState())


def test_a_shard_begins_when_all_workers_have_spoken() -> None:
    """A worker without a consumer too: its process may have a folder of its own."""
    state = MemoryState()
    some = OneKeptStep(state, workers=3)
    assert some.begun == []
    assert some.step.on_batch([Begin(SHARD, 2, 3, state.view())])[0] == []
    assert some.step.on_batch([Begin(SHARD, 1, 3, state.view())])[0] == [Begun(SHARD)]


def test_a_stream_that_was_made_anew_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    some = OneKeptStep(MemoryState(), time=60.0)
    some.step.on_batch([StreamOpened(FIRST, "s")])
    assert caplog.text == ""

    some.step.on_batch([StreamOpened(THIRD, "another")])

    assert "q/000: another stream than before" in caplog.text


def test_each_shard_has_its_turn_to_commit() -> None:
    """The second shard of a job is due 25 ms after the first one."""
    state, begins = MemoryState(), []
    for worker in range(2):
        begins.append(Begins(state, ["shard/3", SHARD]).build("begin", worker, 2).next_batch())
    assert [[begin.turn for _, begin in each] for each in begins] == [[0, 1], [0, 1]]
    some = OneKeptStep(state, workers=2)

    some.step.on_batch([begin for each in begins for shard, begin in each if shard == SHARD])
    some.take(1)

    assert some.step.shard.commit_due_at == pytest.approx(11.025)
