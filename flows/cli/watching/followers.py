"""Follows the snapshots of processes, each in a thread of its own, and reconnects for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Self

import msgspec

from connectors.errors import Unavailable
from flows.cli.processes import events
from flows.cli.watching.job_now import JobNow, job_now
from flows.cli.watching.snapshot import Followed, Snapshot, others_of_cluster

RETRY_AFTER = 1.0
"""Seconds until the next attempt to reach a process that does not answer."""


class Followers:
    """The latest snapshots of the processes of a job; the end of the `with` block forgets them."""

    def __init__(self, job: str, urls: Sequence[str], retry_after: float = RETRY_AFTER) -> None:
        """Begin to follow the processes at `urls`."""
        self._job, self._retry_after = job, retry_after
        self._changed, self._closed = threading.Condition(), threading.Event()
        self._followed: dict[str, Followed] = {}
        self.add(urls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()

    def add(self, urls: Sequence[str]) -> None:
        """Follow further processes."""
        for url in urls:
            self._followed[url] = Followed(url)
            threading.Thread(target=self._follow, args=(url,), daemon=True).start()

    def add_cluster(self) -> None:
        """Follow the other processes of the cluster too."""
        self.add(others_of_cluster(self.followed))

    def now(self) -> JobNow:
        """Return the view of the job."""
        return job_now(self._job, self.followed, time.monotonic())

    @property
    def followed(self) -> list[Followed]:
        """What is known of each process."""
        with self._changed:
            return [*self._followed.values()]

    def wait(self, snapshots: int, seconds: float) -> None:
        """Wait until each process has sent so many snapshots, one or two, or does not answer."""

        def have_answered() -> bool:
            return all(
                one.problem or (one.latest if snapshots == 1 else one.before)
                for one in self._followed.values()
            )

        with self._changed:
            self._changed.wait_for(have_answered, seconds)

    def _follow(self, url: str) -> None:
        while not self._closed.is_set():
            try:
                for data in events(f"{url}/events"):
                    if self._closed.is_set():
                        return
                    self._receive(url, data)
                problem = f"{url} has ended the stream"
            except Unavailable as error:
                problem = str(error)
            self._note(self._followed[url]._replace(problem=problem))
            self._closed.wait(self._retry_after)

    def _receive(self, url: str, data: bytes) -> None:
        """Note a snapshot.

        Raises:
            Unavailable: it is none, or of another job.
        """
        try:
            snapshot = msgspec.json.decode(data, type=Snapshot)
        except msgspec.DecodeError as error:
            raise Unavailable(f"{url} is of another version of Hopper: {error}") from None
        if snapshot.job != self._job:
            raise Unavailable(f"{url} is a process of {snapshot.job!r}, not of {self._job}")
        self._note(self._followed[url].receive(snapshot, time.monotonic()))

    def _note(self, followed: Followed) -> None:
        with self._changed:
            self._followed[followed.url] = followed
            self._changed.notify_all()
