"""A connection to RabbitMQ that comes back: connects, prepares, and starts over when it is lost.

All of it runs on the thread of its I/O loop. It consumes and publishes nothing itself.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors.rabbitmq.parameters import advice, parameters
from connectors.rabbitmq.refusal import (
    Remedies,
    causes,
    remedy,
    remedy_of_connection,
    reply_code,
)
from connectors.rabbitmq.wire import BatchConnection
from connectors.retry import Backoff

Done = Callable[[object], None]
FreshUrls = Callable[[], Sequence[str]]
"""Reads the URLs again from where they came from; empty: they cannot be read now."""


class Preparation(NamedTuple):
    """One request to the broker before the link is ready, on a channel of its own."""

    ask: Callable[[Channel, Done], object]
    """Sends the request, and passes `Done` on as its callback."""
    if_missing: Callable[[Channel, Done], object] | None = None
    """What to ask instead, on a new channel, when the broker says 404 NOT_FOUND."""
    remedies: Remedies = MappingProxyType({})
    """What helps when the broker refuses it."""


class LinkOwner(Protocol):
    """Who is told; every `link_ready` is followed by one `link_down`."""

    def link_ready(self, connection: BatchConnection, channel: Channel) -> None:
        """Everything is prepared; the channel is fresh."""

    def link_down(self, reason: str, was_ready: bool, remedy: str) -> None:
        """The connection is gone, or could not be made; unless closed, the link tries again.

        `remedy`: what helps, when the broker refuses what was asked; empty: waiting may help.
        """


class Link:
    """One connection and its successors, to the first of several URLs that lets us in."""

    STEADY = 60.0
    """Seconds a link must have been ready before its loss starts the back-off from the beginning:
    RabbitMQ's default heartbeat, so that a link it just dropped again is not hammered."""

    def __init__(
        self,
        loop: IOLoop,
        urls: Sequence[str],
        name: str,
        preparations: Sequence[Preparation],
        owner: LinkOwner,
        backoff: Backoff,
        fresh_urls: FreshUrls = tuple,
        remedies: Remedies = MappingProxyType({}),
    ) -> None:
        """`name` is shown in the broker's list of connections.

        `remedies` help when the broker closes the channel that the owner has been given.

        `fresh_urls` is asked when the broker does not let us in: the password may have been
        changed since, where it came from.
        """
        self._loop, self._urls, self._name, self._fresh_urls = loop, urls, name, fresh_urls
        self._preparations, self._owner, self._backoff = preparations, owner, backoff
        self._remedies = remedies
        self._connection: BatchConnection | None = None
        self._told = False
        self._ready_at: float | None = None
        self._attempts = 0
        self._again_after: float | None = None  # seconds; `None`: the back-off tells
        self._closing = False
        self._on_closed: Callable[[], None] | None = None

    @property
    def place(self) -> str:
        """Where the current attempt goes, for people; without the password."""
        return place(self._urls[self._attempts % len(self._urls)])

    def open(self) -> None:
        """Connect now; `link_ready` or `link_down` will be called."""
        self._told, self._ready_at = False, None
        try:
            wanted = parameters(self._urls[self._attempts % len(self._urls)])
        except OSError as error:  # a certificate that is being replaced, for example
            self._down(error)
            return
        wanted.client_properties = {"connection_name": self._name, "product": "Hopper"}
        self._connection = BatchConnection(
            wanted,
            on_open_callback=lambda _: self._prepare(0),
            on_open_error_callback=lambda _, error: self._down(error),
            on_close_callback=lambda _, error: self._down(error),
            custom_ioloop=self._loop,
        )

    def drop(self, reason: str, again_after: float | None = None, remedy: str = "") -> None:
        """Give this connection up, and try again: after so many seconds, or when it is wise."""
        if not self._told:  # what follows from it has reasons of its own
            self._again_after = again_after
        # Its owner must not use the channel any more, although the connection takes a moment yet.
        self._tell(reason, remedy)
        if self._connection is not None and self._connection.is_open:
            self._connection.close(reply_text=reason[:200])

    def close(self, on_closed: Callable[[], None]) -> None:
        """Leave for good; `on_closed` is called when the broker has confirmed (or is gone)."""
        self._closing, self._on_closed = True, on_closed
        if self._connection is None:
            self._closed()
        elif self._connection.is_open:
            self._connection.close()
        elif not self._connection.is_closing and not self._connection.is_closed:
            self._connection.close()  # still opening: on_open_error_callback follows

    def _prepare(self, at: int, missing: bool = False) -> None:
        """Ask for preparation number `at`, then the next; after the last one the link is ready."""
        connection = self._connection
        assert connection is not None
        if at == len(self._preparations):
            connection.channel(on_open_callback=self._ready)
            return
        step = self._preparations[at]
        ask = step.if_missing if missing and step.if_missing is not None else step.ask

        def opened(channel: Channel) -> None:
            channel.add_on_close_callback(closed)
            ask(channel, lambda _: channel.close())

        def closed(_channel: Channel, error: BaseException) -> None:
            if isinstance(error, pika.exceptions.ChannelClosedByClient):
                self._prepare(at + 1)
            elif _code(error) == 404 and step.if_missing is not None and not missing:
                self._prepare(at, missing=True)
            else:
                self._drop(error, step.remedies)

        connection.channel(on_open_callback=opened)

    def _ready(self, channel: Channel) -> None:
        assert self._connection is not None
        channel.add_on_close_callback(lambda _, error: self._drop(error, self._remedies))
        self._ready_at = time.monotonic()
        self._owner.link_ready(self._connection, channel)

    def _drop(self, error: BaseException, remedies: Remedies) -> None:
        text = describe(error)
        self.drop(text, remedy=remedy(remedies, _code(error), text))

    def _down(self, error: BaseException) -> None:
        self._tell(describe(error), remedy_of_connection(error))
        if _is_refused(error) and not self._closing:
            self._urls = self._fresh_urls() or self._urls
        if self._ready_at is not None and time.monotonic() - self._ready_at >= self.STEADY:
            self._attempts = 0
        self._connection = None
        if self._closing:
            self._closed()
            return
        delay, self._again_after = self._again_after, None
        if delay is None:
            delay = self._backoff.delay(self._attempts, random.random())
            self._attempts += 1
        self._loop.call_later(delay, self._retry)

    def _tell(self, reason: str, remedy: str) -> None:
        """Once for each connection, and with the first reason, which explains the others."""
        if not self._told:
            self._told = True
            self._owner.link_down(reason, was_ready=self._ready_at is not None, remedy=remedy)

    def _closed(self) -> None:
        if self._on_closed is not None:
            on_closed, self._on_closed = self._on_closed, None
            on_closed()

    def _retry(self) -> None:
        if not self._closing:
            self.open()


def place(url: str) -> str:
    """`host:port, virtual host "name"` of an AMQP URL: what an error may show of it."""
    parts = urlsplit(url)
    port = parts.port or (5671 if parts.scheme == "amqps" else 5672)
    return f'{parts.hostname}:{port}, virtual host "{unquote(parts.path[1:]) or "/"}"'


def describe(error: BaseException) -> str:
    """What pika's error says, in one line and without its wrapping."""
    if isinstance(error, (pika.exceptions.ConnectionClosed, pika.exceptions.ChannelClosed)):
        return f"{error.reply_text} ({error.reply_code})"
    for inner in [*causes(error)][1:]:
        return describe(inner)
    if isinstance(error, ssl.SSLError):
        return advice(error)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error.args[0]) if error.args else type(error).__name__


def _is_refused(error: BaseException) -> bool:
    """The broker does not know the user, or the password."""
    refused = (
        pika.exceptions.ProbableAuthenticationError,
        pika.exceptions.AuthenticationError,
    )
    return any(
        isinstance(one, refused)
        or (isinstance(one, pika.exceptions.ConnectionClosedByBroker) and reply_code(one) == 403)
        for one in causes(error)
    )


def _code(error: BaseException) -> int | None:
    return error.reply_code if isinstance(error, pika.exceptions.ChannelClosed) else None
