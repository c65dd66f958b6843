"""Decides how long a consumer's thread sleeps after a read, so that the next read brings more.

Pure. A read costs as much CPU time as several messages, and so does each batch in the dataflow.

Rule 1: there is no pause after a large read: more is there already.
Rule 2: the pause is `SHORTEST` where messages come fast for the prefetch: the broker waits for
        their acknowledgements.
Rule 3: else it is as long as the windows allow.
"""

from __future__ import annotations

LARGE_READ = 65536
"""Bytes."""
SHORTEST = 0.003
"""Seconds."""
SHARE_OF_PREFETCH = 1 / 32
"""Messages of one read; more are fast. At 1000 a second, the first prefetch allows 30 ms."""


def read_pause(bytes_read: int, messages: int, prefetch: int, longest: float) -> float:
    """Return the seconds to sleep after a read of so many bytes and messages.

    `longest`: how long messages may collect, in seconds.
    """
    if bytes_read >= LARGE_READ:
        return 0.0  # Rule 1
    is_fast = messages > SHARE_OF_PREFETCH * prefetch
    return min(SHORTEST, longest) if is_fast else longest  # Rules 2 and 3
