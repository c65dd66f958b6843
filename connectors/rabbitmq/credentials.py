"""Reads the URLs and their passwords again when the broker refuses the login.

A password in a file may be replaced while the job runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from connectors.errors import HopperError
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource

LOG = logging.getLogger("hopper.rabbitmq")

Specs = tuple[RabbitMQSource, RabbitMQDeadLetter | None]


class Credentials:
    """The current URLs of the source and of the dead letter."""

    def __init__(self, read: Callable[[], Specs] | None = None) -> None:
        """`read` reads both specs again from the file; it may raise `HopperError`."""
        self._read = read

    def of_source(self) -> Sequence[str]:
        """Return the URLs of the source to try from now on; empty: keep the known ones."""
        specs = self._specs()
        return specs[0].url if specs else ()

    def of_dead_letter(self) -> Sequence[str]:
        """Return the same for the dead letter."""
        specs = self._specs()
        return (specs[1] and specs[1].url) or specs[0].url if specs else ()

    def _specs(self) -> Specs | None:
        try:
            return self._read() if self._read is not None else None
        except HopperError as error:
            LOG.error("cannot read the credentials again, so the old ones are kept: %s", error)
            return None
