"""How a queue is consumed: what is said to the broker, and what it answers."""

from __future__ import annotations

from typing import Any

from pika import spec
from pika.frame import decode_frame

from connectors.message import Message
from connectors.rabbitmq.poison import Caution
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.subscription import Subscription
from connectors.rabbitmq.wire import BatchConnection
from tests.connectors.amqp_stream import connect, feed, method


class Rig:
    """A subscription, and the broker's side of its channel."""

    def __init__(self, prefetch: int, **keys: Any) -> None:
        self.connection, (self.channel, _) = connect(BatchConnection)
        source = RabbitMQSource.model_validate({"url": "amqp://host", "queue": "q", **keys})
        self.ended: list[str] = []
        self.agreed: list[bool] = []
        self.last_tag = 1
        self.subscription = Subscription(
            self.connection,
            self.channel,
            source,
            Caution(prefetch),
            lambda _: None,
            lambda tag: self.last_tag + 1 - tag,
            lambda: self.agreed.append(True),
        )
        self.connection.written.clear()

    def said(self) -> list[Any]:
        """What was said to the broker since the last call."""
        data = b"".join(self.connection.written)
        self.connection.written.clear()
        methods = []
        while data:
            size, frame = decode_frame(data)
            methods.append(frame.method)
            data = data[size:]
        return methods

    def answer(self, what: Any) -> None:
        feed(self.connection, method(1, what))

    def consuming(self) -> Any:
        """Let it come as far as that; return how it consumes."""
        self.subscription.look(held=0, now=0.0)
        self.answer(spec.Basic.QosOk())
        [_, consume] = self.said()
        self.answer(spec.Basic.ConsumeOk(consume.consumer_tag))
        return consume


def message(redelivered: bool) -> Message:
    return Message(1, redelivered, b"\x00\x00", b"\x00\x00", b"")


def test_the_prefetch_is_the_consumers_own() -> None:
    """A global one is refused by quorum queues, and by RabbitMQ 4.3 for all."""
    rig = Rig(prefetch=50)

    rig.subscription.look(held=0, now=0.0)

    [qos] = rig.said()
    assert (qos.prefetch_count, qos.prefetch_size, qos.global_qos) == (50, 0, False)


def test_it_consumes_when_the_broker_has_agreed() -> None:
    """Not when it is asked: it may refuse."""
    rig = Rig(prefetch=50)
    rig.subscription.look(held=0, now=0.0)
    rig.answer(spec.Basic.QosOk())
    assert rig.agreed == []
    [_, consume] = rig.said()

    rig.answer(spec.Basic.ConsumeOk(consume.consumer_tag))

    assert rig.agreed == [True]


def test_what_the_spec_says_is_asked_for() -> None:
    rig = Rig(prefetch=50, consume={"exclusive": True, "arguments": {"x-priority": 10}})

    consume = rig.consuming()

    assert (consume.queue, consume.exclusive, consume.no_ack) == ("q", True, False)
    assert consume.arguments == {"x-priority": 10}


def test_another_consumer_takes_the_place_of_one_that_may_hold_too_few() -> None:
    """On the same channel, so what the first one has can still be settled."""
    rig = Rig(prefetch=4000)
    first = rig.consuming()

    rig.subscription.arrived([message(redelivered=False)], now=1.0)
    rig.subscription.look(held=1, now=1.0)  # again, while the first one is being cancelled
    [cancel] = rig.said()
    assert cancel.consumer_tag == first.consumer_tag
    rig.answer(spec.Basic.CancelOk(first.consumer_tag))
    [qos] = rig.said()
    assert qos.prefetch_count == 4000
    rig.answer(spec.Basic.QosOk())

    [second] = rig.said()
    assert second.consumer_tag != first.consumer_tag


def test_a_consumer_is_not_replaced_while_something_may_be_on_its_way() -> None:
    """A quorum queue would take that back, and count it as delivered once more."""
    rig = Rig(prefetch=4000)
    rig.consuming()
    rig.last_tag = 0  # what it had is acknowledged already

    rig.subscription.arrived([message(redelivered=False)], now=1.0)
    rig.subscription.look(held=0, now=1.9)
    assert rig.said() == []
    rig.subscription.look(held=0, now=2.0)

    assert [type(said) for said in rig.said()] == [spec.Basic.Cancel]


def test_it_ends_once_the_broker_has_confirmed() -> None:
    """Twice is once; and nothing brings it back."""
    rig = Rig(prefetch=50)
    consume = rig.consuming()

    rig.subscription.end(lambda: rig.ended.append("first"))
    rig.subscription.end(lambda: rig.ended.append("second"))
    assert rig.ended == []
    rig.answer(spec.Basic.CancelOk(consume.consumer_tag))
    rig.subscription.end(lambda: rig.ended.append("third"))
    rig.subscription.look(held=0, now=1.0)

    assert rig.ended == ["first", "second", "third"]
    assert [type(said) for said in rig.said()] == [spec.Basic.Cancel]


def test_it_may_end_before_it_has_begun_and_while_it_begins() -> None:
    early = Rig(prefetch=50)
    early.subscription.end(lambda: early.ended.append("early"))
    assert early.ended == ["early"]

    amid = Rig(prefetch=50)
    amid.subscription.look(held=0, now=0.0)
    amid.subscription.end(lambda: amid.ended.append("amid"))
    assert amid.ended == []
    amid.answer(spec.Basic.QosOk())
    assert amid.ended == ["amid"]
    assert [type(said) for said in amid.said()] == [spec.Basic.Qos]


def test_a_channel_that_was_closed_is_left_alone() -> None:
    """While one consumer takes the place of another."""
    rig = Rig(prefetch=4000)
    first = rig.consuming()
    rig.subscription.arrived([message(redelivered=False)], now=1.0)
    rig.channel.close()
    rig.said()

    rig.answer(spec.Basic.CancelOk(first.consumer_tag))

    assert [type(said) for said in rig.said()] == [spec.Channel.Close]


def test_a_stream_is_begun_where_it_is_told_to() -> None:
    rig = Rig(prefetch=50, declare={"arguments": {"x-queue-type": "stream"}})
    rig.subscription.start_at(17)

    assert rig.consuming().arguments == {"x-stream-offset": 17}
