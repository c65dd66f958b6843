"""Whether a consumer has a connection and consumes: for the log, `/health` and the metrics.

The I/O thread of the consumer writes, any thread reads.
"""

from __future__ import annotations

import logging

from connectors.rabbitmq.refusal import NO_QUEUE

LOG = logging.getLogger("hopper.rabbitmq")


class Reach:
    """The state of one consumer's connections."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._has_consumed = False
        self.consuming = False
        """The broker has sent `basic.consume-ok`, and the connection is open."""
        self.lost_because = ""
        """Why it does not consume, with the address; empty: it does, or has not tried yet."""
        self.refused = ""
        """Why it never can consume, with the remedy: the broker refused from the start."""
        self.is_missing = False
        """The broker has answered last that there is no such queue."""

    def agreed(self, address: str) -> None:
        """Note that the broker has sent `basic.consume-ok`."""
        self._has_consumed = self.consuming = True
        self.lost_because, self.is_missing = "", False
        LOG.info("%s: consuming, %s", self._name, address)

    def lost(self, address: str, reason: str, remedy: str, *, expected: bool) -> None:
        """Note that the connection is lost, or could not be opened; `expected`: we closed it.

        A `remedy` counts only if the broker has not agreed on this connection: a connection that
        consumed ends for another reason.
        """
        refused = bool(remedy) and not self.consuming
        self.consuming = False
        self.is_missing = refused and NO_QUEUE in reason
        self.lost_because = f"{address}: {reason}{': ' + remedy if refused else ''}"
        if refused and not self._has_consumed:
            self.refused = f"{self._name}: {self.lost_because}"
        elif refused:
            LOG.error(
                "%s: the broker refuses, next attempt soon, %s", self._name, self.lost_because
            )
        elif not expected:
            LOG.warning("%s: no connection, %s", self._name, self.lost_because)
