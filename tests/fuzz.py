"""Tries many more inputs than the tests do on what reads bytes from outside, and counts them.

python -m tests.fuzz [inputs of each kind, 10000 if not given]
"""

from __future__ import annotations

import sys
import time
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from tests.connectors import test_rabbitmq_fuzz

MODULES = [test_rabbitmq_fuzz]


def main(inputs: int) -> None:
    total, began = 0, time.monotonic()
    for module in MODULES:
        for name, test in vars(module).items():
            if name.startswith("test_"):
                count = _run(test, inputs)
                total += count
                print(f"{count:8} {name[len('test_') :].replace('_', ' ')}")
    print(f"{total:8} inputs in {time.monotonic() - began:.0f} s, none of them harmful")


def _run(test: Any, inputs: int) -> int:
    """Run a test of Hypothesis so often; its error, if there is one, ends the program."""
    tried = 0
    inner = test.hypothesis.inner_test

    def counted(*arguments: Any, **keywords: Any) -> None:
        nonlocal tried
        tried += 1
        inner(*arguments, **keywords)

    test.hypothesis.inner_test = counted
    checks = list(HealthCheck)
    phases = [Phase.explicit, Phase.generate, Phase.shrink]
    settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        suppress_health_check=checks,
        phases=phases,
    )(test)()
    test.hypothesis.inner_test = inner
    return tried


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
