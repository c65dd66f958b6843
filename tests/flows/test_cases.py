"""The cases of `tests/cases/`: what users of the Aggregator pattern expect, as data."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.cases import CaseRun, cases, matches

CASES = dict(cases())


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    """Exactly the expected outcomes happen, at the expected times; the rest is open at the end."""
    case: dict[str, Any] = CASES[name]

    life = CaseRun(case)

    missing = [one for one in case["expect"] if not any(matches(one, e) for e in life.events)]
    unexpected = [e for e in life.events if not any(matches(one, e) for one in case["expect"])]
    assert (missing, unexpected) == ([], [])
    assert len(life.events) == len(case["expect"])
    assert life.open == case.get("open", 0)


def test_there_are_cases_of_each_kind() -> None:
    """Each case names the product whose users expect it, and each rule has a case."""
    assert len(CASES) >= 60
    assert all(case["from"] for case in CASES.values())
    reasons = {one.get("by") for case in CASES.values() for one in case["expect"]}
    assert reasons >= {
        *("last", "until", "size", "count", "bytes", "time", "idle", "first"),
        *("window", "stop", "room", "alone", "late", "forced"),
    }
