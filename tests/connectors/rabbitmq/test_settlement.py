"""How messages without an outcome are requeued when the job ends."""

from __future__ import annotations

from typing import Any

import pytest
from pika import spec
from pika.adapters.select_connection import IOLoop
from pika.frame import decode_frame

from connectors.message import Message, Origin
from connectors.rabbitmq.rejections import Rejections
from connectors.rabbitmq.settlement import Settlement
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.wire import BatchConnection
from tests.connectors.rabbitmq.amqp_stream import connect

SINCE_4_3 = {"product": "RabbitMQ", "version": "4.3.0"}
WITHOUT_LIMIT = {"declare": {"arguments": {"x-queue-type": "quorum", "x-delivery-limit": -1}}}


def sent_methods(server: dict[str, str], delivered: int, **keys: Any) -> list[Any]:
    """The methods that the broker receives."""
    connection, (channel, _) = connect(BatchConnection)
    connection.server_properties = server
    source = RabbitMQSource.model_validate({"url": "amqp://host", "queue": "q", **keys})
    origin, rejections = Origin("q/000", 1), Rejections("q/000", None, parks=False)
    loop = IOLoop()
    settlement = Settlement(loop, origin, connection, channel, source, None, rejections)
    loop.close()
    if delivered:
        settlement.delivered([Message(n + 1, False, b"", b"", b"") for n in range(delivered)])
    connection.written.clear()

    settlement.give_back()

    return [decode_frame(written)[1].method for written in connection.written]


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
