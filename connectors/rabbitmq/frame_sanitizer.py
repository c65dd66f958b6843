"""Sanitizes frames before pika decodes them: pika trusts all input, and could end the job.

Pure. It leaves out headers of a message that pika cannot decode. A frame that no broker sends is an
error that ends the connection, but not the job.
"""

from __future__ import annotations

import struct

from pika import spec
from pika.exceptions import InvalidFrameError, UnexpectedFrameError
from pika.frame import Body, Header, Method, decode_frame

from connectors.rabbitmq.delivery import FRAME, HEADER_FIXED_BYTES
from connectors.rabbitmq.properties import readable


class FrameSanitizer:
    """Sanitizes the frames of one connection that go through pika's own path."""

    def __init__(self) -> None:
        # By channel, while a message arrives: bytes of its body to come; `None`: its header.
        self._awaited: dict[int, int | None] = {}

    def sanitize(self, frame: bytes) -> bytes:
        """Return the frame, without headers that pika cannot decode.

        Raises:
            AMQPError: it is no frame, or is out of order.

        """
        kind, channel, _ = FRAME.unpack_from(frame)
        if kind == spec.FRAME_HEADER:
            at = FRAME.size + HEADER_FIXED_BYTES
            payload = frame[FRAME.size : at] + readable(frame[at:-1])
            frame = FRAME.pack(kind, channel, len(payload)) + payload + frame[-1:]
        try:
            _, decoded = decode_frame(frame)
        except (struct.error, LookupError, ValueError, TypeError) as error:
            raise InvalidFrameError(f"the broker has sent an invalid frame: {error!r}") from None
        self._check_order(channel, decoded)
        return frame

    def _check_order(self, channel: int, decoded: object) -> None:
        if isinstance(decoded, Method):
            if spec.has_content(decoded.method.INDEX):
                self._awaited[channel] = None
        elif isinstance(decoded, Header):
            if self._awaited.get(channel, 0) is not None:
                raise UnexpectedFrameError("a header frame without a method frame before it")
            self._await_body(channel, decoded.body_size)
        elif isinstance(decoded, Body):
            awaited = self._awaited.get(channel)
            if awaited is None:
                raise UnexpectedFrameError("a body frame without a header frame before it")
            self._await_body(channel, awaited - len(decoded.fragment))

    def _await_body(self, channel: int, size: int) -> None:
        self._awaited[channel] = size
        if not size:
            del self._awaited[channel]
