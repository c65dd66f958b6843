"""Computes the delay before a retry; it neither waits nor counts. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Backoff(NamedTuple):
    """Exponential back-off with full jitter.

    "Exponential Backoff And Jitter" on the AWS Architecture Blog explains the full jitter: clients
    that fail at the same time then retry at different times.
    """

    first: float
    """Upper bound of the first delay, in seconds."""
    limit: float
    """Upper bound of all delays, in seconds."""

    def delay(self, attempt: int, random: float) -> float:
        """Return the seconds to wait; `attempt` is 0 after the first failure in a row.

        `random`: a new random number from 0 to 1, the share of the bound to wait.
        """
        # Cap the exponent: 2.0 ** 1024 raises OverflowError, and an outage can be long.
        return random * min(self.limit, self.first * 2.0 ** min(attempt, 64))
