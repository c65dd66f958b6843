"""Lets faults happen at once, except those that need others to be over."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager


class Truce:
    """Between the lanes; one fault at a time may need quiet, so two never block each other."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._going_on: set[str] = set()
        self._quiet: frozenset[str] = frozenset()

    @contextmanager
    def breaking(self, lane: str, quiet: Collection[str] = ()) -> Iterator[None]:
        """A fault of a lane lasts for this block; none happens in the lanes that must be quiet."""
        with self._changed:
            self._changed.wait_for(lambda: lane not in self._quiet and not (quiet and self._quiet))
            if quiet:
                self._quiet = frozenset(quiet) - {lane}
            self._changed.wait_for(lambda: not (quiet and self._quiet & self._going_on))
            self._going_on.add(lane)
        try:
            yield
        finally:
            with self._changed:
                self._going_on.remove(lane)
                if quiet:
                    self._quiet = frozenset()
                self._changed.notify_all()
