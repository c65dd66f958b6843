"""What breaks, in which order and for how long: the same seed, the same faults.

Pure. Several lanes go on at the same time, so that faults meet: what is done to the job, to the
broker, to the store, and to the connections with each; and what the store refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from random import Random
from typing import NamedTuple

LANES = {
    "job": ("kill -9", "SIGTERM"),
    "broker": ("broker restarted", "broker short of memory", "queue deleted"),
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
}
KINDS = tuple(chain.from_iterable(LANES.values()))

QUIET: dict[str, tuple[str, ...]] = {
    "queue deleted": tuple(LANES),
    "consumer timeout": ("job", "broker", "way to the broker"),
}
"""Lanes in which nothing goes on meanwhile: a queue is emptied first, and messages that go back
for another reason are not old enough to be taken."""
PAUSES = {
    "job": (4.0, 9.0),
    "broker": (3.0, 7.0),
    "way to the broker": (2.0, 6.0),
    "store": (4.0, 8.0),
    "what the store refuses": (0.3, 1.5),
    "way to the store": (0.5, 2.5),
}
"""Seconds between two faults of a lane. It takes the job two to start, and some more to have as
much in its hands as it may; and it gets on only while the store is there."""
LASTS = (0.5, 2.0)
"""Seconds that a fault lasts which does not end by itself."""


class ScheduledFault(NamedTuple):
    """One thing that breaks."""

    kind: str
    after: float
    """Seconds since the fault before it in its lane was over."""
    lasts: float
    """Seconds."""
    draw: float
    """From 0 to 1: which one, where there are several."""


def schedule(seed: int, lane: str, kinds: tuple[str, ...] = KINDS) -> Iterator[ScheduledFault]:
    """The faults of a lane, without end; each kind comes once before any comes again."""
    draw = Random(f"{seed} {lane}")
    possible = [kind for kind in LANES[lane] if kind in kinds]
    while possible:
        draw.shuffle(possible)
        for kind in possible:
            yield ScheduledFault(
                kind, draw.uniform(*PAUSES[lane]), draw.uniform(*LASTS), draw.random()
            )


def rarest(faults: Mapping[str, int], times: int) -> tuple[str, ...]:
    """The kinds that have come less often; but all of a lane that has none, so that it goes on."""
    lanes = (
        [kind for kind in lane if faults.get(kind, 0) < times] or lane for lane in LANES.values()
    )
    return tuple(chain.from_iterable(lanes))
