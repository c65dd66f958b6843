"""The places in the flow where readers may take samples.

While there is no reader, a step tests one attribute for each batch: `subscriptions`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from connectors.connector import Source
from flows.tap import samples
from flows.tap.samples import Answered, Envelopes, Place, RejectedFrom, Sample
from flows.tap.sampling import Values
from flows.tap.subscription import TapSubscription
from flows.values.group import Group, Member

V = TypeVar("V")

MAX_TAPS = 4
"""Readers of one process at a time."""


class TapPoint(Generic[V]):
    """One place in the flow."""

    def __init__(
        self,
        sample: Callable[[V, float], Sample],
        key: Callable[[V], str | None] = lambda _value: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`sample`: makes a sample of a value; `key`: returns the key of its group."""
        self._sample, self._key, self._clock = sample, key, clock
        self.subscriptions: tuple[TapSubscription, ...] = ()
        """Replaced by one assignment, so any thread may read it."""

    def offer(self, values: Values[V]) -> None:
        """Let each reader sample some of the values that pass now."""
        now = self._clock()
        for subscription in self.subscriptions:
            subscription.offer(values, self._key, self._sample, now)

    def subscribe(self, rate: int, keys: Collection[str] | None) -> TapSubscription:
        """Add a reader; see `TapSubscription`."""
        subscription = TapSubscription(rate, keys, self._clock())
        self.subscriptions = (*self.subscriptions, subscription)
        return subscription

    def unsubscribe(self, subscription: TapSubscription) -> None:
        """Remove a reader."""
        self.subscriptions = tuple(one for one in self.subscriptions if one is not subscription)


class Taps:
    """The places of one process."""

    def __init__(
        self, source: Source, index: str | None, clock: Callable[[], float] = time.time
    ) -> None:
        """`index`: of documents that name none; `clock`: returns seconds since 1970."""
        envelopes = Envelopes(source.queue_of, source.properties)
        self.read = TapPoint[Member](
            partial(samples.of_member, envelopes=envelopes), lambda member: member.key, clock
        )
        self.aggregate = TapPoint[Group](samples.of_group, lambda group: group.key, clock)
        self.write = TapPoint[Answered](
            partial(samples.of_document, index=index), lambda one: one.group.key, clock
        )
        self.dead_letter = TapPoint[RejectedFrom](
            partial(samples.of_rejected, envelopes=envelopes), clock=clock
        )
        self._points: Mapping[Place, TapPoint[Any]] = {
            "read": self.read,
            "aggregate": self.aggregate,
            "write": self.write,
            "dead-letter": self.dead_letter,
        }
        self._lock = threading.Lock()

    def subscribe(
        self, place: Place, rate: int, keys: Collection[str] | None
    ) -> TapSubscription | None:
        """Add a reader, from any thread; `None`: there are `MAX_TAPS` already."""
        with self._lock:
            readers = sum(len(point.subscriptions) for point in self._points.values())
            return None if readers >= MAX_TAPS else self._points[place].subscribe(rate, keys)

    def unsubscribe(self, place: Place, subscription: TapSubscription) -> None:
        """Remove a reader, from any thread."""
        with self._lock:
            self._points[place].unsubscribe(subscription)
