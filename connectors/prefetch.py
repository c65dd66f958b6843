"""How far the prefetch of a consumer may grow, where the spec does not say a number.

Pure. Open groups can hold all messages that a consumer may hold, and wait for more: an event-time
window that is larger than the prefetch, for example. Then nothing arrives and nothing leaves, until
the consumer may hold more.

Rule 1: What one consumer holds stays within `MAX_MESSAGES` and, by the mean size of what it
        received, within `MAX_BYTES`.
Rule 2: It grows by as much as it begins with, or not at all: a smaller number would stay when the
        groups have left, and make the consumer slow.
"""

from __future__ import annotations

from connectors.spec import DEFAULT_PREFETCH

MAX_MESSAGES = 65_535
"""What `basic.qos` of AMQP can say."""
MAX_BYTES = 256 * 1024**2
"""A fair share of a small container's memory."""


def growth(prefetch: int, held: int, held_bytes: float) -> int:
    """Messages to let in beside the `held` ones; 0: no more.

    `prefetch` is what was let in before; `held_bytes` is an estimate.
    """
    room = MAX_MESSAGES - held
    if held_bytes > 0:
        room = min(room, int(min(held * MAX_BYTES / held_bytes, MAX_MESSAGES)) - held)
    more = min(2 * prefetch, room)
    return more if more >= DEFAULT_PREFETCH else 0  # Rule 2
