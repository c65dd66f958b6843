"""Makes one connection for one task, such as the check at the start, and closes it.

It waits until the task is done, or raises `Unavailable`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import inf
from types import MappingProxyType

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors.errors import Unavailable
from connectors.rabbitmq.link import Link, Preparation
from connectors.rabbitmq.refusal import Remedies
from connectors.rabbitmq.wire import BatchConnection
from connectors.retry import Backoff

LOG = logging.getLogger("hopper.rabbitmq")


class Visit:
    """One connection, to the first of several URLs that accepts the login."""

    TRIES = 5
    WAIT = Backoff(0.25, 2.0)

    def __init__(
        self,
        urls: Sequence[str],
        name: str,
        preparations: Sequence[Preparation] = (),
        *,
        seconds: float = inf,
        remedies: Remedies = MappingProxyType({}),
    ) -> None:
        """`name`: for the broker's list of connections; `seconds`: the time limit of the visit.

        `remedies`: for errors with which the broker closes the channel.
        """
        self.loop = IOLoop()
        self._link = Link(self.loop, urls, name, preparations, self, self.WAIT, remedies=remedies)
        self._urls, self._seconds, self._failures = len(urls), seconds, list[str]()
        self._refused: dict[str, None] = {}
        self._begin: Callable[[BatchConnection, Channel], None] = lambda _connection, _channel: None
        self._ended, self._error = False, ""

    @property
    def address(self) -> str:
        """Where it goes, for people."""
        return self._link.address

    def make(self, begin: Callable[[BatchConnection, Channel], None]) -> None:
        """Connect, `begin` the errand, and wait until it says that it is `done`.

        A broker that is just starting is tried five times; one that refuses is not.

        Raises:
            Unavailable: there is no connection, it was lost, or the errand failed or took too long.
        """
        self._begin = begin
        try:
            self._link.open()
            if self._seconds < inf:
                self.loop.call_later(self._seconds, self._give_up)
            self.loop.start()
        except (OSError, ValueError, SyntaxError) as error:
            # What follows the ? of a URL is read by pika, certificates among it.
            raise Unavailable(f"RabbitMQ, {self.address}: {error}") from None
        finally:
            self.loop.close()
        if self._error:
            raise Unavailable(f"RabbitMQ, {self._error}")

    def done(self) -> None:
        """Leave: everything that was sent has reached the broker when `make` returns."""
        self._ended = True
        self._link.close(self.loop.stop)

    def fail(self, error: str) -> None:
        """Leave, and say why; only the first reason counts."""
        self._error = self._error or error
        self.done()

    def link_ready(self, connection: BatchConnection, channel: Channel) -> None:
        """See `LinkOwner`."""
        self._begin(connection, channel)

    def link_down(self, reason: str, was_ready: bool, remedy: str) -> None:
        """See `LinkOwner`."""
        if self._ended:
            return
        failure = f"{self.address}: {reason}"
        if was_ready:
            self.fail(f"{failure}: {remedy}" if remedy else failure)
            return
        self._failures.append(failure)
        if remedy:
            self._refused[f"{failure}: {remedy}"] = None
        if len(self._refused) >= self._urls:
            self.fail("; ".join(self._refused))
        elif len(self._failures) >= self.TRIES:
            self.fail(f"after {self.TRIES} attempts: {'; '.join(dict.fromkeys(self._failures))}")
        elif self._seconds == inf:
            # An attempt may take many seconds; who waits reads why.
            tries = f"attempt {len(self._failures)} of {self.TRIES}"
            LOG.warning("no connection, %s, %s", tries, failure)

    def _give_up(self) -> None:
        """End the visit without closing the connection: a silent broker would not confirm it."""
        failure = f" {self._failures[-1]}" if self._failures else f" {self.address}"
        self._error = self._error or f"not done within {self._seconds:g} s:{failure}"
        self.loop.stop()
