"""The samples for one reader, between the threads of the dataflow and the thread of the reader.

A thread of the dataflow never waits for the reader: when the buffer is full, samples are dropped
and counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import TypeVar

import msgspec

from flows.tap.samples import Sample
from flows.tap.sampling import Allowance, Values, each, spread

V = TypeVar("V")

BUFFER = 100
"""Samples that wait for a reader."""


class TapCounts(msgspec.Struct, tag_field="place", tag="counts"):
    """What has happened since the reader began."""

    passed: int
    """Values that have passed at the place."""
    sampled: int
    dropped: int
    """Samples for which the buffer had no room, since the reader is slow."""


class TapSubscription:
    """The samples for one reader."""

    def __init__(self, rate: int, keys: Collection[str] | None, now: float) -> None:
        """`rate`: samples a second, at most; `keys`: only of these groups; `None`: of all."""
        self._allowance, self._keys = Allowance(rate, now), keys
        self._changed = threading.Condition()
        self._buffer: list[Sample] = []
        self._passed = self._sampled = self._dropped = 0

    def offer(
        self,
        values: Values[V],
        key: Callable[[V], str | None],
        sample: Callable[[V, float], Sample],
        now: float,
    ) -> None:
        """Sample some of the values that pass now."""
        with self._changed:
            self._passed += len(values)
            left = self._allowance.left(now)
            if not left:
                return
            if self._keys is not None:
                values = [one for one in each(values) if key(one) in self._keys]
            chosen = spread(values, left, self._passed)
            self._allowance.use(len(chosen))
            kept = chosen[: BUFFER - len(self._buffer)]
            self._buffer += [sample(value, now) for value in kept]
            self._sampled += len(kept)
            self._dropped += len(chosen) - len(kept)
            if kept:
                self._changed.notify()

    def take(self, seconds: float) -> tuple[list[Sample], TapCounts]:
        """Return new samples, and the counts; wait at most so many seconds for a sample."""
        with self._changed:
            self._changed.wait_for(lambda: self._buffer, seconds)
            samples, self._buffer = self._buffer, []
            return samples, TapCounts(self._passed, self._sampled, self._dropped)
