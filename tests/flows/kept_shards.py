"""Drives a shard with state in tests: what it takes in, its commits, and the next process."""

from __future__ import annotations

from typing import Any

from connectors.message import Outcomes
from flows.groups.kept_shard import KeptShard
from flows.state.commit import Commit, Recovered
from flows.summaries.functions.function import Function
from flows.summaries.reducers import Tally
from tests.flows.members import member
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
