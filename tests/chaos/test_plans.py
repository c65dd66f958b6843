"""Which run comes next, and how results are recorded; no servers are needed."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from tests.chaos.aggregates import AGGREGATES
from tests.chaos.checker import compare
from tests.chaos.messages import MessageMaker
from tests.chaos.plans import Goal, by_turns, until
from tests.chaos.records import keep, read
from tests.chaos.run import RunPlan, RunResult
from tests.chaos.schedule import AT_THE_END, KINDS, LANES, OF_MESSAGES, possible

JOBS = [("one", "documents"), ("cluster", "windows")]
FIRST = RunPlan(7, 40.0, *JOBS[0], rate=1000)


def result(published: int, faults: dict[str, int], plan: RunPlan = FIRST) -> RunResult:
    """The result of a run without errors."""
    messages = MessageMaker(plan.seed, keyed=False, reduced=False)
    stored = [n for n in range(published) if not messages.rejected(n)]
    parked = {n: messages.rejected(n) for n in range(published) if messages.rejected(n)}
    verdict = compare(messages, published, (), AGGREGATES["documents"], stored, parked)
    return RunResult(plan, Counter(faults), verdict, 1.5, 1, 0, 0, [0], [])


def test_jobs_take_turns_and_each_run_has_a_seed_of_its_own() -> None:
    plans = islice(by_turns(FIRST, JOBS, skipped=1), 3)

    planned = [(plan.seed, plan.shape, plan.aggregate) for plan in plans]

    assert planned == [(8, *JOBS[1]), (9, *JOBS[0]), (10, *JOBS[1])]


def test_runs_continue_until_each_kind_and_enough_messages_are_reached() -> None:
    done: list[RunResult] = []
    plans = until(Goal(times=3, messages=2000), by_turns(FIRST, JOBS), done)

    for published, times in ((1000, 2), (1000, 0), (0, 1)):
        plan = next(plans)
        assert plan.kinds == KINDS
        done.append(result(published, dict.fromkeys(KINDS, times), plan))

    assert next(plans, None) is None


def test_faults_that_happened_often_enough_are_left_out() -> None:
    done = [result(10, dict.fromkeys(("kill -9", *LANES["store"]), 50))]

    kinds = next(until(Goal(times=50, messages=0), by_turns(FIRST, JOBS), done)).kinds

    assert [kind for kind in kinds if kind in LANES["job"]] == ["SIGTERM"]
    assert [kind for kind in kinds if kind in LANES["store"]] == [*LANES["store"]]


def test_what_comes_at_the_end_of_a_run_is_left_out_by_itself() -> None:
    often = [result(10, dict.fromkeys(KINDS, 50))]
    rarely = [result(10, dict.fromkeys(KINDS, 49))]
    goal = Goal(times=50, messages=20)

    left_out, left = (next(until(goal, by_turns(FIRST, JOBS), done)) for done in (often, rarely))

    assert {*KINDS}.difference(left_out.kinds) == {*AT_THE_END}
    assert left.kinds == KINDS


def test_only_faults_that_can_happen_to_the_jobs_must_happen() -> None:
    kinds = possible(KINDS, durable=True)
    assert {*kinds} == {*KINDS} - {*OF_MESSAGES}
    assert {*possible(KINDS, durable=False)} == {*KINDS} - {*LANES["state"]}
    done = [result(10, dict.fromkeys(kinds, 20))]
    goal = Goal(times=20, messages=20, kinds=kinds)

    plans = until(goal, by_turns(FIRST, JOBS), done)

    assert {*next(plans).kinds} == {*kinds}.difference(AT_THE_END)
    done.append(result(10, {}))
    assert next(plans, None) is None


def test_recorded_results_are_read(tmp_path: Path) -> None:
    path = tmp_path / "records"
    assert read(path) == []
    runs = [result(1000, {"kill -9": 2}), result(0, {})]
    for each in runs:
        keep(each, path)

    assert read(path) == runs
