"""Groups in the order of event time, in the state: what waits for earlier messages is not in it."""

from __future__ import annotations

from typing import Any

from connectors.message import StreamOpened
from flows.groups.departures import ShardOutput
from flows.groups.rules import Tumbling
from flows.values.group import Group, Progress
from tests.flows.kept_shards import TALLY, OneShard, kept, rejected, sent
from tests.flows.members import FIRST, THIRD

NOW = 1000.0


def sessions(before: OneShard | None = None, **more: Any) -> OneShard:
    """Sessions that five silent seconds end, three seconds late; perhaps after a restart."""
    rules: dict[str, Any] = {
        **{"idle": 5.0, "event_order": Tumbling(0.1, by_event=True, lateness=3.0)},
        **{"tally": TALLY, "hold": False, "partitions": ("q/000",), **more},
    }
    return OneShard(None if before is None else before.store, **rules)


def reach(some: OneShard, at: float) -> list[ShardOutput]:
    """Let the watermark reach a time, and make durable what that changes; return what leaves."""
    assert some.shard.note_progress(Progress("q/000", at), NOW) == []
    made = some.shard.commit(NOW + 1)
    if made is None:
        return []
    some.store.write(made)
    return some.shard.durable()


def numbers(leaving: list[ShardOutput]) -> list[list[int]]:
    return [
        one.summary.values["numbers"] for one in leaving if isinstance(one, Group) and one.summary
    ]


def test_a_message_is_acknowledged_when_it_has_entered_its_group() -> None:
    """Messages enter in the order of event time."""
    some = sessions()
    some.take(1, at=12.0, now=NOW)
    some.take(2, at=11.0, now=NOW)
    assert kept(reach(some, 13.0)) == []
    assert (some.shard.held, some.shard.open_groups) == (2, 1)

    assert kept(reach(some, 16.0)) == [2, 1]

    assert some.shard.held == 0
    assert numbers(reach(some, 30.0)) == [[2, 1]]


def test_a_restart_changes_neither_what_waits_nor_what_is_late() -> None:
    some = sessions()
    some.take(1, at=10.0, now=NOW)
    some.take(2, at=20.0, now=NOW)
    assert kept(reach(some, 15.0)) == [1]

    after = sessions(some)
    assert (after.shard.held, after.shard.open_groups) == (0, 1)
    after.take(2, at=20.0, redelivered=True, now=NOW)
    after.shard.add([sent(3, '"b"', at=5.0)], NOW)

    [late] = rejected(after.shard, NOW + 1)
    assert late.startswith("late: its group is over")
    leaving = reach(after, 40.0)
    assert kept(leaving) == [2]
    assert numbers(leaving) == [[1], [2]]


def test_a_message_that_is_counted_is_recognised_although_its_group_is_over() -> None:
    """It is not late: the broker has missed its acknowledgement."""
    some = sessions()
    some.take(1, at=10.0, now=NOW)
    reach(some, 30.0)

    after = sessions(some)
    after.take(1, at=10.0, redelivered=True, now=NOW)

    assert after.shard.recognised == 1
    assert kept(reach(after, 30.0)) == [1]


def test_what_waits_on_a_lost_connection_is_redelivered() -> None:
    some = sessions()
    some.take(1, at=10.0, now=NOW)

    some.shard.purge(FIRST)
    assert some.shard.held == 0
    some.take(1, at=10.0, redelivered=True, origin=THIRD, now=NOW)

    assert numbers(reach(some, 30.0)) == [[1]]


def test_what_waits_in_a_stream_is_not_known() -> None:
    """Its offset is below the last one; what has entered is known."""
    some = sessions()
    some.shard.open_stream(StreamOpened(FIRST, "s"))
    assert some.shard.add([sent(1, at=20.0, offset=1), sent(2, at=10.0, offset=2)], NOW) == []
    assert kept(reach(some, 15.0)) == [2]

    after = sessions(some)
    after.shard.open_stream(StreamOpened(THIRD, "s"))
    again = [sent(n, at=at, offset=n, origin=THIRD) for n, at in ((1, 20.0), (2, 10.0))]
    assert after.shard.add(again, NOW) == []

    assert after.shard.recognised == 1
    assert numbers(reach(after, 40.0)) == [[2], [1]]
