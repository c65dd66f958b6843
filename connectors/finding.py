"""The result of checking a service, for `hopper check --connect`.

Pure.
"""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """The result of checking one thing."""

    subject: str
    """The name of what was checked, such as `queue orders`."""
    ok: bool | None
    """Whether the job can work with it; `None`: unknown."""
    text: str
    """The result, with the remedy if it is not ok; without a password."""
