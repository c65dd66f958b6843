"""Frames of a simulated broker go directly into the connection, without broker and socket."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pika
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pika import frame, spec
from pika.channel import Channel
from pika.exceptions import BodyTooLongError, InvalidFrameError

from connectors.message import Message
from connectors.rabbitmq.properties import decode
from connectors.rabbitmq.wire import BatchConnection
from tests.connectors.rabbitmq.amqp_stream import (
    MAX_FRAME,
    connect,
    content,
    cut,
    delivery,
    feed,
    method,
    open_channel,
    weave,
)

LARGE = bytes(2 * MAX_FRAME)


def consume(connection: Any, channel: Channel, on_batch: Callable[[list[Message]], None]) -> str:
    tag: str = connection.consume_batches(channel, "queue", on_batch)
    feed(connection, method(channel.channel_number, spec.Basic.ConsumeOk(tag)))
    return tag


def encoded(properties: Any) -> bytes:
    return b"".join(properties.encode())


def test_each_read_hands_over_one_list() -> None:
    connection, (channel, _) = connect(BatchConnection)
    batches: list[list[Message]] = []
    tag = consume(connection, channel, batches.append)

    feed(connection, b"".join(b"".join(delivery(tag, number)) for number in range(1, 101)))

    assert [[message.tag for message in batch] for batch in batches] == [list(range(1, 101))]


def test_consecutive_messages_share_equal_routes_and_properties() -> None:
    """They would take a fifth of the memory of small messages."""
    connection, (channel, _) = connect(BatchConnection)
    messages: list[Message] = []
    tag = consume(connection, channel, messages.extend)

    alike = b"".join(b"".join(delivery(tag, number)) for number in range(1, 4))
    other = pika.BasicProperties(message_id="other")
    feed(connection, alike + b"".join(delivery(tag, 4, properties=other)))

    assert len({id(message.route) for message in messages}) == 1
    assert len({id(message.properties) for message in messages[:3]}) == 1
    assert messages[3].properties == encoded(other)


def test_a_message_has_the_delivered_content() -> None:
    connection, (channel, _) = connect(BatchConnection)
    messages: list[Message] = []
    tag = consume(connection, channel, messages.extend)
    deliver = spec.Basic.Deliver(tag, 7, True, "ex", "key")
    properties = spec.BasicProperties(content_type="text/plain", message_id="m-1")

    feed(connection, b"".join(content(1, deliver, b"body", properties)))

    assert messages == [Message(7, True, b"\x02ex\x03key", encoded(properties), b"body")]


def test_without_its_hook_the_fast_path_is_slower_and_correct(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if pika had renamed the method that the fast path depends on."""
    monkeypatch.delattr(BatchConnection, "_on_data_available")
    connection, (channel, _) = connect(BatchConnection)
    batches: list[list[Message]] = []
    tag = consume(connection, channel, batches.append)
    properties = spec.BasicProperties(content_type="text/plain", delivery_mode=2)

    for number in (1, 2):
        feed(connection, b"".join(delivery(tag, number, b"body", properties)))

    route = b"\x02ex\x03key"
    assert batches == [
        [Message(number, False, route, encoded(properties), b"body")] for number in (1, 2)
    ]


@pytest.mark.parametrize("body", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_messages_in_flight_when_a_consumer_is_cancelled_are_handed_over(body: bytes) -> None:
    """All that arrive before the broker's confirmation; nothing is sent back."""
    connection, (channel, _) = connect(BatchConnection)
    messages: list[Message] = []
    tag = consume(connection, channel, messages.extend)
    channel.basic_cancel(tag, callback=lambda _: None)
    connection.written.clear()

    feed(connection, b"".join(delivery(tag, 1, body)) + method(1, spec.Basic.CancelOk(tag)))

    assert [message.body for message in messages] == [body]
    assert connection.written == []


@pytest.mark.parametrize("arrived", range(4))
def test_a_channel_that_is_closing_delivers_nothing_more(arrived: int) -> None:
    """Not even a message of which some frames have arrived."""
    connection, (channel, _) = connect(BatchConnection)
    messages: list[Message] = []
    tag = consume(connection, channel, messages.extend)
    frames = delivery(tag, 1, LARGE)
    feed(connection, b"".join(frames[:arrived]))

    channel.close()
    feed(connection, b"".join(frames[arrived:] + delivery(tag, 2)))
    feed(connection, method(1, spec.Basic.CancelOk(tag)) + method(1, spec.Channel.CloseOk()))

    assert messages == []
    assert channel.is_closed


def test_a_channel_that_closes_within_a_read_delivers_nothing_more() -> None:
    connection, (channel, _) = connect(BatchConnection)
    messages: list[Message] = []
    tag = consume(connection, channel, messages.extend)
    channel.add_on_return_callback(lambda *_: channel.close())
    returned = content(1, spec.Basic.Return(312, "NO_ROUTE", "", "x"), b"back")

    feed(connection, b"".join(delivery(tag, 1) + returned + delivery(tag, 2)))

    assert [message.tag for message in messages] == [1]


def test_consumers_of_one_name_on_two_channels_are_separate() -> None:
    connection, channels = connect(BatchConnection)
    messages: list[Message] = []
    tag = consume(connection, channels[0], messages.extend)
    others: list[bytes] = []
    channels[1].basic_consume("queue", lambda *a: others.append(a[-1]), consumer_tag=tag)
    feed(connection, method(2, spec.Basic.ConsumeOk(tag)))

    feed(connection, b"".join(delivery(tag, 1, b"theirs", channel=2)))

    assert (messages, others) == ([], [b"theirs"])


@pytest.mark.parametrize("turns", list(combinations(range(6), 3)))
def test_messages_of_two_channels_are_not_mixed(turns: tuple[int, ...]) -> None:
    """Frame by frame in any order, with equal contents."""
    connection, channels = connect(BatchConnection)
    messages: list[Message] = []
    lanes = []
    for channel, body in zip(channels, (b"one", b"two"), strict=True):
        tag = consume(connection, channel, messages.extend)
        properties = spec.BasicProperties(app_id=body.decode())
        lanes.append(delivery(tag, 1, body, properties, channel.channel_number)[::-1])

    feed(connection, b"".join(lanes[turn in turns].pop() for turn in range(6)))

    pairs = {(decode(message).app_id, message.body) for message in messages}
    assert pairs == {("one", b"one"), ("two", b"two")}


@pytest.mark.parametrize("broken", range(3))
def test_a_frame_without_its_end_is_an_error_as_in_pika(broken: int) -> None:
    connection, (channel, _) = connect(BatchConnection)
    tag = consume(connection, channel, lambda _: None)
    frames = delivery(tag, 1)
    frames[broken] = frames[broken][:-1] + b"?"

    with pytest.raises(InvalidFrameError):
        feed(connection, b"".join(frames + delivery(tag, 2)))


def test_a_new_channel_inherits_no_partial_message() -> None:
    connection, (channel, _) = connect(BatchConnection)
    tag = consume(connection, channel, lambda _: None)
    feed(connection, b"".join(delivery(tag, 1, LARGE)[:2]))
    feed(connection, method(1, spec.Channel.Close(406, "PRECONDITION_FAILED", 0, 0)))
    returned: list[bytes] = []
    successor = open_channel(connection, 1)
    successor.add_on_return_callback(lambda *arguments: returned.append(arguments[-1]))

    feed(connection, b"".join(content(1, spec.Basic.Return(312, "NO_ROUTE", "", "x"), b"back")))

    assert returned == [b"back"]


@pytest.mark.parametrize("body", [b"small", LARGE], ids=["small", "large"])
def test_headers_that_pika_cannot_read_do_not_end_the_connection(body: bytes) -> None:
    """Only their decoder, and only that message, is affected."""
    connection, (channel, _) = connect(BatchConnection)
    messages: list[Message] = []
    tag = consume(connection, channel, messages.extend)
    frames = delivery(tag, 1, body, spec.BasicProperties(headers={"name": True}))
    frames[1] = frames[1].replace(b"namet", b"name?")  # a type that does not exist

    feed(connection, b"".join(frames + delivery(tag, 2)))

    assert [message.tag for message in messages] == [1, 2]
    assert b"name?" in messages[0].properties


def test_a_body_larger_than_announced_is_an_error_as_in_pika() -> None:
    connection, (channel, _) = connect(BatchConnection)
    tag = consume(connection, channel, lambda _: None)
    begun = delivery(tag, 1, b"three")[:2]

    with pytest.raises(BodyTooLongError):
        feed(connection, b"".join([*begun, frame.Body(1, b"more than five").marshal()]))


@pytest.mark.parametrize("tls", [False, True])
def test_a_read_is_large_and_without_tls_happens_once_in_a_turn(tls: bool) -> None:
    class Transport:
        _MAX_RECV_BYTES = 4096
        _MAX_CONSUME_BYTES = 102400

    connection, (channel, _) = connect(BatchConnection)
    transport = connection._transport = Transport()
    if tls:
        connection.params.ssl_options = pika.SSLOptions(ssl.create_default_context())

    consume(connection, channel, lambda _: None)

    assert transport._MAX_RECV_BYTES == BatchConnection.RECEIVE_BYTES
    assert (transport._MAX_CONSUME_BYTES == 1) is not tls
    assert Transport._MAX_RECV_BYTES == 4096, "other connections keep theirs"


@pytest.mark.parametrize("renamed", [False, True])
def test_acknowledging_many_tags_sends_the_same_bytes_as_single_acknowledgements(
    renamed: bool,
) -> None:
    """Also if pika renamed the method that writes several frames."""
    connection, (channel, _) = connect(BatchConnection)
    tags = [1, 3, 2**40]
    connection.written.clear()
    for tag in tags:
        channel.basic_ack(tag)
    expected = b"".join(connection.written)
    connection.written.clear()

    if renamed:
        connection._output_marshaled_frames, write = None, connection._output_marshaled_frames
        channel.basic_ack = lambda tag: write([method(1, spec.Basic.Ack(tag))])
    connection.acknowledge_each(channel, tags)

    assert b"".join(connection.written) == expected


CONSUMERS = [(1, "000000"), (1, "000001"), (2, "000002"), (1, "plain"), (2, "plain-and-longer")]
"""Channel and tag; the plain ones use pika's own `basic_consume` on either connection."""

Event = tuple[Any, ...]

envelopes = st.builds(
    spec.BasicProperties,
    content_type=st.none() | st.just("application/json"),
    headers=st.none() | st.dictionaries(st.sampled_from("abc"), st.integers(0, 9) | st.text()),
    delivery_mode=st.none() | st.sampled_from([1, 2]),
    message_id=st.none() | st.text("0123456789-", max_size=36),
    timestamp=st.none() | st.integers(0, 2**40),
)
sizes = st.sampled_from([0, 1, 13, 235, *range(MAX_FRAME - 9, MAX_FRAME - 6), 2 * MAX_FRAME + 1])
bodies = st.builds(lambda size, byte: bytes([byte]) * size, sizes, st.integers(0, 255))
routes = st.sampled_from(["", "ex", "é" * 9])
deliveries = st.tuples(
    st.just("deliver"), st.sampled_from(CONSUMERS), routes, st.booleans(), envelopes, bodies
)
interruptions = st.one_of(
    st.tuples(st.just("return"), st.sampled_from([1, 2]), envelopes, bodies),
    st.tuples(st.sampled_from(["heartbeat", "blocked", "unblocked"])),
    st.tuples(st.just("cancel"), st.sampled_from(CONSUMERS)),
    st.tuples(st.just("close"), st.sampled_from([1, 2])),
)


@settings(deadline=None)  # the two of them, byte by byte
@given(
    events=st.lists(st.one_of(*[deliveries] * 8, interruptions), max_size=40),
    order=st.randoms(use_true_random=False),
    frames_in_a_row=st.sampled_from([1, 3, 500]),
    bytes_in_a_read=st.sampled_from([7, 100, 4096, 131072]),
)
def test_everything_happens_as_in_pika(
    events: list[Event], order: random.Random, frames_in_a_row: int, bytes_in_a_read: int
) -> None:
    """The same bytes go into both, for any mix of channels and any cuts of reads.

    Each consumer gets the same messages in order, before and after the same other events.
    """
    stream = weave(frames_by_channel(events), order, frames_in_a_row)
    reads = list(cut(stream, order, bytes_in_a_read))

    stock, expected = run(pika.SelectConnection, reads)
    ours, seen = run(BatchConnection, reads)

    for _, tag in CONSUMERS:
        assert as_seen_by(tag, seen) == as_seen_by(tag, expected)
    assert ours.bytes_received == stock.bytes_received


def frames_by_channel(events: list[Event]) -> dict[int, list[bytes]]:
    """A broker numbers the messages of a channel, and sends nothing on a closed one."""
    lanes: dict[int, list[bytes]] = {0: [], 1: [], 2: []}
    tags, closed = {1: 0, 2: 0}, set()
    for event in events:
        match event:
            case "deliver", (channel, consumer), exchange, redelivered, properties, body:
                if channel not in closed:
                    tags[channel] += 1
                    deliver = spec.Basic.Deliver(
                        consumer, tags[channel], redelivered, exchange, f"key.{exchange}"
                    )
                    lanes[channel] += content(channel, deliver, body, properties)
            case "return", channel, properties, body if channel not in closed:
                what = spec.Basic.Return(312, "NO_ROUTE", "", "x")
                lanes[channel] += content(channel, what, body, properties)
            case "cancel", (channel, consumer) if channel not in closed:
                lanes[channel].append(method(channel, spec.Basic.Cancel(consumer)))
            case "close", channel if channel not in closed:
                closed.add(channel)
                what = spec.Channel.Close(406, "PRECONDITION_FAILED", 0, 0)
                lanes[channel].append(method(channel, what))
            case ("heartbeat",):
                lanes[0].append(frame.Heartbeat().marshal())
            case ("blocked",):
                lanes[0].append(method(0, spec.Connection.Blocked("low on memory")))
            case ("unblocked",):
                lanes[0].append(method(0, spec.Connection.Unblocked()))
    return lanes


def run(base: Any, reads: list[bytes]) -> tuple[Any, list[Event]]:
    """Feed a connection, and record what happens."""
    connection, channels = connect(base)
    seen: list[Event] = []
    connection.add_on_connection_blocked_callback(lambda *_: seen.append(("blocked",)))
    connection.add_on_connection_unblocked_callback(lambda *_: seen.append(("unblocked",)))
    for channel in channels:
        record_events(channel, seen)
    for number, tag in CONSUMERS:
        channel = channels[number - 1]
        if base is BatchConnection and not tag.startswith("plain"):
            assert tag == connection.consume_batches(channel, "queue", batch_recorder(tag, seen))
        else:
            channel.basic_consume("queue", message_recorder(tag, seen), consumer_tag=tag)
        feed(connection, method(number, spec.Basic.ConsumeOk(tag)))
    for data in reads:
        feed(connection, data)
    return connection, seen


def record_events(channel: Channel, seen: list[Event]) -> None:
    number = channel.channel_number
    channel.add_on_cancel_callback(lambda f: seen.append(("cancel", f.method.consumer_tag)))
    channel.add_on_close_callback(lambda *_: seen.append(("close", number)))
    channel.add_on_return_callback(
        lambda _, method, properties, body: seen.append(("return", number, vars(properties), body))
    )


def message_recorder(tag: str, seen: list[Event]) -> Callable[..., None]:
    def write(_: Channel, method: Any, properties: Any, body: bytes) -> None:
        route = (method.exchange, method.routing_key)
        envelope = (method.delivery_tag, method.redelivered, *route, vars(properties))
        seen.append(("message", tag, *envelope, body))

    return write


def batch_recorder(tag: str, seen: list[Event]) -> Callable[[list[Message]], None]:
    def write(batch: list[Message]) -> None:
        assert batch
        for message in batch:
            end = 1 + message.route[0]
            route = (message.route[1:end].decode(), message.route[end + 1 :].decode())
            properties = vars(spec.BasicProperties().decode(message.properties))
            envelope = (message.tag, message.redelivered, *route, properties)
            seen.append(("message", tag, *envelope, message.body))

    return write


def as_seen_by(tag: str, seen: list[Event]) -> list[Event]:
    """The events of one consumer: a batch connection may mix the order of consumers."""
    return [event for event in seen if event[0] != "message" or event[1] == tag]
