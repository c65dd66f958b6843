"""What keeps the demo from going on."""

from __future__ import annotations


class Trouble(Exception):
    """The demo cannot go on; the message is for whoever started it."""
