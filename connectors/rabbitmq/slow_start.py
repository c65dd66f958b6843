"""Slow start: limits how many messages a poison message can harm when it crashes the job.

Pure. Each crash counts one delivery for every message that the consumer held, and a queue with a
delivery limit drops messages that were delivered too often. So a consumer holds few messages after
a crash, and parks a message that was delivered too often without reading it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.message import Message, Rejected, Rejection
from connectors.rabbitmq.properties import header

FIRST_PREFETCH = 1
"""Messages: if the first one crashes the job, no other message counts that crash."""
SMALL_PREFETCH = 100
"""Messages: a prefetch up to this one needs no slow start."""
GROWTH = 4
"""Factor of the prefetch at each step: from 1 to 4096 in six steps."""
STEP_AFTER = 1.0
"""Seconds until the next step at the latest, multiplied by the delivery count: a window that needs
more messages than the prefetch would otherwise never close. A message that crashes the job when it
is read does so within milliseconds."""
PROBE_STEP_AFTER = 3.0
"""Seconds, likewise for a probe: most windows are written within that time, so one message is
enough."""


class SlowStart:
    """The prefetch of a consumer that starts: small, until redelivered messages have an outcome.

    Rule 1: it starts with `FIRST_PREFETCH`.
    Rule 2: a batch without redelivered messages ends slow start.
    Rule 3: while messages are redelivered, the prefetch grows when half of it is settled.
    Rule 4: the prefetch also grows after `STEP_AFTER` seconds for each earlier delivery.
    Rule 5: a prefetch of `SMALL_PREFETCH` or less needs no slow start.
    Rule 6: a probe (see `circuit_breaker.py`) always starts with one message, and grows only by
            its outcome or after `PROBE_STEP_AFTER`: a window by count alone needs several messages.
    """

    def __init__(self, prefetch: int, *, probe: bool = False) -> None:
        self._max_prefetch, self._probe = prefetch, probe
        self._since: float | None = None  # when this step's first message arrived
        self._step_after = PROBE_STEP_AFTER if probe else STEP_AFTER
        is_slow = probe or prefetch > SMALL_PREFETCH
        self.prefetch = FIRST_PREFETCH if is_slow else prefetch  # Rules 1, 5 and 6
        """Messages that the consumer may hold now."""

    def accepted(self) -> None:
        """End the probe: one of its messages is stored."""
        if self._probe:
            self._probe = False
            self.end()

    @property
    def probe_has_grown(self) -> bool:
        """The probe has reached the full prefetch, and none of its messages has an outcome."""
        return self._probe and self.over and self._max_prefetch > FIRST_PREFETCH

    def end(self) -> None:
        """Allow the full prefetch at once: after a lost connection, for example, not a crash."""
        self.prefetch = self._max_prefetch

    def allow(self, prefetch: int) -> None:
        """Allow this prefetch from now on, also on later connections."""
        self._max_prefetch = self.prefetch = prefetch

    @property
    def over(self) -> bool:
        """The full prefetch is allowed."""
        return self.prefetch == self._max_prefetch

    def arrived(self, messages: Sequence[Message], now: float) -> None:
        """Inspect a batch that arrived: does it hold redelivered messages?"""
        if self._since is None:
            self._since = now
        if self._probe:
            return  # Rule 6
        if not any_redelivered(messages):
            self.end()  # Rule 2
        self._step_after = STEP_AFTER * max(1, *map(_delivery_count, messages))

    def update(self, held: int, now: float) -> None:
        """Raise the prefetch if a step is due; `held` messages are not settled yet."""
        if self._since is None or self.over:
            return
        if held <= self.prefetch // 2 or now - self._since >= self._step_after:
            self._since = now
            self.prefetch = min(GROWTH * self.prefetch, self._max_prefetch)  # Rules 3 and 4


def any_redelivered(messages: Sequence[Message]) -> bool:
    """Return whether one of the messages is redelivered; it takes 15 ns a message."""
    return True in [message.redelivered for message in messages]


def split_off_poison(
    messages: list[Message], max_deliveries: int
) -> tuple[list[Message], list[Rejected]]:
    """Return the messages to read, and those that were delivered `max_deliveries` times before.

    Only quorum queues count deliveries; of other queues all messages are read.
    """
    good, poison = [], []
    for message in messages:
        count = _delivery_count(message)
        if count >= max_deliveries:
            poison.append(Rejected(message, Rejection(_REASON.format(count=count))))
        else:
            good.append(message)
    return good, poison


def nack_counts_no_delivery(server: Mapping[str, Any]) -> bool:
    """Return whether a broker counts no failed delivery for `basic.nack` with requeue.

    `server` has the broker's properties. RabbitMQ counts none since 4.3; a closed channel still
    counts one.
    """
    found = re.match(r"(\d+)\.(\d+)", str(server.get("version")))
    if found is None or server.get("product") != "RabbitMQ":
        return False
    return (int(found[1]), int(found[2])) >= (4, 3)


def _delivery_count(message: Message) -> int:
    count = header(message.properties, _DELIVERY_COUNT) if message.redelivered else 0
    return count if isinstance(count, int) else 0


_DELIVERY_COUNT = b"x-delivery-count"
"""Header of quorum queues: how often the message was delivered before."""
_REASON = "max_deliveries: delivered {count} times before, and never acknowledged"
