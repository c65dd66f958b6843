"""The scenarios: a queue, a sink, the contenders, and the goals of Hopper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bench.run import Contender

ACKNOWLEDGES = Contender("acknowledges only", ("-m", "bench.acknowledge"))
HOPPER = Contender("Hopper", ("-m", "bytewax.run", "flows.pipeline"))
HOPPER_WITH_IDS = HOPPER._replace(name="Hopper, messages with ids", ids=True)
HOPPER_REDUCES = HOPPER._replace(name="Hopper, by and reduce", pipeline="bench/reduce.yaml")
HOPPER_REDUCES_WITH_IDS = HOPPER_REDUCES._replace(
    name="Hopper, by and reduce, messages with ids", ids=True
)
HOPPER_KEEPS = HOPPER_REDUCES_WITH_IDS._replace(
    name="Hopper, by and reduce, messages with ids, state", pipeline="bench/state.yaml"
)
HOPPER_COMPRESSES = HOPPER._replace(name="Hopper, compress: gzip", pipeline="bench/compress.yaml")
BY_HAND = Contender("hand-written script", ("-m", "bench.by_hand"))


class BenchResult(NamedTuple):
    """The medians over all rounds."""

    rate: float
    """Messages a second."""
    cpu_microseconds: float
    """For each message."""
    memory_bytes: float
    rate_of_bound: float
    """The ratio to the rate of the contender that only acknowledges, in the same round: machines
    change their speed from minute to minute."""
    cpu_of_hand: float
    """The ratio to the CPU of the hand-written script, in the same round."""


Results = Mapping[Contender, BenchResult]


class BenchTarget(NamedTuple):
    """A goal of Hopper."""

    text: str
    limit: float
    at_least: bool
    """Else at most."""
    value: Callable[[Results], float]

    def reached(self, results: Results) -> bool:
        """Whether these results reach it."""
        value = self.value(results)
        return value >= self.limit if self.at_least else value <= self.limit


class Scenario(NamedTuple):
    """A queue and a sink."""

    name: str
    title: str
    queue_arguments: Mapping[str, Any]
    real: bool
    """The sink is the real Elasticsearch, not the stub."""
    contenders: tuple[Contender, ...]
    targets: tuple[BenchTarget, ...]


HAND_MICROSECONDS = 26
"""The CPU of the hand-written script for a message, on the machine for which the goals were set."""


def _cpu(limit: float) -> BenchTarget:
    return BenchTarget(
        f"at most {limit:g} µs of CPU a message where the hand-written script takes "
        f"{HAND_MICROSECONDS}: this ratio to it",
        limit / HAND_MICROSECONDS,
        False,
        lambda results: results[HOPPER].cpu_of_hand,
    )


_MEMORY = BenchTarget(
    "at most 68 MiB resident", 68, False, lambda results: results[HOPPER].memory_bytes / 2**20
)


def _of_bound(contender: Contender, limit: float) -> BenchTarget:
    return BenchTarget(
        f"{contender.name}: at least {limit:g} of the rate of the consumer that only acknowledges",
        limit,
        True,
        lambda results: results[contender].rate_of_bound,
    )


_FEW = (ACKNOWLEDGES, HOPPER, BY_HAND)
_ALL = (
    ACKNOWLEDGES,
    HOPPER,
    HOPPER_WITH_IDS,
    HOPPER_REDUCES,
    HOPPER_REDUCES_WITH_IDS,
    BY_HAND,
)

SCENARIOS = (
    Scenario(
        "classic-stub",
        "Durable classic queue → stub",
        {},
        False,
        _ALL,
        (_of_bound(HOPPER, 0.9), _of_bound(HOPPER_REDUCES, 0.6), _cpu(5), _MEMORY),
    ),
    Scenario(
        "quorum-stub",
        "Quorum queue → stub",
        {"x-queue-type": "quorum"},
        False,
        _ALL,
        (_of_bound(HOPPER, 0.75), _of_bound(HOPPER_REDUCES, 0.4), _cpu(5), _MEMORY),
    ),
    Scenario(
        "state",
        "Durable classic queue → stub, with `state`",
        {},
        False,
        (ACKNOWLEDGES, HOPPER_REDUCES_WITH_IDS, HOPPER_KEEPS, BY_HAND),
        (
            _of_bound(HOPPER_KEEPS, 0.6),
            BenchTarget(
                "at least the rate without `state`",
                1,
                True,
                lambda results: results[HOPPER_KEEPS].rate / results[HOPPER_REDUCES_WITH_IDS].rate,
            ),
        ),
    ),
    Scenario(
        "classic-elasticsearch",
        "Durable classic queue → Elasticsearch",
        {},
        True,
        _FEW,
        (
            BenchTarget(
                "at least 1.3 of the rate of the hand-written script",
                1.3,
                True,
                lambda results: results[HOPPER].rate / results[BY_HAND].rate,
            ),
            _cpu(7),
        ),
    ),
)
