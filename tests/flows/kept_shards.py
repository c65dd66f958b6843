"""Drives a shard with state in tests: what it takes in, its commits, and the next process."""

from __future__ import annotations

from typing import Any

from connectors.message import Message, Outcomes
from flows.groups.kept_shard import KeptShard
from flows.groups.make_kept_shard import make_kept_shard
from flows.groups.rules import Rules
from flows.state.commit import Commit, Recovered
from flows.summaries.functions.function import Function
from flows.summaries.reducers import Tally
from flows.values.group import Group, Member
from tests.flows.members import WITH_KEYS, member
from tests.kept_state import MemoryShard

TALLY = Tally({"numbers": Function("list", "n")}, {"n": 0})


def sent(tag: int, key: str = '"a"', **fields: Any) -> Any:
    return member(tag, key, message_id=f"m{tag}", values=(tag,), **fields)


def commit(some: KeptShard, now: float) -> Commit:
    made = some.commit(now)
    assert made is not None
    return made


def recovered(*commits: Commit) -> Recovered:
    store = MemoryShard(lambda: True)
    for each in commits:
        store.write(each)
    return store.recover()


def kept(leaving: Any) -> list[int]:
    return [tag for one in leaving if isinstance(one, Outcomes) for tag in one.kept]


def rejected(some: KeptShard, now: float) -> list[str]:
    """Make durable what waits; return the reasons of the messages that are rejected then."""
    commit(some, now)
    outcomes = [one for one in some.durable() if isinstance(one, Outcomes)]
    parts = [part.rejected for one in outcomes for part in one.parts]
    alone = [each for one in outcomes for each in one.rejected]
    return [each.rejection.reason for each in (*alone, *parts) if each is not None]


class OneShard:
    """A shard, and what is durable of it."""

    def __init__(self, store: MemoryShard | None = None, **rules: Any) -> None:
        self.store = store or MemoryShard(lambda: True)
        self.shard = make_kept_shard(Rules(**WITH_KEYS, **rules), 1.0, "t0ken", alone)
        self.begun = self.shard.recover(self.store.recover(), 10.0, "7")

    def take(self, *numbers: int, now: float = 10.3, **fields: Any) -> None:
        taken = [sent(number, **fields) for number in numbers]
        assert self.shard.add(taken, now) == []

    def commit(self) -> Commit:
        self.shard.release(self.store.waiting.has)
        made = commit(self.shard, 1e10)
        self.store.write(made)
        return made

    def leaving(self, *, also: int = 0) -> list[Group]:
        """Commit, and return the groups that leave: `also` so many without members to read."""
        self.commit()
        left = [one for one in self.shard.durable() if isinstance(one, Group)]
        assert len(left) == also
        return [*left, *self.read()]

    def read(self) -> list[Group]:
        while self.shard.unread:
            group = self.shard.next_to_read()
            assert group.kept is not None
            self.store.load(group.number, group.kept)
        return [group for one in self.store.take_loaded() for group in self.shard.loaded(one)]


def alone(one: Member) -> Message:
    return Message(0, False, b"", b"", b"only %d" % one.part[0] if one.part else b"")
