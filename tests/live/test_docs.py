"""The blocks of documents that need services."""

from __future__ import annotations

import pika
import pytest

from tests.documents import Block, blocks
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("fixed_names")]

PROGRAMS = [block for block in blocks("python") if block.needs_services]
OTHERS = [block for block in PROGRAMS if not block.is_test]

for _block in PROGRAMS:
    if _block.is_test:
        # The block defines a test of this module, which pytest finds.
        exec(compile(_block.text, str(_block), "exec"), globals())


@pytest.mark.parametrize("block", OTHERS, ids=str)
def test_a_program_runs(block: Block) -> None:
    exec(compile(block.text, str(block), "exec"), {"__name__": "example"})


def test_a_delivery_limit_counts_lost_connections(rig: RabbitMQRig) -> None:
    """`docs/delivery.md` warns of it; a dead-letter exchange of the queue keeps the message."""
    limited = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 2,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": rig.parking,
    }
    rig.channel.queue_delete(rig.queue)
    rig.channel.queue_declare(rig.queue, durable=True, arguments=limited)
    rig.channel.queue_declare(rig.parking, durable=True)
    rig.publish(b"unlucky")

    for _ in range(3):
        until(rig.left)
        with pika.BlockingConnection(pika.URLParameters(rig.url)) as connection:
            assert connection.channel().basic_get(rig.queue)[2] == b"unlucky"

    assert until(lambda: rig.channel.basic_get(rig.parking, auto_ack=True)[2]) == b"unlucky"
