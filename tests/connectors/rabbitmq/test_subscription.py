"""How a queue is consumed: what is said to the broker, and what it answers."""

from __future__ import annotations

from typing import Any

import pytest
from pika import spec
from pika.frame import decode_frame

from connectors.message import Message
from connectors.prefetch import AdaptivePrefetch, Held
from connectors.rabbitmq.slow_start import SlowStart
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.subscription import Subscription
from connectors.rabbitmq.wire import BatchConnection
from tests.connectors.rabbitmq.amqp_stream import connect, feed, method


class Rig:
    """A subscription, and the broker's side of its channel."""

    def __init__(self, prefetch: int, /, **keys: Any) -> None:
        self.connection, (self.channel, _) = connect(BatchConnection)
        source = RabbitMQSource.model_validate({"url": "amqp://host", "queue": "q", **keys})
        self.ended: list[str] = []
        self.agreed: list[bool] = []
        self.last_tag = 1
        self.memory, self.size = 64 * 1024**2, 800
        self.adaptive = AdaptivePrefetch(source.prefetch_number, lambda: self.memory)
        self.adaptive.wanted = prefetch
        self.slow_start = SlowStart(prefetch)
        self.subscription = Subscription(
            self.connection,
            self.channel,
            source,
            self.slow_start,
            self.adaptive,
            lambda _: None,
            lambda tag: self.last_tag + 1 - tag,
            lambda: Held(self.last_tag, self.last_tag * self.size),
            lambda: self.agreed.append(True),
        )
        self.connection.written.clear()

    def full(self, held: int) -> None:
        """The broker has delivered as many as that, and none is settled."""
        self.last_tag = held
        self.subscription.arrived([message(redelivered=False, tag=held)], now=0.5)

    def grow(self) -> int:
        """Dataflow and sink have waited for long."""
        self.subscription.grow(now=1.0)
        return self.subscription.grow(now=3.0)

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
        self.subscription.update(held=0, now=0.0)
        self.answer(spec.Basic.QosOk())
        [_, consume] = self.said()
        self.answer(spec.Basic.ConsumeOk(consume.consumer_tag))
        return consume


def message(redelivered: bool, tag: int = 1) -> Message:
    return Message(tag, redelivered, b"\x00\x00", b"\x00\x00", b"")


def test_the_prefetch_is_the_consumers_own() -> None:
    """A global one is refused by quorum queues, and by RabbitMQ 4.3 for all."""
    rig = Rig(50)

    rig.subscription.update(held=0, now=0.0)

    [qos] = rig.said()
    assert (qos.prefetch_count, qos.prefetch_size, qos.global_qos) == (50, 0, False)


def test_it_consumes_when_the_broker_has_agreed() -> None:
    """Not when it is asked: it may refuse."""
    rig = Rig(50)
    rig.subscription.update(held=0, now=0.0)
    rig.answer(spec.Basic.QosOk())
    assert rig.agreed == []
    [_, consume] = rig.said()

    rig.answer(spec.Basic.ConsumeOk(consume.consumer_tag))

    assert rig.agreed == [True]


def test_what_the_spec_says_is_asked_for() -> None:
    rig = Rig(50, consume={"exclusive": True, "arguments": {"x-priority": 10}})

    consume = rig.consuming()

    assert (consume.queue, consume.exclusive, consume.no_ack) == ("q", True, False)
    assert consume.arguments == {"x-priority": 10}


def test_another_consumer_takes_the_place_of_one_that_may_hold_too_few() -> None:
    """On the same channel, so what the first one has can still be settled."""
    rig = Rig(4000)
    first = rig.consuming()

    rig.subscription.arrived([message(redelivered=False)], now=1.0)
    rig.subscription.update(held=1, now=1.0)  # again, while the first one is being cancelled
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
    rig = Rig(4000)
    rig.consuming()
    rig.last_tag = 0  # what it had is acknowledged already

    rig.subscription.arrived([message(redelivered=False)], now=1.0)
    rig.subscription.update(held=0, now=1.9)
    assert rig.said() == []
    rig.subscription.update(held=0, now=2.0)

    assert [type(said) for said in rig.said()] == [spec.Basic.Cancel]


def test_it_ends_once_the_broker_has_confirmed() -> None:
    """Twice is once; and nothing brings it back."""
    rig = Rig(50)
    consume = rig.consuming()

    rig.subscription.end(lambda: rig.ended.append("first"))
    rig.subscription.end(lambda: rig.ended.append("second"))
    assert rig.ended == []
    rig.answer(spec.Basic.CancelOk(consume.consumer_tag))
    rig.subscription.end(lambda: rig.ended.append("third"))
    rig.subscription.update(held=0, now=1.0)

    assert rig.ended == ["first", "second", "third"]
    assert [type(said) for said in rig.said()] == [spec.Basic.Cancel]


def test_it_may_end_before_it_has_begun_and_while_it_begins() -> None:
    early = Rig(50)
    early.subscription.end(lambda: early.ended.append("early"))
    assert early.ended == ["early"]

    amid = Rig(50)
    amid.subscription.update(held=0, now=0.0)
    amid.subscription.end(lambda: amid.ended.append("amid"))
    assert amid.ended == []
    amid.answer(spec.Basic.QosOk())
    assert amid.ended == ["amid"]
    assert [type(said) for said in amid.said()] == [spec.Basic.Qos]


def test_a_channel_that_was_closed_is_left_alone() -> None:
    """While one consumer takes the place of another."""
    rig = Rig(4000)
    first = rig.consuming()
    rig.subscription.arrived([message(redelivered=False)], now=1.0)
    rig.channel.close()
    rig.said()

    rig.answer(spec.Basic.CancelOk(first.consumer_tag))

    assert [type(said) for said in rig.said()] == [spec.Channel.Close]


def test_a_stream_is_begun_where_it_is_told_to() -> None:
    rig = Rig(50, declare={"arguments": {"x-queue-type": "stream"}})
    rig.subscription.start_at(17)

    assert rig.consuming().arguments == {"x-stream-offset": 17}


def warm(**keys: Any) -> Rig:
    """A rig that consumes 4000 messages at a time, after the caution of the start."""
    rig = Rig(4000, **keys)
    rig.slow_start.end()
    consume = rig.consuming()
    assert consume is not None
    return rig


def test_a_full_consumer_that_may_grow_is_replaced_by_a_larger_one() -> None:
    """What the first one holds stays valid, and counts beside what the second one may hold."""
    rig = warm()
    rig.full(3999)
    assert rig.grow() == 0
    assert not rig.subscription.is_full

    rig.full(4000)
    assert rig.subscription.is_full
    assert rig.subscription.may_grow
    assert rig.grow() == 8000
    [cancel] = rig.said()
    assert rig.subscription.is_full  # while it is being replaced, nothing is delivered
    assert rig.grow() == 0
    rig.answer(spec.Basic.CancelOk(cancel.consumer_tag))
    [qos] = rig.said()
    assert qos.prefetch_count == 8000
    rig.answer(spec.Basic.QosOk())
    rig.said()

    assert (rig.subscription.prefetch, rig.subscription.is_full) == (12_000, False)
    rig.full(11_999)
    assert not rig.subscription.is_full
    rig.full(12_000)
    assert rig.subscription.is_full


def test_a_look_does_not_undo_what_has_grown() -> None:
    rig = warm()
    rig.full(4000)
    rig.grow()
    [cancel] = rig.said()
    rig.answer(spec.Basic.CancelOk(cancel.consumer_tag))
    rig.answer(spec.Basic.QosOk())
    rig.said()

    rig.subscription.update(held=4000, now=5.0)
    rig.subscription.update(held=0, now=9.0)

    assert rig.said() == []


@pytest.mark.parametrize(
    "keys", [{"prefetch": 4000}, {"declare": {"arguments": {"x-single-active-consumer": True}}}]
)
def test_a_number_that_is_given_or_a_consumer_that_cannot_be_replaced_stays(
    keys: dict[str, Any],
) -> None:
    rig = warm(**keys)
    rig.full(4000)

    assert rig.subscription.is_full
    assert not rig.subscription.may_grow
    assert rig.grow() == 0
    assert rig.said() == []


def test_a_consumer_that_ends_is_neither_full_nor_grows() -> None:
    rig = warm()
    rig.full(4000)

    rig.subscription.end(lambda: None)
    rig.said()

    assert not rig.subscription.is_full
    assert rig.grow() == 0
    assert rig.said() == []


def test_one_that_holds_few_at_first_is_full_with_these() -> None:
    """Its silence means no more than that of others; and it will hold more without our doing."""
    rig = Rig(4000)
    rig.consuming()

    assert rig.subscription.is_full
    assert rig.subscription.may_grow
    assert rig.grow() == 0
