"""How finished messages are acknowledged, and how those without an outcome are requeued."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from typing import Any, cast

import pytest
from pika import spec
from pika.adapters.select_connection import IOLoop
from pika.frame import decode_frame

from connectors.message import Message, Origin, Outcomes
from connectors.prefetch import MESSAGE_OVERHEAD, Held
from connectors.rabbitmq.message_size import DOCUMENT_OVERHEAD
from connectors.rabbitmq.rejections import Rejections
from connectors.rabbitmq.settlement import Settlement
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.wire import BatchConnection
from tests.connectors.rabbitmq.amqp_stream import connect

SINCE_4_3 = {"product": "RabbitMQ", "version": "4.3.0"}
WITHOUT_LIMIT = {"declare": {"arguments": {"x-queue-type": "quorum", "x-delivery-limit": -1}}}


ORIGIN = Origin("q/000", 1)


class LaterCalls:
    """An event loop that keeps what it is to call later."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []

    def call_later(self, _seconds: float, call: Callable[[], object]) -> None:
        self.calls.append(call)

    def look(self) -> None:
        """The time has come for the only call."""
        [call] = self.calls
        self.calls = []
        call()


class SettlementRig:
    """A settlement of delivered messages, and the broker's side of its channel."""

    def __init__(self, server: dict[str, str], delivered: int, **keys: Any) -> None:
        self.connection, (channel, _) = connect(BatchConnection)
        self.connection.server_properties = server
        source = RabbitMQSource.model_validate({"url": "amqp://host", "queue": "q", **keys})
        rejections, self.loop = Rejections("q/000", None, parks=False), LaterCalls()
        self.settlement = Settlement(
            cast(IOLoop, self.loop), ORIGIN, self.connection, channel, source, None, rejections
        )
        messages = [Message(n + 1, False, b"", b"", b"") for n in range(delivered)]
        if messages:
            self.settlement.delivered(messages)
        self.connection.written.clear()

    def deliver(self, body: bytes, properties: bytes) -> int:
        """Deliver one message, and return the bytes that it is held to take."""
        before = self.settlement.held.bytes
        self.settlement.delivered([Message(1, False, b"", properties, body)])
        return self.settlement.held.bytes - before

    def stored(self, *tags: int) -> None:
        self.settlement.settle(Outcomes(ORIGIN, [*tags], []))

    def sent(self) -> list[Any]:
        """The methods that were sent to the broker since the last call."""
        data, methods = b"".join(self.connection.written), []
        self.connection.written.clear()
        while data:
            size, frame = decode_frame(data)
            methods.append(frame.method)
            data = data[size:]
        return methods

    def acknowledged(self) -> list[tuple[int, bool]]:
        """Tags of these methods, and whether they name all messages before too."""
        return [(ack.delivery_tag, ack.multiple) for ack in self.sent()]


def sent_methods(server: dict[str, str], delivered: int, **keys: Any) -> list[Any]:
    """The methods that the broker receives at the end."""
    rig = SettlementRig(server, delivered, **keys)
    rig.settlement.give_back()
    return rig.sent()


def test_finished_messages_wait_for_the_open_one_before_them() -> None:
    """Then one frame is enough. A message that waits at two looks is acknowledged by itself."""
    rig = SettlementRig(SINCE_4_3, delivered=100)
    rig.stored(*range(2, 91))
    rig.settlement.flush()
    assert rig.acknowledged() == []
    rig.loop.look()
    rig.stored(1)
    rig.settlement.flush()
    assert rig.acknowledged() == [(90, True)]

    rig.stored(95)
    rig.settlement.flush()
    rig.loop.look()
    assert rig.acknowledged() == []
    rig.stored(96)
    rig.settlement.flush()
    rig.loop.look()
    assert rig.acknowledged() == [(95, False)]
    rig.loop.look()
    assert rig.acknowledged() == [(96, False)]
    assert rig.loop.calls == []


@pytest.mark.parametrize(
    ("needed", "acknowledged"), [(None, []), (100, []), (40, [(n, False) for n in range(4, 10)])]
)
def test_they_do_not_wait_where_the_prefetch_is_needed(
    needed: int | None, acknowledged: list[tuple[int, bool]]
) -> None:
    """Unless they are too few to gain anything."""
    rig = SettlementRig(SINCE_4_3, delivered=40)
    rig.stored(*range(4, 10))

    rig.settlement.flush(needed)

    assert rig.acknowledged() == acknowledged


def test_at_the_end_nothing_waits() -> None:
    rig = SettlementRig(SINCE_4_3, delivered=10)
    rig.stored(4)

    rig.settlement.flush(everything=True)

    assert rig.acknowledged() == [(4, False)]


def test_a_nack_requeues_all_messages_where_it_does_not_count_as_a_failure() -> None:
    """One `basic.nack` for all messages."""
    [nack] = sent_methods(SINCE_4_3, delivered=3)

    assert isinstance(nack, spec.Basic.Nack)
    assert (nack.delivery_tag, nack.multiple, nack.requeue) == (0, True, True)


@pytest.mark.parametrize(
    ("server", "delivered", "keys"),
    [
        ({"product": "RabbitMQ", "version": "3.10.8"}, 3, {}),
        (SINCE_4_3, 0, {}),
        (SINCE_4_3, 3, WITHOUT_LIMIT),
        (SINCE_4_3, 3, {"declare": {"arguments": {"x-queue-type": "stream"}}}),
    ],
)
def test_elsewhere_closing_the_channel_requeues_them_at_their_place(
    server: dict[str, str], delivered: int, keys: dict[str, Any]
) -> None:
    assert sent_methods(server, delivered, **keys) == []


@pytest.mark.parametrize(
    ("format", "properties"),
    [("auto", b"application/x-ndjson"), ("ndjson", b""), ("es_bulk", b"")],
)
def test_the_documents_of_a_message_take_memory(format: str, properties: bytes) -> None:
    body = b'{"n":1}\n' * 1000
    rig = SettlementRig(SINCE_4_3, delivered=0, format=format)

    assert rig.deliver(body, properties) >= 2 * len(body) + 1000 * DOCUMENT_OVERHEAD
    rig.stored(1)
    assert rig.settlement.held == Held()


def test_a_single_document_takes_its_body_and_its_properties() -> None:
    rig = SettlementRig(SINCE_4_3, delivered=0)

    body = b'{"n":\n[{},{}]}' * 1000

    assert rig.deliver(body, b"id") == len(body) + len(b"id") + MESSAGE_OVERHEAD


def test_a_compressed_message_takes_what_it_is_decompressed_to() -> None:
    body = gzip.compress(b'{"n":"%s"}' % random.Random(1).randbytes(1000).hex().encode() * 100)
    rig = SettlementRig(SINCE_4_3, delivered=0)

    assert rig.deliver(body, b"gzip") >= len(body) + 100 * 2000
