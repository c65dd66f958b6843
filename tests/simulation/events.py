"""Events of a simulated world, drawn from its random generator, so a seed repeats them."""

from __future__ import annotations

import random


def event(draw: random.Random, number: int, now: float) -> bytes:
    """A body with a number, one of two keys, and an event time: now, or up to ten seconds ago."""
    late = draw.choice([0, 0, 0, 0, draw.random() * 10])
    return b'{"n":%d,"key":%d,"at":%f}' % (number, draw.randint(1, 2), now - late)
