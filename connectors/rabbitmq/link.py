"""A connection to RabbitMQ that reconnects: it connects, makes preparations, and repeats both.

It runs on the thread of its I/O loop. It neither consumes nor publishes.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from connectors.jitter import jitter
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
ReloadUrls = Callable[[], Sequence[str]]
"""Reads the URLs of the spec again; empty: they cannot be read now."""


class Preparation(NamedTuple):
    """One request to the broker before the link is ready, on a channel of its own."""

    ask: Callable[[Channel, Done], object]
    """Sends the request, with `Done` as its callback."""
    if_missing: Callable[[Channel, Done], object] | None = None
    """Sends another request, on a new channel, after a 404 NOT_FOUND."""
    remedies: Remedies = MappingProxyType({})
    """Remedies when the broker refuses the request."""


class LinkOwner(Protocol):
    """Receives the events of a link; one `link_down` follows each `link_ready`."""

    def link_ready(self, connection: BatchConnection, channel: Channel) -> None:
        """Use the channel: it is new, and all preparations are made."""

    def link_down(self, reason: str, was_ready: bool, remedy: str) -> None:
        """Stop using the channel: the connection is lost, or could not be opened.

        The link reconnects unless it is closed. `remedy`: for a request that the broker refuses;
        empty: waiting may help.
        """


class Link:
    """One connection at a time, to the first of several URLs that accepts it."""

    RESET_BACKOFF_AFTER = 60.0
    """Seconds that a link must have been ready before its loss restarts the back-off: RabbitMQ's
    default heartbeat. A link that is lost at once each time is retried ever more slowly."""

    def __init__(
        self,
        loop: IOLoop,
        urls: Sequence[str],
        name: str,
        preparations: Sequence[Preparation],
        owner: LinkOwner,
        backoff: Backoff,
        reload_urls: ReloadUrls = tuple,
        remedies: Remedies = MappingProxyType({}),
    ) -> None:
        """`name`: in the broker's list of connections.

        `remedies`: for when the broker closes the owner's channel.

        `reload_urls` is called when the broker refuses the login: the password may have changed.
        """
        self._loop, self._urls, self._name, self._reload_urls = loop, urls, name, reload_urls
        self._preparations, self._owner, self._backoff = preparations, owner, backoff
        self._remedies = remedies
        self._connection: BatchConnection | None = None
        self._down_reported = False
        self._ready_at: float | None = None
        self._attempts = 0
        self._reconnect_after: float | None = None  # seconds; `None`: by the back-off
        self._closing = False
        self._on_closed: Callable[[], None] | None = None

    @property
    def address(self) -> str:
        """Address of the current attempt, for messages to the user; without the password."""
        return address_of(self._urls[self._attempts % len(self._urls)])

    def open(self) -> None:
        """Connect now; a call of `link_ready` or `link_down` follows."""
        self._down_reported, self._ready_at = False, None
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

    def drop(self, reason: str, reconnect_after: float | None = None, remedy: str = "") -> None:
        """Drop this connection, and reconnect after these seconds; `None`: by the back-off."""
        if not self._down_reported:  # only the first reason counts
            self._reconnect_after = reconnect_after
        # The owner must stop using the channel now, although the connection takes time to close.
        self._report_down(reason, remedy)
        if self._connection is not None and self._connection.is_open:
            self._connection.close(reply_text=reason[:200])

    def close(self, on_closed: Callable[[], None]) -> None:
        """Close for good; call `on_closed` when the broker has confirmed, or is gone."""
        self._closing, self._on_closed = True, on_closed
        if self._connection is None:
            self._closed()
        elif self._connection.is_open:
            self._connection.close()
        elif not self._connection.is_closing and not self._connection.is_closed:
            self._connection.close()  # still opening: on_open_error_callback follows

    def _prepare(self, at: int, missing: bool = False) -> None:
        """Make preparation number `at`, then the next; after the last one the link is ready."""
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
        self._report_down(describe(error), remedy_of_connection(error))
        if _is_refused(error) and not self._closing:
            self._urls = self._reload_urls() or self._urls
        if (
            self._ready_at is not None
            and time.monotonic() - self._ready_at >= self.RESET_BACKOFF_AFTER
        ):
            self._attempts = 0
        self._connection = None
        if self._closing:
            self._closed()
            return
        delay, self._reconnect_after = self._reconnect_after, None
        if delay is None:
            delay = self._backoff.delay(self._attempts, jitter())
            self._attempts += 1
        self._loop.call_later(delay, self._retry)

    def _report_down(self, reason: str, remedy: str) -> None:
        """Report once for each connection, with the first reason: it explains the others."""
        if not self._down_reported:
            self._down_reported = True
            self._owner.link_down(reason, was_ready=self._ready_at is not None, remedy=remedy)

    def _closed(self) -> None:
        if self._on_closed is not None:
            on_closed, self._on_closed = self._on_closed, None
            on_closed()

    def _retry(self) -> None:
        if not self._closing:
            self.open()


_HANDSHAKE = "Timeout while setting up AMQP"
NO_AMQP = (
    "nothing answers in AMQP: write the port of AMQP, 5672 or with TLS 5671, and not that of the "
    "management interface, 15672"
)
"""Pika waits for an answer, or cannot read it."""


def address_of(url: str) -> str:
    """Return `host:port, virtual host "name"` of an AMQP URL: the part that an error may show."""
    parts = urlsplit(url)
    port = parts.port or (5671 if parts.scheme == "amqps" else 5672)
    return f'{parts.hostname}:{port}, virtual host "{unquote(parts.path[1:]) or "/"}"'


def describe(error: BaseException) -> str:
    """Return the text of pika's error in one line, without the errors that wrap it."""
    if isinstance(error, (pika.exceptions.ConnectionClosed, pika.exceptions.ChannelClosed)):
        return f"{error.reply_text} ({error.reply_code})"
    for inner in [*causes(error)][1:]:
        return describe(inner)
    if isinstance(error, pika.exceptions.IncompatibleProtocolError) or _HANDSHAKE in str(error):
        return NO_AMQP
    if isinstance(error, ssl.SSLError):
        return advice(error)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error.args[0]) if error.args else type(error).__name__


def _is_refused(error: BaseException) -> bool:
    """Return whether the broker refuses the user or the password."""
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
