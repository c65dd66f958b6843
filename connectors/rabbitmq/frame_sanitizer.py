"""Makes frames fit for pika, which trusts all input: nothing in them may end the job.

Pure. What a sender can put into a message is left out where pika could stop at it; what no broker
sends is told by an error that ends the connection, and no more than that.
"""

from __future__ import annotations

import struct

from pika import spec
from pika.exceptions import InvalidFrameError, UnexpectedFrameError
from pika.frame import Body, Header, Method, decode_frame

from connectors.rabbitmq.delivery import FRAME, HEADER_FIXED_BYTES
from connectors.rabbitmq.properties import readable


class FrameSanitizer:
    """The frames of one connection that are not ours."""

    def __init__(self) -> None:
        # By channel, while a message is under way: bytes of its body to come; None: its header is.
        self._awaited: dict[int, int | None] = {}

    def fit(self, frame: bytes) -> bytes:
        """Return the frame, or one that says less.

        Raises:
            AMQPError: it is none, or is out of place.

        """
        kind, channel, _ = FRAME.unpack_from(frame)
        if kind == spec.FRAME_HEADER:
            at = FRAME.size + HEADER_FIXED_BYTES
            payload = frame[FRAME.size : at] + readable(frame[at:-1])
            frame = FRAME.pack(kind, channel, len(payload)) + payload + frame[-1:]
        try:
            _, decoded = decode_frame(frame)
        except (struct.error, LookupError, ValueError, TypeError) as error:
            raise InvalidFrameError(f"the broker has sent no frame: {error!r}") from None
        self._check_order(channel, decoded)
        return frame

    def _check_order(self, channel: int, decoded: object) -> None:
        if isinstance(decoded, Method):
            if spec.has_content(decoded.method.INDEX):
                self._awaited[channel] = None
        elif isinstance(decoded, Header):
            if self._awaited.get(channel, 0) is not None:
                raise UnexpectedFrameError("a header of no message")
            self._await_body(channel, decoded.body_size)
        elif isinstance(decoded, Body):
            awaited = self._awaited.get(channel)
            if awaited is None:
                raise UnexpectedFrameError("a body of no message")
            self._await_body(channel, awaited - len(decoded.fragment))

    def _await_body(self, channel: int, size: int) -> None:
        self._awaited[channel] = size
        if not size:
            del self._awaited[channel]
