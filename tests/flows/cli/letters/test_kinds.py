"""Dead letters by the kind of their reason."""

from __future__ import annotations

from datetime import timedelta

from flows.cli.letters.kinds import Kinds
from tests.flows.cli.letters.dead_letters import NOW, letter


def test_reasons_that_differ_in_ids_are_one_kind_and_the_most_frequent_comes_first() -> None:
    kinds = Kinds()
    kinds.add([letter("late: 7 s", 10), letter("bad: 'a'", 30, {"x-hopper-index": "i"})])
    kinds.add([letter("bad: 'b'", 20, {"x-hopper-replays": 1, "x-delivery-count": 3})])

    bad, late = kinds.sorted()

    assert (bad.kind, bad.count, bad.indices, bad.replayed) == ("bad", 2, ["i"], 1)
    assert bad.oldest == NOW - timedelta(seconds=30)
    assert bad.newest == NOW - timedelta(seconds=20)
    assert (late.kind, late.count) == ("late: … s", 1)
    assert kinds.most_deliveries == 3
