"""The results of runs in a file, one line of JSON each, so that they can be added up later."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.checker import RunVerdict
from tests.chaos.run import RunPlan, RunResult


def keep(result: RunResult, path: Path) -> None:
    """Append it to the file."""
    verdict = result.verdict._asdict()
    record = {**result._asdict(), "plan": result.plan._asdict(), "verdict": verdict}
    with path.open("a") as file:
        file.write(f"{json.dumps(record)}\n")


def read(path: Path) -> list[RunResult]:
    """All results in the file; none if it does not exist."""
    if not path.exists():
        return []
    return [_result(**json.loads(line)) for line in path.read_text().splitlines()]


def _result(
    plan: dict[str, Any], faults: dict[str, int], verdict: dict[str, Any], **others: Any
) -> RunResult:
    kinds = tuple(plan.pop("kinds"))
    return RunResult(RunPlan(**plan, kinds=kinds), Counter(faults), RunVerdict(**verdict), **others)
