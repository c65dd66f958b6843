"""Serves samples of what passes, as server-sent events: `/tap?at=read&rate=10`.

A reader has a thread of its own, and may be slow: only its own samples are dropped then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from flows.tap.points import Taps
from flows.tap.samples import Place
from flows.tap.subscription import TapSubscription

EVERY = 1.0
"""Seconds between two counts at most; by sending them the stream notices a reader that is gone."""
DEFAULT_RATE, MAX_RATE = 10, 100
"""Samples a second."""


class TapRequest(msgspec.Struct):
    """What a reader asks for."""

    at: Place
    rate: int = DEFAULT_RATE
    keys: Sequence[str] | None = None
    """Only groups of these keys, in canonical JSON; `None`: of all."""

    def __post_init__(self) -> None:
        if not 1 <= self.rate <= MAX_RATE:
            raise ValueError(f"rate must be from 1 to {MAX_RATE}")
        if self.keys is not None and self.at == "dead-letter":
            raise ValueError("dead letters have no key: ask without one")


def tap_request(query: Mapping[str, Sequence[str]]) -> TapRequest:
    """Read the parameters of a request: `at`, `rate`, and `key`, which may be given several times.

    Raises:
        ValueError: one is wrong.
    """
    single = {name: values[-1] for name, values in query.items() if name in ("at", "rate")}
    keys = {"keys": query["key"]} if "key" in query else {}
    return msgspec.convert(single | keys, TapRequest, strict=False)


class TapStream:
    """The samples of one reader, each as an event, and at least one event of counts a second."""

    def __init__(self, taps: Taps, place: Place, subscription: TapSubscription) -> None:
        self._taps, self._place, self._subscription = taps, place, subscription

    def __iter__(self) -> Iterator[bytes]:
        """Yield events; waits between them."""
        while True:
            samples, counts = self._subscription.take(EVERY)
            for event in (counts, *samples):
                yield b"data: " + msgspec.json.encode(event) + b"\n\n"

    def close(self) -> None:
        """End the sampling."""
        self._taps.unsubscribe(self._place, self._subscription)


def tap_stream(taps: Taps, query: Mapping[str, Sequence[str]]) -> TapStream | None:
    """Begin to take samples; `None`: there are too many readers.

    Raises:
        ValueError: a parameter is wrong.
    """
    request = tap_request(query)
    subscription = taps.subscribe(request.at, request.rate, request.keys)
    return None if subscription is None else TapStream(taps, request.at, subscription)
