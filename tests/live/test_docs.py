"""The blocks of the README files that need services, on services."""

from __future__ import annotations

import pika
import pytest

from tests.documents import DEAD_LETTERS, Block, blocks
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = pytest.mark.live

PROGRAMS = [block for block in blocks("python") if block.needs_services]
PARKED = "task_queue.parked"
"""What the programs of the README are about."""
LOOK, MOVE = [block for block in PROGRAMS if PARKED in block.text]
OTHERS = [block for block in PROGRAMS if not block.is_test and block not in (LOOK, MOVE)]

for _block in PROGRAMS:
    if _block.is_test:
        # What it defines is a test of this module from here on, and pytest finds it.
        exec(compile(_block.text, str(_block), "exec"), globals())


@pytest.fixture
def parked(rig: RabbitMQRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two messages in the queue for parked ones, with headers of ours and of others."""
    monkeypatch.setenv("RABBITMQ_URL", rig.url)
    rig.channel.queue_declare(rig.parking, durable=True)
    for number in range(2):
        headers = {
            "x-hopper-reason": f"reason {number}",
            "x-hopper-queue": rig.queue,
            "tenant": "a",
        }
        properties = pika.BasicProperties(
            headers=headers, message_id=f"id-{number}", delivery_mode=2
        )
        rig.channel.basic_publish("", rig.parking, b"body %d" % number, properties)


def run(block: Block, rig: RabbitMQRig) -> None:
    """With the queue of this test in the place of the default one."""
    text = block.text.replace(PARKED, rig.parking)
    exec(compile(text, str(block), "exec"), {"__name__": "example"})


@pytest.mark.usefixtures("parked")
def test_looking_at_what_is_parked_takes_nothing(
    rig: RabbitMQRig, capsys: pytest.CaptureFixture[str]
) -> None:
    run(LOOK, rig)

    assert capsys.readouterr().out == "reason 0 b'body 0'\nreason 1 b'body 1'\n"
    assert len(rig.parked()) == 2


@pytest.mark.usefixtures("parked")
def test_what_is_moved_back_is_as_it_was(rig: RabbitMQRig) -> None:
    """In its queue, in order, persistent, and without our headers."""
    run(MOVE, rig)

    assert rig.parked() == []
    for number in range(2):
        _, properties, body = rig.channel.basic_get(rig.queue, auto_ack=True)
        assert body == b"body %d" % number
        assert properties.headers == {"tenant": "a"}
        assert (properties.message_id, properties.delivery_mode) == (f"id-{number}", 2)


@pytest.mark.parametrize("block", OTHERS, ids=str)
def test_a_program_runs(block: Block) -> None:
    exec(compile(block.text, str(block), "exec"), {"__name__": "example"})


def test_a_delivery_limit_counts_lost_connections(rig: RabbitMQRig) -> None:
    """The README warns of it; a dead letter exchange of the queue keeps the message."""
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


def test_the_programs_are_those_of_the_readme() -> None:
    assert {LOOK.path, MOVE.path} == {DEAD_LETTERS}
