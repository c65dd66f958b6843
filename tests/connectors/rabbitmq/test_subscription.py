"""How a queue is consumed: the requests to the broker, and its answers."""

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


class SubscriptionRig:
    """A subscription, and the broker's side of its channel."""

    def __init__(self, prefetch: int, /, **keys: Any) -> None:
        self.connection, (self.channel, _) = connect(BatchConnection)
        source = RabbitMQSource.model_validate({"url": "amqp://host", "queue": "q", **keys})
        self.ended: list[str] = []
        self.agreed: list[bool] = []
        self.last_tag, self.settled = 1, 0
        self.memory, self.size = 64 * 1024**2, 2100
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
            lambda tag: self.last_tag + 1 - max(tag, self.settled + 1),
            lambda: Held(self.last_tag, self.last_tag * self.size),
            lambda: self.agreed.append(True),
        )
        self.connection.written.clear()

    def full(self, held: int) -> None:
        """The broker has delivered that many messages, and none is settled."""
        self.last_tag = held
        self.subscription.arrived([message(redelivered=False, tag=held)], now=0.5)

    def grow(self) -> int:
        """Dataflow and sink have waited for a long time."""
        self.subscription.grow(now=1.0, waited=0.0)
        return self.subscription.grow(now=3.0, waited=2.0)

    def sent(self) -> list[Any]:
        """The methods that were sent to the broker since the last call."""
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
        """Answer until it consumes; return the arguments of the consumer."""
        self.subscription.update(held=0, now=0.0)
        self.answer(spec.Basic.QosOk())
        [_, consume] = self.sent()
        self.answer(spec.Basic.ConsumeOk(consume.consumer_tag))
        return consume


def message(redelivered: bool, tag: int = 1) -> Message:
    return Message(tag, redelivered, b"\x00\x00", b"\x00\x00", b"")


def test_the_prefetch_belongs_to_the_consumer() -> None:
    """Quorum queues refuse a global one, and RabbitMQ 4.3 refuses it for all queues."""
    rig = SubscriptionRig(50)

    rig.subscription.update(held=0, now=0.0)

    [qos] = rig.sent()
    assert (qos.prefetch_count, qos.prefetch_size, qos.global_qos) == (50, 0, False)


def test_it_consumes_when_the_broker_has_accepted() -> None:
    """Not before: the broker may refuse."""
    rig = SubscriptionRig(50)
    rig.subscription.update(held=0, now=0.0)
    rig.answer(spec.Basic.QosOk())
    assert rig.agreed == []
    [_, consume] = rig.sent()

    rig.answer(spec.Basic.ConsumeOk(consume.consumer_tag))

    assert rig.agreed == [True]


def test_the_arguments_of_the_spec_are_sent() -> None:
    rig = SubscriptionRig(50, consume={"exclusive": True, "arguments": {"x-priority": 10}})

    consume = rig.consuming()

    assert (consume.queue, consume.exclusive, consume.no_ack) == ("q", True, False)
    assert consume.arguments == {"x-priority": 10}


def test_a_consumer_with_a_larger_prefetch_replaces_one_with_a_smaller() -> None:
    """On the same channel, so messages of the first one can still be settled."""
    rig = SubscriptionRig(4000)
    first = rig.consuming()

    rig.subscription.arrived([message(redelivered=False)], now=1.0)
    rig.subscription.update(held=1, now=1.0)  # again, while the first one is being cancelled
    [cancel] = rig.sent()
    assert cancel.consumer_tag == first.consumer_tag
    rig.answer(spec.Basic.CancelOk(first.consumer_tag))
    [qos] = rig.sent()
    assert qos.prefetch_count == 4000
    rig.answer(spec.Basic.QosOk())

    [second] = rig.sent()
    assert second.consumer_tag != first.consumer_tag


def test_a_consumer_is_not_replaced_while_messages_may_be_on_their_way() -> None:
    """A quorum queue would requeue them, and count them as delivered once more."""
    rig = SubscriptionRig(4000)
    rig.consuming()
    rig.last_tag = 0  # all its messages are acknowledged already

    rig.subscription.arrived([message(redelivered=False)], now=1.0)
    rig.subscription.update(held=0, now=1.9)
    assert rig.sent() == []
    rig.subscription.update(held=0, now=2.0)

    assert [type(sent) for sent in rig.sent()] == [spec.Basic.Cancel]


def test_it_ends_when_the_broker_has_confirmed() -> None:
    """A second call changes nothing, and nothing starts it again."""
    rig = SubscriptionRig(50)
    consume = rig.consuming()

    rig.subscription.end(lambda: rig.ended.append("first"))
    rig.subscription.end(lambda: rig.ended.append("second"))
    assert rig.ended == []
    rig.answer(spec.Basic.CancelOk(consume.consumer_tag))
    rig.subscription.end(lambda: rig.ended.append("third"))
    rig.subscription.update(held=0, now=1.0)

    assert rig.ended == ["first", "second", "third"]
    assert [type(sent) for sent in rig.sent()] == [spec.Basic.Cancel]


def test_it_may_end_before_it_begins_and_while_it_begins() -> None:
    early = SubscriptionRig(50)
    early.subscription.end(lambda: early.ended.append("early"))
    assert early.ended == ["early"]

    amid = SubscriptionRig(50)
    amid.subscription.update(held=0, now=0.0)
    amid.subscription.end(lambda: amid.ended.append("amid"))
    assert amid.ended == []
    amid.answer(spec.Basic.QosOk())
    assert amid.ended == ["amid"]
    assert [type(sent) for sent in amid.sent()] == [spec.Basic.Qos]


def test_a_closed_channel_is_not_used() -> None:
    """Also while one consumer replaces another."""
    rig = SubscriptionRig(4000)
    first = rig.consuming()
    rig.subscription.arrived([message(redelivered=False)], now=1.0)
    rig.channel.close()
    rig.sent()

    rig.answer(spec.Basic.CancelOk(first.consumer_tag))

    assert [type(sent) for sent in rig.sent()] == [spec.Channel.Close]


def test_a_stream_is_read_from_the_given_offset() -> None:
    rig = SubscriptionRig(50, declare={"arguments": {"x-queue-type": "stream"}})
    rig.subscription.start_at(17)

    assert rig.consuming().arguments == {"x-stream-offset": 17}


def started(**keys: Any) -> SubscriptionRig:
    """A rig that consumes 4000 messages at a time, after the slow start."""
    rig = SubscriptionRig(4000, **keys)
    rig.slow_start.end()
    consume = rig.consuming()
    assert consume is not None
    return rig


def test_a_full_consumer_that_may_grow_is_replaced_by_a_larger_one() -> None:
    """The messages of the first one stay valid, and count beside those of the second one."""
    rig = started()
    rig.full(3999)
    assert rig.grow() == 0
    assert not rig.subscription.is_full

    rig.full(4000)
    assert rig.subscription.is_full
    assert rig.subscription.may_grow
    assert rig.grow() == 8000
    [cancel] = rig.sent()
    assert rig.subscription.is_full  # while it is being replaced, nothing is delivered
    assert rig.grow() == 0
    rig.answer(spec.Basic.CancelOk(cancel.consumer_tag))
    [qos] = rig.sent()
    assert qos.prefetch_count == 8000
    rig.answer(spec.Basic.QosOk())
    rig.sent()

    assert (rig.subscription.prefetch, rig.subscription.is_full) == (12_000, False)
    rig.full(11_999)
    assert not rig.subscription.is_full
    rig.full(12_000)
    assert rig.subscription.is_full


def test_a_replaced_consumer_counts_until_its_messages_are_settled() -> None:
    rig = started()
    for held in (10, 30):
        rig.full(held)
        rig.subscription.pause()
        [cancel] = rig.sent()
        rig.answer(spec.Basic.CancelOk(cancel.consumer_tag))
        rig.subscription.resume()
        rig.answer(spec.Basic.QosOk())
        [_, consume] = rig.sent()
        rig.answer(spec.Basic.ConsumeOk(consume.consumer_tag))
    rig.full(60)
    assert rig.subscription.replaced == 2

    rig.settled = 10
    assert rig.subscription.replaced == 1

    rig.settled = 30
    assert rig.subscription.replaced == 0


def test_the_time_counts_in_which_the_broker_delivers_nothing_after_acknowledgements() -> None:
    """The consumer is replaced only when it is full again."""
    rig = started()
    rig.full(4000)
    rig.last_tag = 2000
    assert not rig.subscription.is_full
    assert rig.subscription.grow(now=0.9, waited=0.4) == 0
    assert rig.sent() == []

    rig.last_tag = 4000
    assert rig.subscription.grow(now=0.9, waited=0.0) == 8000


def test_room_is_needed_where_the_prefetch_is_used_up_and_cannot_double() -> None:
    """Elsewhere a larger prefetch costs less than acknowledgements of single messages."""
    rig = started()
    rig.full(4000)
    assert rig.subscription.needs_room_in is None

    rig.size = 14_000
    assert rig.subscription.needs_room_in == 4000

    rig.last_tag = 3999
    assert rig.subscription.needs_room_in is None


def test_a_check_does_not_undo_growth() -> None:
    rig = started()
    rig.full(4000)
    rig.grow()
    [cancel] = rig.sent()
    rig.answer(spec.Basic.CancelOk(cancel.consumer_tag))
    rig.answer(spec.Basic.QosOk())
    rig.sent()

    rig.subscription.update(held=4000, now=5.0)
    rig.subscription.update(held=0, now=9.0)

    assert rig.sent() == []


@pytest.mark.parametrize(
    "keys", [{"prefetch": 4000}, {"declare": {"arguments": {"x-single-active-consumer": True}}}]
)
def test_a_given_prefetch_or_a_consumer_that_cannot_be_replaced_does_not_grow(
    keys: dict[str, Any],
) -> None:
    rig = started(**keys)
    rig.full(4000)

    assert rig.subscription.is_full
    assert not rig.subscription.may_grow
    assert rig.subscription.needs_room_in == 4000
    assert rig.grow() == 0
    assert rig.sent() == []


def test_a_consumer_that_ends_is_not_full_and_does_not_grow() -> None:
    rig = started()
    rig.full(4000)

    rig.subscription.end(lambda: None)
    rig.sent()

    assert not rig.subscription.is_full
    assert rig.grow() == 0
    assert rig.sent() == []


def test_a_consumer_in_slow_start_is_full_with_few_messages() -> None:
    """Its silence is no idleness; and it will hold more without our doing."""
    rig = SubscriptionRig(4000)
    rig.consuming()

    assert rig.subscription.is_full
    assert rig.subscription.may_grow
    assert rig.grow() == 0


def test_a_paused_subscription_has_no_consumer() -> None:
    rig = SubscriptionRig(50)
    first = rig.consuming()

    rig.subscription.pause()
    rig.subscription.pause()
    [cancel] = rig.sent()
    assert cancel.consumer_tag == first.consumer_tag
    assert not rig.subscription.paused
    rig.answer(spec.Basic.CancelOk(first.consumer_tag))
    rig.subscription.update(held=0, now=9.0)

    assert rig.subscription.paused
    assert rig.sent() == []
    rig.subscription.resume()
    rig.answer(spec.Basic.QosOk())
    assert [type(sent) for sent in rig.sent()] == [spec.Basic.Qos, spec.Basic.Consume]


def test_a_pause_that_ends_before_the_broker_has_confirmed_it() -> None:
    """One new consumer, not two."""
    rig = SubscriptionRig(50)
    first = rig.consuming()
    rig.subscription.pause()
    rig.subscription.resume()

    rig.answer(spec.Basic.CancelOk(first.consumer_tag))
    rig.answer(spec.Basic.QosOk())

    sent = [spec.Basic.Cancel, spec.Basic.Qos, spec.Basic.Consume]
    assert [type(one) for one in rig.sent()] == sent


def test_a_pause_may_come_while_it_begins_and_before() -> None:
    rig = SubscriptionRig(50)
    rig.subscription.update(held=0, now=0.0)
    rig.subscription.pause()
    rig.answer(spec.Basic.QosOk())
    assert rig.subscription.paused
    rig.subscription.end(lambda: rig.ended.append("amid"))
    assert rig.ended == ["amid"]

    early = SubscriptionRig(50)
    early.subscription.pause()
    early.subscription.update(held=0, now=0.0)
    assert early.subscription.paused
    assert early.sent() == []
    early.subscription.resume()
    assert [type(sent) for sent in early.sent()] == [spec.Basic.Qos]


def test_a_stream_resumes_behind_its_last_message() -> None:
    """Else its messages would arrive twice, on one connection."""
    rig = SubscriptionRig(50, declare={"arguments": {"x-queue-type": "stream"}})
    first = rig.consuming()
    properties = spec.BasicProperties(headers={"x-stream-offset": 41})
    last = Message(7, False, b"", b"".join(properties.encode()), b"")
    rig.subscription.arrived([last], now=1.0)
    rig.subscription.pause()
    rig.answer(spec.Basic.CancelOk(first.consumer_tag))
    rig.sent()

    rig.subscription.resume()
    rig.answer(spec.Basic.QosOk())

    [_, consume] = rig.sent()
    assert consume.arguments == {"x-stream-offset": 42}
