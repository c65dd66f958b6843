"""Decides what the log says about trouble: at once, then seldom, and when it is over.

Pure: `now` is an argument, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from connectors.elasticsearch.bulk import Again, Indigestible, Items

EVERY = 10.0
"""Seconds between two lines: often enough to see that it goes on, seldom enough to read."""


class Trouble:
    """What keeps Elasticsearch from taking documents, as its answers tell, one after the other."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._said_at = float("-inf")

    def hear(
        self,
        reading: Items | Again | Indigestible,
        now: float,
        next_try_at: float,
        waiting: Callable[[], int],
    ) -> tuple[int, str] | None:
        """Level and text of what the log should say after this answer, if anything.

        `waiting` counts the documents that wait; it is only asked when that is told.
        """
        reason = _reason(reading)
        if reason is None:
            return self._end(now)
        if self._since is None:
            self._since = now
        if now < self._said_at + EVERY:
            return None
        self._said_at = now
        return _level(reading), (
            f"Elasticsearch has not taken all documents for {now - self._since:.1f} s: {reason}; "
            f"{waiting()} wait, next try in {max(0.0, next_try_at - now):.1f} s"
        )

    def _end(self, now: float) -> tuple[int, str] | None:
        since, self._since = self._since, None
        if since is None or self._said_at < since:
            return None  # What was not heard of does not end.
        return logging.INFO, f"Elasticsearch takes documents again, after {now - since:.1f} s"


class Misfits:
    """Documents that are stored apart from the others of their data stream; see `Items.apart`."""

    def __init__(self) -> None:
        self._count = 0
        self._said_at = float("-inf")

    def hear(self, reading: Items | Again | Indigestible, now: float) -> tuple[int, str] | None:
        """Level and text of what the log should say after this answer, if anything.

        Nothing is parked of them, so whoever looks there alone would not hear of them.
        """
        if not isinstance(reading, Items) or not reading.apart:
            return None
        self._count += reading.apart
        if now < self._said_at + EVERY:
            return None
        self._said_at = now
        return logging.WARNING, (
            f"Elasticsearch has put documents that do not fit into the failure store of their data "
            f"stream, {self._count} so far; GET NAME::failures/_search shows why"
        )


def _reason(reading: Items | Again | Indigestible) -> str | None:
    """Why documents have to be sent again, if Elasticsearch is why."""
    if isinstance(reading, Again):
        return reading.reason if reading.status is None else f"{reading.status} {reading.reason}"
    if isinstance(reading, Items) and (refused := reading.throttled or reading.failed):
        return f"{refused[0].status} {refused[0].reason}"
    return None


def _level(reading: Items | Again | Indigestible) -> int:
    # Who is not let in now will not be let in later, unless somebody does something.
    shut_out = isinstance(reading, Again) and reading.status in (401, 403)
    return logging.ERROR if shut_out else logging.WARNING
