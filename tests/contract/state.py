"""The contract of a store of a shard (`flows.state.commit.ShardStore`)."""

from __future__ import annotations

from flows.state.commit import Changes, Commit, Recovered, ShardStore, Table
from tests.waiting import until

FIRST = Commit(
    1,
    b"h1",
    {
        Table.GROUPS: Changes([(1, b"a1"), (2, b"b1")]),
        Table.NAMES: Changes([(1, b"names 1")]),
    },
)
SECOND = Commit(
    2,
    b"h2",
    {
        Table.GROUPS: Changes([(2, b"b2"), (3, b"c2")], [1]),
        Table.LEFT: Changes([(7, b"left")]),
        Table.NAMES: Changes([(2, b"names 2")], [1]),
    },
)
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
        store.forget(7)
        store.close()

        assert reopened.recover() == WITHOUT_LEFT
