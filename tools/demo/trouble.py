"""The error that ends the demo."""

from __future__ import annotations


class DemoTrouble(Exception):
    """The demo cannot go on; the message is for the user who started it."""
