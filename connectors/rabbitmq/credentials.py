"""Reads the URLs again, and the passwords in them, when the broker does not let us in.

A password that stands in a file is changed there first, while the job is running.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from connectors.errors import HopperError
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource

LOG = logging.getLogger("hopper.rabbitmq")

Specs = tuple[RabbitMQSource, RabbitMQDeadLetter | None]


class Credentials:
    """Of the source, and of where messages are parked."""

    def __init__(self, read: Callable[[], Specs] | None = None) -> None:
        """`read` reads both from where they came from; it may raise `HopperError`."""
        self._read = read

    def of_source(self) -> Sequence[str]:
        """URLs to try from now on; none: those that are known."""
        specs = self._specs()
        return specs[0].url if specs else ()

    def of_dead_letter(self) -> Sequence[str]:
        """The same, for parking."""
        specs = self._specs()
        return (specs[1] and specs[1].url) or specs[0].url if specs else ()

    def _specs(self) -> Specs | None:
        try:
            return self._read() if self._read is not None else None
        except HopperError as error:
            LOG.error("the credentials cannot be read again: %s", error)
            return None
