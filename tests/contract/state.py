"""The contract of a store of a shard (`flows.state.commit.ShardStore`)."""

from __future__ import annotations

from flows.state.commit import Changes, Commit, Recovered, ShardStore, Table
from flows.values.group import Kept
from tests.waiting import until

FIRST = Commit(
    1,
    b"h1",
    {
        Table.GROUPS: Changes([(1, b"a1"), (2, b"b1")]),
        Table.NAMES: Changes([(1, b"names 1")]),
    },
    members=[(1, b"m1"), (2, b"n1")],
)
SECOND = Commit(
    2,
    b"h2",
    {
        Table.GROUPS: Changes([(2, b"b2"), (3, b"c2")], [1]),
        Table.LEFT: Changes([(7, b"left")]),
        Table.NAMES: Changes([(2, b"names 2")], [1]),
    },
    members=[(1, b"m2")],
)
LEFT = Kept(row=1, members=2, bytes=4)
"""What the state has of group 7."""
NOTHING = Recovered(None, {})
AFTER_FIRST = Recovered(
    b"h1", {Table.GROUPS: [(1, b"a1"), (2, b"b1")], Table.NAMES: [(1, b"names 1")]}
)
WITHOUT_LEFT = Recovered(
    b"h2", {Table.GROUPS: [(2, b"b2"), (3, b"c2")], Table.NAMES: [(2, b"names 2")]}
)
AFTER_SECOND = Recovered(b"h2", {**WITHOUT_LEFT.rows, Table.LEFT: [(7, b"left")]})


def write(store: ShardStore, *commits: Commit) -> None:
    """Write commits, each after the one before is durable."""
    for commit in commits:
        store.write(commit)
        until(store.take_durable)


def members(store: ShardStore, number: int, kept: Kept) -> list[bytes]:
    """Read the members of a group."""
    store.load(number, kept)
    store.wait()
    [loaded] = store.take_loaded()
    assert loaded.number == number
    return loaded.members


class ShardStoreContract:
    """A subclass has fixtures `store`, and `reopened`: the store of the next process."""

    def test_a_new_store_has_nothing(self, store: ShardStore) -> None:
        assert store.recover() == NOTHING

    def test_the_next_process_finds_what_is_durable(
        self, store: ShardStore, reopened: ShardStore
    ) -> None:
        store.recover()
        write(store, FIRST, SECOND)
        store.close()

        assert reopened.recover() == AFTER_SECOND

    def test_a_commit_is_reported_as_durable_once(self, store: ShardStore) -> None:
        store.recover()
        assert not store.take_durable()
        write(store, FIRST)
        assert not store.take_durable()
        store.write(SECOND)
        store.wait()
        assert store.take_durable()

    def test_a_group_to_forget_is_forgotten_at_the_latest_at_the_end(
        self, store: ShardStore, reopened: ShardStore
    ) -> None:
        store.recover()
        write(store, FIRST, SECOND)
        store.forget(7, LEFT.row)
        store.close()

        assert reopened.recover() == WITHOUT_LEFT
        write(reopened, Commit(3, b"h3", {Table.LEFT: Changes([(8, b"left")])}))
        assert members(reopened, 8, LEFT) == []

    def test_the_members_of_a_group_are_read_in_the_order_of_their_commits(
        self, store: ShardStore, reopened: ShardStore
    ) -> None:
        store.recover()
        write(store, FIRST, SECOND)
        waiting = store.waiting.bytes
        assert members(store, 7, LEFT) == [b"m1", b"m2"]
        assert store.take_loaded() == []
        assert store.waiting.bytes > waiting + LEFT.bytes
        store.close()

        reopened.recover()
        assert members(reopened, 7, LEFT) == [b"m1", b"m2"]

    def test_new_members_of_a_row_stay_in_their_order(self, store: ShardStore) -> None:
        store.recover()
        pieces = [(1, b"z"), (2, b"other"), (1, b"b"), (1, b"a")]
        write(store, FIRST, SECOND, Commit(3, b"h3", {}, members=pieces))

        assert members(store, 7, LEFT) == [b"m1", b"m2", b"z", b"b", b"a"]

    def test_members_that_are_read_for_an_early_summary_take_no_room_afterwards(
        self, store: ShardStore
    ) -> None:
        """Those of a group that has left take it until the group is forgotten."""
        store.recover()
        write(store, FIRST, SECOND)
        before = store.waiting.bytes
        assert members(store, 8, LEFT) == [b"m1", b"m2"]
        assert not store.waiting.has(8)
        assert (store.waiting.bytes, store.waiting.loaded) == (before, 0)

        assert members(store, 7, LEFT) == [b"m1", b"m2"]
        assert store.waiting.loaded > 0
        assert store.waiting.has(7)
        store.forget(7, 0)
        assert (store.waiting.has(7), store.waiting.bytes, store.waiting.loaded) == (False, 0, 0)

    def test_the_members_of_a_dropped_group_go_with_it(self, store: ShardStore) -> None:
        store.recover()
        changes = {Table.GROUPS: Changes(gone=[2]), Table.LEFT: Changes([(8, b"left")])}
        write(store, FIRST, SECOND, Commit(3, b"h3", changes, dropped=[2]))

        assert members(store, 8, Kept(row=2)) == []
        assert members(store, 7, LEFT) == [b"m1", b"m2"]
