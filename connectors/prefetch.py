"""Finds how many messages a consumer may hold, so that their bytes stay within its memory.

Pure: `now` is an argument, in seconds of any clock that only goes forward. Brokers limit messages,
not bytes, and neither the size of messages nor the speed of the sink is known beforehand.

Rule 1: the prefetch begins with `FIRST_PREFETCH`. A number in the spec is the first prefetch, and
        the largest one.
Rule 2: it grows when its prefetch was used up for `STALLED_SHARE` of the time while dataflow and
        sink waited for messages. It is used up until messages arrive and leave some of it: a broker
        needs time for acknowledgements, and then it may deliver just as many messages. It grows
        sixteenfold while the messages take little memory (`SMALL_SHARE`), and else it doubles.
Rule 3: a new consumer gets no more messages than memory has room for beside the held ones, by
        their mean size. Room for fewer messages than the prefetch is used after `STUCK_AFTER`
        only: a smaller prefetch stays when the held messages have left.
Rule 4: when the memory has no room for another message of the mean size of the held ones, nothing
        more is read until it has, and `FREE_SHARE` of it is free. A message that is larger than the
        memory is read while nothing else is held.
Rule 5: when less than half of the prefetch fills the memory, messages have become larger: the
        prefetch shrinks to as many as are held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

MAX_MESSAGES = 65_535
"""The largest prefetch of `basic.qos`."""
FIRST_PREFETCH = 1000
"""Messages: one default window, or 1 MiB of messages of 1 KiB."""
MESSAGE_OVERHEAD = 600
"""Bytes that each held message takes beside its body and its properties: objects, and its places in
a group and in a request."""
FREE_SHARE = 1 / 8
"""Share of the memory: the mean size of the next messages may be that much larger."""
FAST_GROWTH, SMALL_SHARE = 16, 1 / 4
"""Factor, and share of the memory that it may fill. With small messages a classic queue delivers as
fast as it can with a prefetch of 6000, a quorum queue with one of 16,000. To double up to them
takes up to a second, at half of the rate."""
STALLED_SHARE, MIN_STALLED = 0.15, 0.01
"""Share of the time, and seconds: a larger prefetch then gains more than replacing the consumer
costs, which is three round trips to the broker."""
PERIOD = 0.25
"""Seconds after which the share of the time is measured anew."""
STUCK_AFTER = 1.0
"""Seconds: within them, a healthy sink answers, and a window that is due leaves."""
SMALLEST_STEP = 1 / 16
"""The smallest step, as a share of the held messages: less is not worth a new consumer."""


class Held(NamedTuple):
    """The messages of a consumer without an outcome."""

    messages: int = 0
    bytes: int = 0
    """With `MESSAGE_OVERHEAD` for each message."""


class AdaptivePrefetch:
    """The prefetch of one consumer; it outlives connections."""

    def __init__(self, number: int | None, memory: Callable[[], int]) -> None:
        """`number`: the largest prefetch, if the spec sets one; `memory`: bytes, may change."""
        self._max, self._memory = number or MAX_MESSAGES, memory
        self.wanted = number or FIRST_PREFETCH
        """The prefetch that the consumer should have."""
        self._message_bytes = 0.0  # mean of the messages that were held at last
        self._measured_from = self._stalled = 0.0  # the period, and seconds of it
        self._left_at = 0.0  # when the last message arrived that left some of the prefetch
        self._counted_until = 0.0  # until then, `_stalled` has all waits
        self._waits = False  # dataflow and sink have waited, and nothing has arrived since then
        self._stuck_from: float | None = None
        self._is_due = False  # it is to grow, as soon as the consumer is full

    @property
    def memory(self) -> int:
        """Bytes that the messages of the consumer may take."""
        return self._memory()

    def arrived(self, held: Held, now: float, *, used_up: bool = False) -> None:
        """Note that messages have arrived; `held` counts them too.

        `used_up`: they leave nothing of the prefetch.
        """
        if held.messages:
            self._message_bytes = held.bytes / held.messages
        if self._waits:
            self._count(now - self._counted_until, now)
            self._waits = False
        if not used_up:
            self._left_at, self._stuck_from = now, None
        if now - self._measured_from >= PERIOD:
            self._is_due = self._has_stalled(now)
            self._measured_from, self._stalled = now, 0.0

    def waited(self, seconds: float, now: float) -> None:
        """Note that dataflow and sink have waited while the prefetch was used up, until now."""
        self._count(seconds, now)
        self._waits = True

    def of_next(self, held: Held, waited: float) -> int:
        """Return the prefetch of a consumer that subscribes now; 0: let it wait for room. Rule 3.

        `waited`: the seconds that it has waited.
        """
        prefetch = max(0 if held.messages else 1, min(self.wanted, self._room(held)))
        is_free = 2 * held.bytes <= self.memory or 2 * prefetch >= self.wanted
        return prefetch if is_free or waited >= STUCK_AFTER else 0

    def step(self, prefetch: int, held: Held) -> int:
        """Return how many messages a full consumer may be allowed beside the held ones; 0: none."""
        fast = min(FAST_GROWTH * prefetch, self._fitting(self.memory * SMALL_SHARE, held))
        more = min(max(2 * prefetch, fast), self._max - held.messages, self._room(held))
        return more if more >= max(1, min(prefetch, held.messages * SMALLEST_STEP)) else 0

    def grow(self, prefetch: int, held: Held, now: float) -> int:
        """Return the prefetch for a new consumer beside the held messages; 0: keep the consumer.

        To be called while the consumer is full, and dataflow and sink wait. Rules 2 and 3.
        """
        more = self.step(prefetch, held)
        is_stuck = self._stuck_from is not None and now - self._stuck_from >= STUCK_AFTER
        is_due = more >= prefetch and (self._is_due or self._has_stalled(now))
        if not more or not (is_due or is_stuck):
            return 0
        self._measured_from, self._stalled, self._stuck_from = now, 0.0, None
        self._is_due = self._waits = False
        self.wanted = more
        return more

    def shrink(self, prefetch: int, held: Held) -> bool:
        """Return whether a smaller prefetch is wanted now that memory is full. Rule 5."""
        if 2 * held.messages >= prefetch:
            return False
        self.wanted = max(1, held.messages)
        return True

    def may_read(self, held: Held, *, reads: bool) -> bool:
        """Return whether the consumer may read more; `reads`: whether it does so now. Rule 4."""
        if not held.messages:
            return True
        size = held.bytes / held.messages
        needed = size if reads else max(size, self.memory * FREE_SHARE)
        return held.bytes + needed < self.memory

    def _count(self, seconds: float, now: float) -> None:
        """Count a wait until now, but no moment of it twice."""
        began = min(now, max(now - seconds, self._left_at, self._counted_until))
        self._stalled += now - began
        self._counted_until = now
        if self._stuck_from is None:
            self._stuck_from = began

    def _has_stalled(self, now: float) -> bool:
        share = STALLED_SHARE * (now - self._measured_from)
        return self._stalled >= max(share, MIN_STALLED)

    def _room(self, held: Held) -> int:
        return self._fitting(self.memory * (1 - FREE_SHARE) - held.bytes, held)

    def _fitting(self, free: float, held: Held) -> int:
        """Return how many messages fit into so many bytes, by the mean size of the held ones."""
        size = held.bytes / held.messages if held.messages else self._message_bytes
        return min(MAX_MESSAGES, int(free / size)) if size else MAX_MESSAGES
