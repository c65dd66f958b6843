"""What a look at a service finds, for a person who asks: `hopper check --connect`.

Pure: the values, and nothing that asks.
"""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at."""

    subject: str
    """What was looked at: `queue orders`."""
    ok: bool | None
    """Whether the job can work with it; `None`: it cannot be known."""
    told: str
    """What was found, and what helps where it is not ok; without a password."""
