"""Fills a queue as fast as the broker accepts messages, with frames that are made beforehand.

Publishing through pika would take twice as long, and each run fills the queue again.
"""

from __future__ import annotations

import json
import random
import select
import socket
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Self
from uuid import UUID

import pika
from pika import frame, spec

BLOCK = 2000
"""Messages in one write: some 600 KB."""


@lru_cache(1)
def publishings(queue: str, count: int, ids: bool, block: int = BLOCK) -> list[bytes]:
    """All messages as frames on channel 1, `block` of them together.

    They are persistent JSON objects of about 235 bytes, all different; `ids`: each has a
    message_id, a UUID.
    """
    one_by_one = [publishing(queue, body, message_id) for body, message_id in messages(count, ids)]
    return [b"".join(one_by_one[at : at + block]) for at in range(0, count, block)]


def publishing(queue: str, body: bytes, message_id: str | None = None) -> bytes:
    """One persistent message as frames on channel 1."""
    properties = pika.BasicProperties("application/json", delivery_mode=2, message_id=message_id)
    method = spec.Basic.Publish(exchange="", routing_key=queue)
    return b"".join(
        part.marshal()
        for part in (
            frame.Method(1, method),
            frame.Header(1, len(body), properties),
            frame.Body(1, body),
        )
    )


def messages(count: int, ids: bool) -> Iterator[tuple[bytes, str | None]]:
    """Bodies and message_ids, which are the same for the same `count`."""
    draw = random.Random(count)
    for number in range(count):
        order = {
            "@timestamp": f"2026-03-{1 + number % 28:02}T{number % 24:02}:15:30.{number % 999:03}Z",
            "order": number,
            "customer": f"customer-{draw.randrange(10_000):05}",
            "country": draw.choice(("DE", "FR", "IT", "ES", "PL")),
            "items": draw.randrange(1, 20),
            "total": draw.randrange(100, 100_000) / 100,
            "status": draw.choice(("placed", "paid", "shipped", "returned")),
            "note": draw.choice(_NOTES),
        }
        message_id = str(UUID(int=draw.getrandbits(128), version=4)) if ids else None
        yield json.dumps(order, separators=(",", ":")).encode(), message_id


_NOTES = (
    "please leave it with the neighbours if the door stays closed at that time, thank you",
    "a present: wrap it, please, and put the card of the shop inside as well, not the price",
    "ring twice, the bell is a quiet one and the house is a large one; it is on the left",
)


class Publisher:
    """A connection that writes frames and reads confirmations."""

    def __init__(self, url: str) -> None:
        """Connect, over plain TCP, and open channel 1 with confirmations."""
        parameters = pika.URLParameters(url)
        self._socket = socket.create_connection((parameters.host, parameters.port))
        self._buffer = b""
        self._confirmed_below = 1
        """All tags below this one are confirmed."""
        self._confirmed_later: set[int] = set()
        """Higher tags that are confirmed one by one."""
        self._socket.sendall(frame.ProtocolHeader().marshal())
        start = self._receive()
        mechanism, response = parameters.credentials.response_for(start)
        self._send(0, spec.Connection.StartOk({}, mechanism, response.decode(), "en_US"))
        tune = self._receive()
        self._send(0, spec.Connection.TuneOk(tune.channel_max, tune.frame_max, heartbeat=0))
        self._ask(0, spec.Connection.Open(parameters.virtual_host))
        self._ask(1, spec.Channel.Open())
        self._ask(1, spec.Confirm.Select())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ask(0, spec.Connection.Close(200, "done", 0, 0))
        self._socket.close()

    def publish(self, blocks: list[bytes], count: int) -> None:
        """Write all blocks, `count` messages, and wait until the broker has confirmed each."""
        confirmed = self.confirmed
        for block in blocks:
            self.write(block)
        self.wait(confirmed + count)

    def publish_evenly(self, blocks: list[bytes], count: int, rate: float) -> None:
        """Write all blocks, `count` messages, at an even rate in messages a second."""
        seconds_between, start = count / len(blocks) / rate, time.monotonic()
        for number, block in enumerate(blocks):
            time.sleep(max(0.0, start + number * seconds_between - time.monotonic()))
            self.write(block)

    def write(self, block: bytes) -> None:
        """Write frames, and read the confirmations that have arrived."""
        self._socket.sendall(block)
        while select.select([self._socket], [], [], 0)[0]:
            self._confirm()

    def wait(self, count: int) -> None:
        """Wait until the broker has confirmed `count` of all messages on this connection."""
        while self.confirmed < count:
            self._confirm()

    @property
    def confirmed(self) -> int:
        """Messages on this connection that the broker has confirmed."""
        return self._confirmed_below - 1 + len(self._confirmed_later)

    def _confirm(self) -> None:
        ack = self._receive()
        assert isinstance(ack, spec.Basic.Ack), ack
        self._confirmed_later.add(ack.delivery_tag)
        if ack.multiple:
            self._confirmed_below = ack.delivery_tag + 1
            self._confirmed_later = {
                tag for tag in self._confirmed_later if tag >= self._confirmed_below
            }

    def _ask(self, channel: int, method: Any) -> None:
        self._send(channel, method)
        self._receive()

    def _send(self, channel: int, method: Any) -> None:
        self._socket.sendall(frame.Method(channel, method).marshal())

    def _receive(self) -> Any:
        """Wait for the next method of the broker, and return it."""
        while True:
            consumed, received = frame.decode_frame(self._buffer)
            if received is not None:
                self._buffer = self._buffer[consumed:]
                return received.method
            data = self._socket.recv(65536)
            assert data, "the broker has closed the connection"
            self._buffer += data
