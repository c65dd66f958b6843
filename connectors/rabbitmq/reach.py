"""Whether a consumer reaches its queue: said in the log, and told to those who ask.

The I/O thread of the consumer writes, any thread reads.
"""

from __future__ import annotations

import logging

LOG = logging.getLogger("hopper.rabbitmq")


class Reach:
    """Of one consumer, over all of its connections."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ever = False
        self.consuming = False
        """The broker has agreed (`basic.consume-ok`), and the connection lives."""
        self.lost_because = ""
        """Why it does not consume, with the place; empty: it does, or has not tried yet."""
        self.refused = ""
        """Why it never can, with the remedy: the broker refused before it has ever consumed."""

    def agreed(self, place: str) -> None:
        """The broker lets it consume."""
        self._ever = self.consuming = True
        self.lost_because = ""
        LOG.info("%s: consuming, %s", self._name, place)

    def lost(self, place: str, reason: str, remedy: str, *, wanted: bool) -> None:
        """The connection is gone, or could not be made; `wanted`: we ended it.

        A `remedy` is what helps when waiting does not, unless the broker has agreed before: then
        the connection ended for another reason.
        """
        refused = bool(remedy) and not self.consuming
        self.consuming = False
        self.lost_because = f"{place}: {reason}{': ' + remedy if refused else ''}"
        if refused and not self._ever:
            self.refused = f"{self._name}: {self.lost_because}"
        elif refused:
            LOG.error("%s: refused, and tries again, %s", self._name, self.lost_because)
        elif not wanted:
            LOG.warning("%s: no connection, %s", self._name, self.lost_because)
