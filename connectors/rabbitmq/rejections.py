"""What a consumer does about rejected messages: says them in the log, and stops when they are many.

Runs on the I/O thread of its consumer. What is said is decided in `reject_log.py`, and whether it
stops in `circuit_breaker.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from connectors.message import ConsumerCounts, Rejected
from connectors.rabbitmq.circuit_breaker import CircuitBreaker
from connectors.rabbitmq.properties import decode
from connectors.rabbitmq.reject_log import COUNT_AFTER, RejectLog, whole
from connectors.rabbitmq.spec import RejectLimit

LOG = logging.getLogger("hopper.rabbitmq")


class Rejections:
    """Of one consumer, over all of its connections."""

    def __init__(self, name: str, limit: RejectLimit | None, *, parks: bool) -> None:
        """`parks`: there is a dead letter."""
        self._name, self._log, self._breaker = name, RejectLog(), CircuitBreaker(limit)
        self._done = "parked" if parks else "given to the queue's own dead lettering"
        self._last: Rejected | None = None  # that counts against the limit
        self.counts = ConsumerCounts()
        """What became of messages that were rejected; changes in one assignment."""
        self.stopped_because = ""
        """Why it reads nothing, or one message as a probe; empty: it reads."""

    @property
    def stopped(self) -> bool:
        """Nothing more may be parked: everything goes back."""
        return self._breaker.is_open

    @property
    def suspicious(self) -> bool:
        """What is rejected is to be withheld: whether it is parked is not known yet."""
        return self._breaker.is_suspicious

    @property
    def probing(self) -> bool:
        """It reads as a probe."""
        return self._breaker.is_half_open

    @property
    def pause(self) -> float:
        """Seconds until the next probe."""
        return max(0.0, self._breaker.resume_at - time.monotonic())

    def count(self, **more: int) -> None:
        """Add to `counts`, by the names of its fields."""
        before = self.counts._asdict()
        self.counts = ConsumerCounts(**before | {name: before[name] + more[name] for name in more})

    def connected(self) -> None:
        """There is a new connection."""
        self._breaker.connected(time.monotonic())
        if self.probing:
            LOG.info("%s: reads a probe, to see whether it is still rejected", self._name)

    def read(self, last_tag: int) -> None:
        """Messages up to this tag have arrived."""
        self._breaker.read(last_tag)

    def stored(self, count: int) -> None:
        """At least one message is stored."""
        self._breaker.stored(count, time.monotonic())
        if self.stopped_because and not self.stopped:
            self.stopped_because = ""
            LOG.info("%s: the probe is stored: reads as before", self._name)

    def dropped(self) -> None:
        """At least one message is dropped, as the spec says."""
        self._breaker.passed()

    def probe_grew(self) -> None:
        """The probe holds all that may be held, and waits for its window: it is a probe in name."""
        self.stopped_because = ""

    def may_park(self, rejected: Rejected) -> bool:
        """Count it, and say it.

        Otherwise it is withheld, if there is suspicion, or goes back to the queue with all others.
        """
        if self.stopped:
            return False
        rejection, tags = rejected.rejection, (rejected.message.tag, *rejected.others)
        now, kind, probing = time.monotonic(), self._log.kind_of(rejected), self.probing
        if rejection.foreseen:
            may = True
            self._breaker.passed()
        else:
            if not self.suspicious:  # the first one of too many is the example
                self._last = rejected
            may = self._breaker.rejected(kind, tags, rejection.status is not None, now)
        if may:
            self.tell(rejected)
        self._say_stopped(probing=probing)
        return may

    def tell(self, rejected: Rejected) -> None:
        """It is parked: say it, or count it for a later line."""
        kind = self._log.kind_of(rejected)
        if self._log.note(kind, 1 + len(rejected.others), time.monotonic()):
            LOG.warning(
                "%s: a message is rejected, and %s: %s; more of this kind are counted, each %.0f s",
                *(self._name, self._done, _example(rejected), COUNT_AFTER),
            )

    def poison(self, rejected: Sequence[Rejected]) -> None:
        """These came too often, and are parked unread: they tell nothing of the spec."""
        now, probing = time.monotonic(), self.probing
        for one in rejected:
            if self._log.note(self._log.kind_of(one), 1, now):
                LOG.warning("%s: a message is parked: %s", self._name, _example(one))
        if rejected and probing:
            self._last = rejected[0]
            self._breaker.fail(now)
            self._say_stopped(probing=True)

    def update(self, awaiting_outcome: int) -> None:
        """See what only the others show, or time; `awaiting_outcome` messages are in flight."""
        now, probing = time.monotonic(), self.probing
        if not self.stopped:
            self._breaker.update(awaiting_outcome, now)
            self._say_stopped(probing=probing)
        self.tell_counts(everything=False)

    def tell_counts(self, *, everything: bool) -> None:
        """Say how many were rejected since it was last said, if it is time; or in any case."""
        counts = self._log.due(time.monotonic(), everything=everything)
        if counts:
            told = "; ".join(f"{count} times {kind}" for kind, count in counts)
            LOG.warning("%s: more messages are rejected, and %s: %s", self._name, self._done, told)

    def _say_stopped(self, *, probing: bool) -> None:
        if not self.stopped or self._last is None:
            return
        example = _example(self._last)
        self.stopped_because = f"too many messages are rejected, for example: {example}"
        if probing:
            LOG.warning(
                "%s: the probe is rejected too: reads nothing for %.0f s: %s",
                *(self._name, self._breaker.pause, example),
            )
        else:
            LOG.error(
                "%s: reads nothing for %.0f s, then a message as a probe, since %s; what is not "
                "parked yet goes back to the queue: correct the spec or the mapping, and it goes "
                "on by itself",
                *(self._name, self._breaker.pause, self.stopped_because),
            )


def _example(rejected: Rejected) -> str:
    try:
        message_id = decode(rejected.message).message_id
    except ValueError:
        message_id = None  # that may be the very reason why it is rejected
    return whole(rejected, message_id)
