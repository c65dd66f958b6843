"""The offset of a stream: faults while it is read and written, and a broker that is slow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pika
import pytest

from connectors.message import Lost
from connectors.rabbitmq import offset_queue, session, stream_end, stream_position
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.stream_end import StreamEnd
from connectors.rabbitmq.stream_offsets import offset_of
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


def receiver_of(rig: RabbitMQRig, start: str = "first") -> Receiver:
    spec = rig.spec(
        declare={"arguments": STREAM}, consume={"arguments": {"x-stream-offset": start}}
    )
    return Receiver(RabbitMQ(spec, None, workers=1).consumer(f"{rig.queue}/000"))


@contextmanager
def holding(broker: Broker, rig: RabbitMQRig) -> Iterator[None]:
    """A connection that is lost has read the offset, and the broker has not noticed the loss."""
    with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as lost:
        method, _, _ = lost.channel().basic_get(f"{rig.queue}.offset")
        assert method is not None
        yield


def test_a_new_connection_goes_on_while_a_lost_one_holds_the_offset(
    broker: Broker, rig: RabbitMQRig
) -> None:
    """The consumer remembers it, and so reads no message twice."""
    rig.publish(*bodies(20))
    receiver = receiver_of(rig)
    receiver.store(receiver.wait_for(20))
    until(lambda: rig.offset() == b"20")

    with holding(broker, rig):
        rig.cut()
        rig.publish(*bodies(5, start=20))
        receiver.wait_for(25)
        assert rig.offset() == b"20"

    receiver.store(receiver.messages()[20:])
    receiver.consumer.close()
    assert receiver.bodies() == bodies(25)
    assert rig.offset() == b"25"


def test_what_is_settled_is_not_read_again_after_a_lost_connection(
    rig: RabbitMQRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although its offset was not written yet."""
    monkeypatch.setattr(session, "TICK_AFTER", 3600.0)
    rig.publish(*bodies(20))
    receiver = receiver_of(rig)
    receiver.store(receiver.wait_for(20))
    until(receiver.is_settled)

    rig.cut()
    rig.publish(*bodies(5, start=20))
    receiver.wait_for(25)
    assert receiver.bodies() == bodies(25)
    receiver.consumer.close()


def test_a_new_process_waits_while_a_lost_connection_holds_the_offset(
    broker: Broker, rig: RabbitMQRig, caplog: Any
) -> None:
    """Otherwise a job that begins with the next message would skip messages."""
    rig.publish(*bodies(20))
    first = receiver_of(rig)
    first.store(first.wait_for(20))
    first.consumer.close()
    rig.publish(*bodies(5, start=20))

    with holding(broker, rig):
        second = receiver_of(rig, start="next")
        until(lambda: "another connection holds the offset" in caplog.text)

    second.wait_for(5)
    assert second.bodies() == bodies(5, start=20)
    second.consumer.close()


@pytest.mark.parametrize("start", ["next", "last"])
def test_what_follows_the_first_start_is_not_skipped(rig: RabbitMQRig, start: str) -> None:
    """Although the job had not received a message when it ended, even by a crash."""
    rig.publish(b"before")
    first = receiver_of(rig, start)
    until(first.take)  # the broker has confirmed that it consumes
    assert rig.offset() == (b"1" if start == "next" else b"0")
    first.consumer.close()
    rig.publish(*bodies(2))

    second = receiver_of(rig, start)
    until(lambda: b"1" in second.bodies())
    assert second.bodies() == [*([] if start == "next" else [b"before"]), *bodies(2)]
    second.consumer.close()


def test_of_an_empty_stream_no_message_is_skipped(rig: RabbitMQRig) -> None:
    first = receiver_of(rig, "next")
    until(first.take)
    first.consumer.close()
    rig.publish(*bodies(2))

    second = receiver_of(rig, "next")
    second.wait_for(2)
    assert second.bodies() == bodies(2)
    second.consumer.close()


def test_the_first_offset_is_written_with_the_first_message(
    rig: RabbitMQRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the broker was too slow to tell it before, the job goes on there all the same."""
    monkeypatch.setattr(stream_end, "LOOK_AFTER", 0.0)
    monkeypatch.setattr(stream_end, "LONGEST", 0.0)
    monkeypatch.setattr(session, "TICK_AFTER", 3600.0)
    rig.publish(b"before")
    receiver = receiver_of(rig, "next")
    until(receiver.take)
    rig.publish(*bodies(2))

    receiver.wait_for(2)
    until(lambda: rig.offset() == b"1")
    assert receiver.bodies() == bodies(2)
    receiver.consumer.close()


def test_the_end_of_a_busy_stream_is_found(
    rig: RabbitMQRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never falls silent, and the job begins all the same."""
    monkeypatch.setattr(stream_end, "LOOK_AFTER", 0.01)
    monkeypatch.setattr(stream_end, "LONGEST", 0.1)
    rig.publish(*bodies(500))
    receiver = receiver_of(rig, "next")

    def delivered() -> bool:
        rig.publish(b"meanwhile")
        return bool(receiver.messages())

    until(delivered)
    assert (offset_of(receiver.messages()[0][1]) or 0) >= 500
    receiver.consumer.close()


def reading(rig: RabbitMQRig) -> Receiver:
    """A consumer that has stored twenty messages, and has written its offset."""
    rig.publish(*bodies(20))
    receiver = receiver_of(rig)
    receiver.store(receiver.wait_for(20))
    until(lambda: rig.offset() == b"20")
    return receiver


def test_an_offset_queue_that_is_deleted_is_declared_again(rig: RabbitMQRig, caplog: Any) -> None:
    """With the next offset, on the same connection; the log says so."""
    receiver = reading(rig)
    rig.channel.queue_delete(f"{rig.queue}.offset")

    rig.publish(*bodies(5, start=20))
    receiver.store(receiver.wait_for(25)[20:])

    until(lambda: rig.offset() == b"25")
    assert f'queue "{rig.queue}.offset" is gone' in caplog.text
    assert not [event for event in receiver.take() if isinstance(event, Lost)]
    receiver.consumer.close()


@pytest.mark.parametrize("how", ["queue_delete", "queue_purge"])
def test_the_offset_of_a_quiet_stream_is_written_again(
    rig: RabbitMQRig, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offset_queue, "RENEW_AFTER", 0.0)
    receiver = reading(rig)
    getattr(rig.channel, how)(f"{rig.queue}.offset")

    until(lambda: rig.offset() == b"20")
    receiver.consumer.close()


def test_the_end_writes_the_offset_again(rig: RabbitMQRig) -> None:
    receiver = reading(rig)
    rig.channel.queue_delete(f"{rig.queue}.offset")
    receiver.consumer.close()

    assert rig.offset() == b"20"


def test_a_consumer_that_may_not_declare_the_offset_queue_again_waits(
    broker: Broker, rig: RabbitMQRig, caplog: Any
) -> None:
    """The broker's words are in the log and in `/health`."""
    receiver = reading(rig)
    permissions = ("set_permissions", "guest")
    broker.ctl(*permissions, ".*(?<!offset)$", ".*", ".*")
    try:
        # Not before: the consumer would declare the queue again while the broker takes the command.
        broker.ctl("delete_queue", f"{rig.queue}.offset")
        rig.publish(*bodies(5, start=20))
        receiver.store(receiver.wait_for(25)[20:])
        until(lambda: "source.rabbitmq.offset_queue" in caplog.text)
    finally:
        broker.ctl(*permissions, ".*", ".*", ".*")

    rig.publish(*bodies(1, start=25))
    receiver.wait_for(26)  # the queue is made by then; meanwhile the broker answers with an error
    assert rig.offset() in (b"20", b"25")
    receiver.consumer.close()


def test_a_stream_that_was_made_anew_is_told(
    rig: RabbitMQRig, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Its messages are before the offset, and none would ever be read."""
    monkeypatch.setattr(stream_position, "CHECK_AFTER", 0.1)
    reading(rig).consumer.close()
    rig.channel.queue_delete(rig.queue)
    rig.channel.queue_declare(rig.queue, durable=True, arguments=STREAM)
    receiver = receiver_of(rig)
    until(receiver.take)
    rig.publish(*bodies(5))

    until(lambda: f'stream "{rig.queue}" ends before offset 20' in caplog.text)
    receiver.consumer.close()


def test_a_stream_that_is_read_to_its_end_is_not_taken_for_another(
    rig: RabbitMQRig, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(stream_position, "CHECK_AFTER", 0.0)
    found, find = [], StreamEnd.find

    def noted(end: StreamEnd, start: object, then: Callable[[int | None], object]) -> None:
        find(end, start, lambda offset: found.append((offset, then(offset))))

    monkeypatch.setattr(StreamEnd, "find", noted)
    reading(rig).consumer.close()
    receiver = receiver_of(rig)

    until(lambda: found)
    assert found == [(20, None)]
    assert "ends before" not in caplog.text
    receiver.consumer.close()


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
    end = threading.Thread(target=receiver.consumer.close)
    end.start()
    try:
        until(lambda: "enqueue" in of_offset_queue(broker, rig, "process_info(P, messages)"))
        yield end
    finally:
        of_offset_queue(broker, rig, "sys:resume(P)")
        end.join()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of `rabbitmqctl` takes seconds on a busy machine, and a test makes several."""
    monkeypatch.setattr(offset_queue, "PATIENCE", 120.0)


@pytest.mark.usefixtures("patient")
def test_the_end_waits_until_the_broker_has_the_offset(
    broker: Broker, rig: RabbitMQRig, caplog: Any
) -> None:
    with ending(broker, rig) as end:
        assert end.is_alive()

    assert rig.offset() == b"20"
    assert "has not confirmed" not in caplog.text


def test_a_broker_that_stands_still_holds_up_no_end(
    broker: Broker, rig: RabbitMQRig, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than the limit; the log says so."""
    monkeypatch.setattr(offset_queue, "PATIENCE", 0.1)
    with ending(broker, rig):
        until(lambda: "the broker has not confirmed offset 20 within" in caplog.text)


@pytest.mark.usefixtures("patient")
def test_a_connection_that_is_cut_at_the_end_is_not_waited_for(
    broker: Broker, rig: RabbitMQRig, caplog: Any
) -> None:
    with ending(broker, rig) as end:
        rig.cut()
        until(lambda: not end.is_alive())

    assert "has not confirmed offset 20 before the connection was lost" in caplog.text
