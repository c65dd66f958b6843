"""pika's connection with a fast path: cuts deliveries out of the byte stream, a list for each read.

Everything else on the wire goes through pika's own path, one frame at a time and in order; of
messages among it, that were returned, headers are left out that could end the connection.
It leaves properties undecoded (see `properties.py`), and knows nothing of acknowledgements.

Of pika's internals it rests on one method, `Connection._on_data_available(bytes)`. Were it renamed,
`BatchConnection` would still be right, only slower: each message would come through pika's own
path, as a list of one. A few more names are used where they exist, and not missed elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pika
from pika import spec
from pika.channel import Channel

from connectors.message import Message
from connectors.rabbitmq.delivery import (
    FRAME,
    START,
    Assembly,
    encode_ack,
    encode_route,
    header_size_at,
    shape,
    start_of_deliveries,
    without_size,
)
from connectors.rabbitmq.frame_sanitizer import FrameSanitizer

OnBatch = Callable[[list[Message]], None]


class BatchConnection(pika.SelectConnection):  # type: ignore[misc]  # pika has no types
    """A `SelectConnection` that also hands over messages in lists."""

    RECEIVE_BYTES = 131072
    """Asked of the socket at once. pika asks for 4 KiB, which is eleven small messages, and a read
    costs as much as ten of them; from 128 KiB on nothing more is gained."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._partial = b""  # the beginning of a frame whose rest has not arrived
        self._batch_consumers: list[_Consumer] = []
        self._live: dict[bytes, _Consumer] = {}  # those that want messages now
        # By the start of a delivery: whose it is, and where it tells the size of its header.
        self._expected: dict[bytes, tuple[_Consumer, int]] = {}
        self._assemblies: dict[int, tuple[_Consumer, Assembly]] = {}  # by channel
        self._foreign = FrameSanitizer()
        super().__init__(*arguments, **options)

    def consume_batches(
        self,
        channel: Channel,
        queue: str,
        on_batch: OnBatch,
        *,
        exclusive: bool = False,
        arguments: Mapping[str, Any] | None = None,
        callback: Callable[[Any], None] | None = None,
    ) -> str:
        """Consume a queue, with acknowledgements; return the consumer tag.

        `on_batch` gets lists that are never empty, in order of arrival, usually one for each read
        of the socket; the list is the caller's to keep. After `channel.basic_cancel`, what is
        under way is still handed over until the broker has confirmed (pika itself would send each
        message back). `callback` is called with `Basic.ConsumeOk`.
        """
        self._read_more_at_once()
        tag = f"{len(self._batch_consumers):06d}"
        consumer = _Consumer(tag, channel, on_batch)
        self._batch_consumers.append(consumer)
        channel.basic_consume(
            queue,
            consumer.on_message,
            exclusive=exclusive,
            consumer_tag=tag,
            arguments=dict(arguments or {}),
            callback=callback,
        )
        return tag

    def acknowledge_each(self, channel: Channel, tags: Sequence[int]) -> None:
        """Acknowledge these messages and no others, as so many `channel.basic_ack`, in one write.

        pika would build an object and make a system call for each: 7 µs in place of 0.3.
        """
        write = getattr(self, "_output_marshaled_frames", None)
        if channel.is_open and write is not None:
            write([b"".join([encode_ack(channel.channel_number, tag) for tag in tags])])
        else:
            for tag in tags:
                channel.basic_ack(tag)

    def _read_more_at_once(self) -> None:
        transport: Any = getattr(self, "_transport", None)
        if hasattr(transport, "_MAX_RECV_BYTES"):
            transport._MAX_RECV_BYTES = max(self.RECEIVE_BYTES, transport._MAX_RECV_BYTES)
        if hasattr(transport, "_MAX_CONSUME_BYTES") and self.params.ssl_options is None:
            # One read a turn of the loop: pika would go on until a read brings nothing, and let
            # timers wait while messages trickle in. TLS has more than what the socket shows.
            transport._MAX_CONSUME_BYTES = 1

    def _on_data_available(self, data: bytes) -> None:
        """Override of pika's hook: what the socket has read, cut anywhere."""
        buffer = self._partial + data if self._partial else data
        self._find_live()
        position = 0
        while True:
            cut = self._cut_deliveries(buffer, position)
            # pika's heartbeat checker looks at this counter to see whether the broker is alive.
            self.bytes_received += cut - position
            position = self._take_frame(buffer, cut)
            if position == cut:
                break
        self._partial = buffer[position:]
        self._flush()

    def _proto_connection_lost(self, error: BaseException | None) -> None:
        """Override of pika's hook: a defect of ours is not a lost connection, to be made again."""
        if error is not None and not isinstance(error, (OSError, pika.exceptions.AMQPError)):
            raise error
        super()._proto_connection_lost(error)

    def _cut_deliveries(self, buffer: bytes, position: int) -> int:
        """Cut out whole messages as long as one follows the other; return where they end.

        This is the loop whose cost counts for each message. What stands between the variable parts
        of a message of one body frame is known beforehand: comparing it is all the checking.
        """
        end, frame_end = len(buffer), spec.FRAME_END
        while True:
            start = buffer[position : position + START.size]
            expected = self._expected.get(start) or self._expect(start)
            if expected is None:
                return position
            consumer, size_at = expected
            header_size = buffer[position + size_at : position + size_at + 4]
            unpack, size, middle, last = shape(start, header_size)
            append, began = consumer.batch.append, position
            while position + size < end:
                head, tag, redelivered, route, between, length, properties, mark, frame_size = (
                    unpack(buffer, position)
                )
                if head != start or between != middle:
                    break  # another consumer, route or properties of another length, no delivery
                body_at = position + size
                done = body_at + length
                if done >= end or mark != last or frame_size != length or buffer[done] != frame_end:
                    return position
                append(Message(tag, redelivered, route, properties, buffer[body_at:done]))
                position = done + 1
            if position == began:
                return position

    def _expect(self, start: bytes) -> tuple[_Consumer, int] | None:
        """Whose delivery starts like this, and where it tells its header's size; if it is ours."""
        consumer = self._live.get(without_size(start))
        if consumer is None:
            return None
        self._expected[start] = consumer, header_size_at(start)
        return self._expected[start]

    def _take_frame(self, buffer: bytes, position: int) -> int:
        """Take one frame of any kind; return where it ends: at `position`, if it is not whole."""
        if position + FRAME.size >= len(buffer):
            return position
        kind, _, size = FRAME.unpack_from(buffer, position)
        # A broker that speaks another protocol answers with eight bytes that are no frame.
        end = position + (8 if kind == _PROTOCOL_HEADER else FRAME.size + size + 1)
        if end > len(buffer):
            return position
        if buffer[end - 1] == spec.FRAME_END and self._assemble(buffer, position, end):
            self.bytes_received += end - position
        else:
            self._flush()  # what came before it comes first
            frame = self._foreign.fit(buffer[position:end])
            self.bytes_received += end - position - len(frame)
            super()._on_data_available(frame)
            self._find_live()
        return end

    def _assemble(self, buffer: bytes, position: int, end: int) -> bool:
        """Add a frame to the message it belongs to; false, if it is none of ours.

        Messages come here that have no body or a large one, that mix with other channels' frames,
        or that a read has cut in two. pika could do it too, but it decodes the properties: a header
        that it cannot read would end the connection, again and again.
        """
        kind, channel, _ = FRAME.unpack_from(buffer, position)
        if kind == spec.FRAME_METHOD:
            method_frame = buffer[position : end - 1]
            begun = self._live.get(without_size(method_frame[: START.size]))
            if begun is not None:
                self._assemblies[channel] = begun, Assembly(method_frame)
            return begun is not None
        if channel not in self._assemblies:
            return False
        consumer, assembly = self._assemblies[channel]
        if consumer.channel.is_closed:  # its number has gone to another channel
            del self._assemblies[channel]
            return False
        message = assembly.add(kind, buffer[position + FRAME.size : end - 1])
        if message is not None:
            del self._assemblies[channel]
            if consumer.wants_messages:
                consumer.batch.append(message)
        return True

    def _find_live(self) -> None:
        live = {
            consumer.start: consumer
            for consumer in self._batch_consumers
            if consumer.wants_messages
        }
        if live != self._live:
            self._live, self._expected = live, {}

    def _flush(self) -> None:
        for consumer in self._batch_consumers:
            if consumer.batch:
                batch, consumer.batch = consumer.batch, []
                consumer.on_batch(batch)


_PROTOCOL_HEADER = ord("A")
"""First byte of `AMQP`, where a frame has its kind."""


class _Consumer:
    """Collects the messages of one read."""

    def __init__(self, tag: str, channel: Channel, on_batch: OnBatch) -> None:
        self.tag, self.channel, self.on_batch = tag, channel, on_batch
        self.start = start_of_deliveries(channel.channel_number, tag)
        self.batch: list[Message] = []

    @property
    def wants_messages(self) -> bool:
        """Neither has it been cancelled, nor is its channel being closed."""
        return self.channel.is_open and self.tag in self.channel.consumer_tags

    def on_message(self, _: Channel, method: Any, properties: Any, body: bytes) -> None:
        """Hand over what comes through pika's own path: nothing, as long as our hook is called."""
        route = encode_route(method.exchange, method.routing_key)
        encoded = b"".join(properties.encode())
        self.on_batch([Message(method.delivery_tag, method.redelivered, route, encoded, body)])
