"""A short run of `make chaos`: many faults at once, and no message is lost or stored twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import report
from tests.chaos.run import RunPlan, run
from tests.chaos.schedule import KINDS
from tests.chaos.world import ChaosWorld

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

SLOW = (
    "broker restarted",
    "queue deleted",
    "store restarted",
    "store kill -9",
    "consumer timeout",
)
"""Kinds of faults that take ten seconds each."""


@pytest.fixture(scope="module")
def world() -> Iterator[ChaosWorld]:
    with ChaosWorld() as world:
        yield world


@pytest.mark.parametrize(("shape", "aggregate"), [("threads", "documents"), ("one", "windows")])
def test_no_message_is_lost_or_stored_twice_with_all_faults(
    world: ChaosWorld, tmp_path: Path, shape: str, aggregate: str
) -> None:
    """The seed that it prints repeats it, also for longer."""
    quick = tuple(kind for kind in KINDS if kind not in SLOW)

    result = run(world, RunPlan(3, 10.0, shape, aggregate, rate=1000, kinds=quick), tmp_path)

    assert result.faults.total() > 5
    assert result.good, "\n".join(report.lines(result))
