"""When something that failed is tried again; it neither waits nor counts. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Backoff(NamedTuple):
    """Exponential back-off with full jitter.

    The rule, and why the jitter should be full, is from "Exponential Backoff And Jitter" on the
    AWS Architecture Blog: many clients that failed at the same time come back at different times.
    """

    first: float
    """Upper bound of the first delay, in seconds."""
    limit: float
    """Upper bound of all delays, in seconds."""

    def delay(self, attempt: int, random: float) -> float:
        """Seconds to wait; `attempt` is 0 after the first failure in a row, 1 after the second.

        `random` is any number from 0 to 1, a new one each time: it is the share of the bound that
        is waited.
        """
        # The exponent is capped because 2.0 ** 1024 is an OverflowError: an outage can be long.
        return random * min(self.limit, self.first * 2.0 ** min(attempt, 64))
