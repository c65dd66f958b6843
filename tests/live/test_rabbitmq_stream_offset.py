"""The end of a job that reads a stream, while the broker is slow to store the offset."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.rabbitmq import offset_queue
from connectors.rabbitmq.source import RabbitMQ
from tests.contract.source import Receiver, bodies
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until
from tools.local.rabbitmq import RabbitMQServer as Broker

pytestmark = pytest.mark.live

STREAM = {"x-queue-type": "stream"}


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker("offset") as broker:
        yield broker


@pytest.fixture
def rig(broker: Broker) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(broker.url, **STREAM) as rig:
        yield rig


def of_offset_queue(broker: Broker, rig: RabbitMQRig, expression: str) -> str:
    """Evaluate an expression of Erlang about `P`, the process of the broker that keeps it."""
    name = f'rabbit_misc:r(<<"/">>, queue, <<"{rig.queue}.offset">>)'
    process = f"{{ok, Q}} = rabbit_amqqueue:lookup({name}), P = whereis(element(1, "
    return broker.ctl("eval", f"{process}amqqueue:get_pid(Q))), {expression}.")


@contextmanager
def ending(broker: Broker, rig: RabbitMQRig) -> Iterator[threading.Thread]:
    """The consumer has stored all messages and ends, while the broker does not store the offset."""
    rig.publish(*bodies(20))
    source = RabbitMQ(rig.spec(declare={"arguments": STREAM}), None, workers=1)
    receiver = Receiver(source.consumer(f"{rig.queue}/000"))
    messages = receiver.wait_for(20)
    until(lambda: rig.left_in(f"{rig.queue}.offset") == 1)  # the first one
    of_offset_queue(broker, rig, "sys:suspend(P)")
    receiver.store(messages)
    closing = threading.Thread(target=receiver.consumer.close)
    closing.start()
    try:
        until(lambda: "enqueue" in of_offset_queue(broker, rig, "process_info(P, messages)"))
        yield closing
    finally:
        of_offset_queue(broker, rig, "sys:resume(P)")
        closing.join()


def test_the_end_waits_until_the_broker_has_the_offset(
    broker: Broker, rig: RabbitMQRig, caplog: Any
) -> None:
    with ending(broker, rig) as closing:
        assert closing.is_alive()

    _, _, body = rig.channel.basic_get(f"{rig.queue}.offset")
    assert body == b"20"
    assert "has not confirmed" not in caplog.text


def test_a_broker_that_stands_still_holds_up_no_end(
    broker: Broker, rig: RabbitMQRig, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than the limit; the log says so."""
    monkeypatch.setattr(offset_queue, "PATIENCE", 0.1)
    with ending(broker, rig):
        until(lambda: "the broker has not confirmed offset 20 within" in caplog.text)


def test_a_connection_that_is_cut_at_the_end_is_not_waited_for(
    broker: Broker, rig: RabbitMQRig, caplog: Any
) -> None:
    with ending(broker, rig) as closing:
        rig.cut()
        until(lambda: not closing.is_alive())

    assert "has not confirmed offset 20 before the connection was lost" in caplog.text
