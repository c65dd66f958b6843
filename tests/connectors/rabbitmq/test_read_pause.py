"""How long a consumer's thread sleeps after a read."""

from __future__ import annotations

import pytest

from connectors.rabbitmq.read_pause import LARGE_READ, SHORTEST, read_pause


@pytest.mark.parametrize(
    ("bytes_read", "messages", "prefetch", "longest", "pause"),
    [
        (LARGE_READ, 10, 1000, 0.02, 0.0),
        (5000, 20, 1000, 0.02, 0.02),
        (5000, 20, 1000, 0.005, 0.005),
        (20_000, 80, 1000, 0.02, SHORTEST),
        (20_000, 80, 4000, 0.02, 0.02),
        (5000, 4, 100, 0.02, SHORTEST),
        (5000, 4, 100, 0.001, 0.001),
    ],
)
def test_messages_collect_where_they_are_few(
    bytes_read: int, messages: int, prefetch: int, longest: float, pause: float
) -> None:
    """Not after a large read, and not for long where they are many for the prefetch."""
    assert read_pause(bytes_read, messages, prefetch, longest) == pause
