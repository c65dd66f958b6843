"""The faults of a seed, in their order, with their durations.

Pure. Several lanes run at the same time, so that faults coincide: faults of the job, of the broker,
of Elasticsearch, of the connections to both, refusals by Elasticsearch, and faults of the state.
What needs an empty queue comes after all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from random import Random
from typing import NamedTuple

LANES = {
    "job": ("kill -9", "SIGTERM"),
    "broker": ("broker restarted", "broker short of memory"),
    "way to the broker": (
        "broker connections cut",
        "broker connections slow",
        "broker connections half-open",
    ),
    "store": ("store restarted", "store kill -9"),
    "what the store refuses": (
        "429 for items",
        "429 for requests",
        "index closed for writing",
        "disk full",
        "larger than a request",
        "processor fails",
        "refused by a proxy",
    ),
    "way to the store": (
        "store connections cut",
        "store connections slow",
        "store connections half-open",
        "consumer timeout",
    ),
    "state": ("disk of the state full", "kill -9 in a commit"),
}
AT_THE_END = ("queue deleted",)
"""Kinds that need an empty queue, since the messages of a deleted one are lost. A run empties its
queue when the lanes are over; to empty it before would stop all of them for half a minute."""
KINDS = (*chain.from_iterable(LANES.values()), *AT_THE_END)
OF_MESSAGES = ("larger than a request", "processor fails", "refused by a proxy")
"""Kinds that need a message which is a document of its own."""

QUIET = {"consumer timeout": ("job", "broker", "way to the broker", "state")}
"""Lanes in which no fault may happen meanwhile: a message that another fault requeues never gets
old enough for the consumer timeout."""
PAUSES = {
    "job": (4.0, 9.0),
    "broker": (3.0, 7.0),
    "way to the broker": (2.0, 6.0),
    "store": (4.0, 8.0),
    "what the store refuses": (0.3, 1.5),
    "way to the store": (0.5, 2.5),
    "state": (3.0, 7.0),
}
"""Seconds between two faults of a lane. The job needs some to fill its prefetch; and it makes
progress only while Elasticsearch is available."""
LASTS = (0.5, 2.0)
"""The duration in seconds of a fault that does not end by itself."""


class ScheduledFault(NamedTuple):
    """One fault."""

    kind: str
    after: float
    """Seconds after the end of the previous fault of its lane."""
    lasts: float
    """Its duration in seconds."""
    draw: float
    """From 0 to 1: selects the target, if there are several."""


def schedule(seed: int, lane: str, kinds: tuple[str, ...] = KINDS) -> Iterator[ScheduledFault]:
    """The faults of a lane, without end; each kind comes once before any is repeated."""
    draw = Random(f"{seed} {lane}")
    possible = [kind for kind in LANES[lane] if kind in kinds]
    while possible:
        draw.shuffle(possible)
        for kind in possible:
            yield ScheduledFault(
                kind, draw.uniform(*PAUSES[lane]), draw.uniform(*LASTS), draw.random()
            )


def possible(kinds: Iterable[str], durable: bool) -> tuple[str, ...]:
    """Those that can happen to a job, which may keep its groups in a folder."""
    impossible = OF_MESSAGES if durable else LANES["state"]
    return tuple(kind for kind in kinds if kind not in impossible)


def rarest(
    faults: Mapping[str, int], times: int, kinds: Collection[str] = KINDS
) -> tuple[str, ...]:
    """Those of the kinds that have happened less often; all of a lane without such a kind.

    A lane goes on, so that faults coincide; what comes at the end needs no more than that often.
    """

    def rare(among: Iterable[str]) -> list[str]:
        return [kind for kind in among if kind in kinds and faults.get(kind, 0) < times]

    lanes = ([kind for kind in lane if kind in kinds] for lane in LANES.values())
    return (*chain.from_iterable(rare(lane) or lane for lane in lanes), *rare(AT_THE_END))
