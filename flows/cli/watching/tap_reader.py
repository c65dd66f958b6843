"""Reads samples from processes, each in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

import msgspec

from connectors.errors import Unavailable
from flows.cli.processes import events
from flows.tap.samples import Sample
from flows.tap.subscription import TapCounts

WAITING = 100
"""Samples that wait to be shown. When there are more, the process drops new ones, and counts."""


CLOSED_WITHIN = 1.0
"""Seconds between two looks at whether to end, while there is no room."""


class TapReader:
    """The samples of several processes; the end of the `with` block ends the reading."""

    def __init__(self, urls: Sequence[str], token: str) -> None:
        """Begin to read the streams at `urls`."""
        self._events: queue.Queue[Sample | str] = queue.Queue(WAITING)
        self._counts: dict[str, TapCounts] = {}
        self._reading = len(urls)
        self._closed = threading.Event()
        for url in urls:
            threading.Thread(target=self._read, args=(url, token), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()

    def take(self, seconds: float) -> Sample | str | None:
        """Return the next sample, or why a process sends no more; `None`: nothing within `seconds`.

        Raises:
            Unavailable: no process sends any more.
        """
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(event, str):
            self._reading -= 1
            if not self._reading:
                raise Unavailable(event)
        return event

    def counts(self) -> TapCounts:
        """Return the sums of what the processes have counted last."""
        counts = [*self._counts.copy().values()]
        return TapCounts(
            sum(one.passed for one in counts),
            sum(one.sampled for one in counts),
            sum(one.dropped for one in counts),
        )

    def _read(self, url: str, token: str) -> None:
        try:
            for data in events(url, token):
                event = _decode(url, data)
                if isinstance(event, TapCounts):
                    self._counts[url] = event
                else:
                    self._put(event)
                if self._closed.is_set():
                    return
            problem = f"{url.partition('?')[0]} has ended the stream"
        except Unavailable as error:
            problem = str(error)
        self._put(problem)

    def _put(self, event: Sample | str) -> None:
        """Wait for room, and so let the process wait, which then drops samples."""
        waiting = True
        while waiting and not self._closed.is_set():
            with suppress(queue.Full):
                self._events.put(event, timeout=CLOSED_WITHIN)
                waiting = False


def _decode(url: str, data: bytes) -> Sample | TapCounts:
    try:
        event: Sample | TapCounts = msgspec.json.decode(data, type=Sample | TapCounts)
    except msgspec.DecodeError as error:
        raise Unavailable(f"{url} is of another version of Hopper: {error}") from None
    return event
