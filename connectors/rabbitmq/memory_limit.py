"""Keeps the messages of one channel within their memory: the broker keeps what is not read.

The prefetch alone cannot do that: it counts messages, and the next ones may be larger. What is
read, and how large the prefetch becomes, is decided in `connectors/prefetch.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from connectors.prefetch import AdaptivePrefetch, Held
from connectors.rabbitmq.socket_reading import SocketReading


class MemoryLimit:
    """Of one channel; it ends with the channel."""

    def __init__(
        self,
        reading: SocketReading,
        prefetch: AdaptivePrefetch,
        held: Callable[[], Held],
        shrink: Callable[[], None],
    ) -> None:
        """`held` tells what the channel holds; `shrink` asks for a smaller prefetch."""
        self._reading, self._prefetch, self._held, self._shrink = reading, prefetch, held, shrink
        self._on_ended: Callable[[], None] | None = None
        self.discards = False
        """The broker is to requeue what arrives from now on, when the channel is closed."""

    @property
    def is_reached(self) -> bool:
        """Nothing is read, since the held messages fill the memory."""
        return self._reading.is_paused

    def update(self) -> None:
        """Stop or go on reading, as the held messages allow."""
        paused = self._reading.is_paused
        if self._prefetch.may_read(self._held(), reads=not paused) or self.discards:
            self._reading.resume()
        elif self._on_ended is not None:
            self.discard()
        elif not paused:
            self._reading.pause()
            self._shrink()
        self._reading.keep_alive()

    def end(self, on_ended: Callable[[], None]) -> None:
        """Call this instead of waiting, if messages on their way do not fit into the memory.

        The consumer is being cancelled; the broker confirms that behind these messages.
        """
        self._on_ended = on_ended
        self.update()

    def discard(self) -> None:
        """Read on, and keep no message that arrives."""
        self.discards = True
        self._reading.resume()
        on_ended, self._on_ended = self._on_ended, None
        if on_ended is not None:
            on_ended()
