"""Which lines of the log are left out."""

from __future__ import annotations

from math import inf

from flows.process.log_limit import LeftOut, LogLimit


def test_a_kind_is_limited_within_its_period() -> None:
    limit = LogLimit[str](max_lines=2, period=10)

    assert [limit.admit("a", now) for now in (0, 1, 2, 9)] == [True, True, False, False]
    assert [*limit.ended(9.9)] == []
    assert [*limit.ended(10)] == [LeftOut("a", 2)]
    assert limit.admit("a", 10)


def test_kinds_do_not_share_a_limit() -> None:
    limit = LogLimit[str](max_lines=1, period=10)

    assert [limit.admit(kind, 0) for kind in "abab"] == [True, True, False, False]
    assert [*limit.ended(inf)] == [LeftOut("a", 1), LeftOut("b", 1)]


def test_a_period_without_too_many_lines_is_not_reported() -> None:
    limit = LogLimit[str](max_lines=2, period=10)
    limit.admit("a", 0)

    assert [*limit.ended(10)] == []
    assert [limit.admit("a", now) for now in (10, 19, 19.5)] == [True, True, False]


def test_what_was_left_out_is_reported_once() -> None:
    limit = LogLimit[str](max_lines=0, period=10)
    limit.admit("a", 0)

    assert [*limit.ended(10)] == [LeftOut("a", 1)]
    assert [*limit.ended(20)] == []
