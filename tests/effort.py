"""How much the tests with random inputs try: most in CI, less in `make test`, least at home."""

from __future__ import annotations

import os
from typing import NamedTuple


class Effort(NamedTuple):
    """How many inputs such a test tries."""

    examples: int
    """Of a property: Hypothesis draws others in each run."""
    seeds: int
    """Simulated worlds, from seed 0 on."""


def effort() -> Effort:
    """Return what this run may cost; `make test` sets `HOPPER_LIVE`."""
    if "CI" in os.environ:
        return Effort(examples=100, seeds=200)
    if "HOPPER_LIVE" in os.environ:
        return Effort(examples=20, seeds=40)
    return Effort(examples=10, seeds=5)


EFFORT = effort()
