"""Keeps a message that kills the job from taking its neighbours with it.

Pure. Each crash of a consumer counts against all messages that it held, and a queue with a delivery
limit drops those that were delivered too often; so after a crash few are held at a time, and a
message that has come too often is not read again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.message import Message, Rejected, Rejection
from connectors.rabbitmq.properties import header

FIRST = 1
"""Messages that are held at first: when the very first one kills, it dies alone."""
FEW = 100
"""Neighbours that one may have at the most, without more ado."""
GROWTH = 4
"""Factor at each step: from 1 to 4096 in six steps."""
PATIENCE = 1.0
"""Seconds until the next step at the latest, for messages that came back once: a window that waits
for more messages than are let in would otherwise wait for ever. What kills when it is read does so
within milliseconds."""
PROBE_PATIENCE = 3.0
"""Likewise for a probe: most windows are written within that time, so it takes one message."""


class SlowStart:
    """How many messages a consumer may hold: few, until those that came back have done no harm.

    Rule 1: it starts with `FIRST`.
    Rule 2: messages that are not redelivered end it.
    Rule 3: while messages come back, it lets in more when half of those it let in are settled.
    Rule 4: or when its patience is over, which grows with each time they came back.
    Rule 5: who may hold few messages anyway has no reason for it.
    Rule 6: a probe (see `circuit_breaker.py`) lets in one message in any case, and only its outcome
            or `PROBE_PATIENCE` ends it: a window by count alone waits for more than one message.
    """

    def __init__(self, prefetch: int, *, probe: bool = False) -> None:
        self._most, self._probe = prefetch, probe
        self._since: float | None = None  # the first message at this step
        self._patience = PROBE_PATIENCE if probe else PATIENCE
        self.prefetch = FIRST if prefetch > FEW or probe else prefetch  # Rules 1, 5 and 6
        """Messages that may be held now."""

    def accepted(self) -> None:
        """What was a probe is none any more."""
        if self._probe:
            self._probe = False
            self.end()

    @property
    def is_probe_in_name_only(self) -> bool:
        """All may be held, and no message of the probe has an outcome yet."""
        return self._probe and self.over and self._most > FIRST

    def end(self) -> None:
        """There is no reason for it: a lost connection, for example, is no crash."""
        self.prefetch = self._most

    def allow(self, prefetch: int) -> None:
        """Let in as many from now on, after a lost connection too."""
        self._most = self.prefetch = prefetch

    @property
    def over(self) -> bool:
        """All may be held that ever may be."""
        return self.prefetch == self._most

    def arrived(self, messages: Sequence[Message], now: float) -> None:
        """Look at what has come."""
        if self._since is None:
            self._since = now
        if self._probe:
            return  # Rule 6
        if not any_redelivered(messages):
            self.end()  # Rule 2
        self._patience = PATIENCE * max(1, *map(_delivery_count, messages))

    def look(self, held: int, now: float) -> None:
        """Let in more, if it is time; `held` are those that are not settled yet."""
        if self._since is None or self.over:
            return
        if held <= self.prefetch // 2 or now - self._since >= self._patience:
            self._since = now
            self.prefetch = min(GROWTH * self.prefetch, self._most)  # Rules 3 and 4


def any_redelivered(messages: Sequence[Message]) -> bool:
    """Whether there is something to look at: 15 ns for a message that is not redelivered."""
    return True in [message.redelivered for message in messages]


def sort_out(messages: list[Message], most: int) -> tuple[list[Message], list[Rejected]]:
    """Take away messages that were delivered `most` times before, and never settled.

    Only quorum queues count deliveries; of others nothing is taken away.
    """
    good, poison = [], []
    for message in messages:
        count = _delivery_count(message)
        if count >= most:
            poison.append(Rejected(message, Rejection(_REASON.format(count=count))))
        else:
            good.append(message)
    return good, poison


def nack_is_no_failure(server: Mapping[str, Any]) -> bool:
    """Whether a broker, by its properties, counts no failed delivery for `basic.nack`.

    RabbitMQ does so since 4.3, where a channel that is closed still counts one.
    """
    found = re.match(r"(\d+)\.(\d+)", str(server.get("version")))
    if found is None or server.get("product") != "RabbitMQ":
        return False
    return (int(found[1]), int(found[2])) >= (4, 3)


def _delivery_count(message: Message) -> int:
    count = header(message.properties, _DELIVERY_COUNT) if message.redelivered else 0
    return count if isinstance(count, int) else 0


_DELIVERY_COUNT = b"x-delivery-count"
"""Header in which a quorum queue tells how often a message was delivered before."""
_REASON = "most_deliveries: was delivered {count} times before, and each time it came back"
