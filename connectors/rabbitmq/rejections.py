"""Logs the rejected messages of a consumer, and stops the consumer when there are too many.

Runs on the I/O thread of its consumer. `reject_log.py` decides what to log, `circuit_breaker.py`
whether to stop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from connectors import metrics
from connectors.latest_dead_letters import LatestDeadLetters
from connectors.message import ConsumerCounts, Outcomes, Rejected
from connectors.rabbitmq.circuit_breaker import CircuitBreaker
from connectors.rabbitmq.properties import decode
from connectors.rabbitmq.reject_log import COUNT_AFTER, RejectLog, describe
from connectors.rabbitmq.spec import RejectLimit

LOG = logging.getLogger("hopper.rabbitmq")


class Rejections:
    """The rejected messages of one consumer, over all of its connections."""

    def __init__(self, name: str, limit: RejectLimit | None, *, parks: bool) -> None:
        """`parks`: the spec has a `dead_letter`."""
        self._name, self._log, self._breaker = name, RejectLog(), CircuitBreaker(limit)
        self._action = "parked" if parks else "given to the queue's own dead lettering"
        self._last: Rejected | None = None  # the last one that counts against the limit
        self.counts = ConsumerCounts()
        """See `Consumer`; replaced by one assignment, so any thread may read it."""
        self.latest = LatestDeadLetters(name)
        self.stopped_because = ""
        """Why the consumer reads nothing or only a probe; empty: it reads."""

    @property
    def stopped(self) -> bool:
        """The consumer parks nothing more, and requeues all messages."""
        return self._breaker.is_open

    @property
    def withholding(self) -> bool:
        """Rejected messages are withheld until the circuit breaker opens or closes."""
        return self._breaker.is_withholding

    @property
    def probing(self) -> bool:
        """The consumer reads a probe."""
        return self._breaker.is_half_open

    @property
    def seconds_to_probe(self) -> float:
        """Seconds until the next probe."""
        return max(0.0, self._breaker.resume_at - time.monotonic())

    def count(self, **more: int) -> None:
        """Add to `counts`, by the names of its fields."""
        before = self.counts._asdict()
        self.counts = ConsumerCounts(**before | {name: before[name] + more[name] for name in more})

    def stale(self, outcomes: Outcomes) -> None:
        """Count outcomes of messages that the broker has requeued."""
        _, stored, rejected, dropped, _, kept = outcomes
        requeued = sum(1 + len(one.others) for one in rejected)
        stale = len(stored) + len(dropped) + len(kept) + requeued
        self.count(stale=stale, requeued=requeued)

    def parked(self, rejected: Rejected) -> None:
        """Note that the dead-letter broker has a message."""
        self.count(parked=1 + len(rejected.others))
        self._note_parked(rejected)

    def parked_own(self, rejected: Rejected, parked: Callable[[], object]) -> None:
        """Note that the dead-letter broker has a message of the job's own, and tell the job."""
        self.log_parked(rejected)
        self._note_parked(rejected)
        parked()

    def _note_parked(self, rejected: Rejected) -> None:
        metrics.dead_lettered(rejected.rejection.reason, 1 + len(rejected.others))
        self.latest.note(rejected, time.time())

    def left_to_broker(self, rejected: Rejected) -> None:
        """Note that a message is left to the dead lettering of its queue."""
        self.count(left_to_broker=1 + len(rejected.others))
        self.latest.note(rejected, time.time())

    def connected(self) -> None:
        """Note a new connection."""
        self._breaker.connected(time.monotonic())
        if self.probing:
            LOG.info("%s: reads a probe to see whether messages are still rejected", self._name)

    def lost(self, unparked: int) -> None:
        """Note a lost connection with so many rejected messages that were not parked yet."""
        self.count(requeued=unparked)
        self._breaker.lost(unparked)

    def read(self, last_tag: int) -> None:
        """Note that messages up to this delivery tag have arrived."""
        self._breaker.read(last_tag)

    def stored(self, count: int) -> None:
        """Note that `count` messages, at least one, are stored."""
        self._breaker.stored(count, time.monotonic())
        if self.stopped_because and not self.stopped:
            self.stopped_because = ""
            LOG.info("%s: the probe is stored: reads all messages again", self._name)

    def dropped(self) -> None:
        """Note that at least one message is dropped, as the spec says."""
        self._breaker.passed()

    def probe_grew(self) -> None:
        """Note that the probe has the full prefetch, because its window needs more messages."""
        self.stopped_because = ""

    def may_park(self, rejected: Rejected) -> bool:
        """Count and log a rejected message; return whether to park it now.

        If not, it is withheld, or requeued with all others once the consumer has stopped.
        """
        if self.stopped:
            return False
        rejection, tags = rejected.rejection, (rejected.message.tag, *rejected.others)
        now, kind, probing = time.monotonic(), self._log.kind_of(rejected), self.probing
        if rejection.foreseen:
            may = True
            self._breaker.passed()
        else:
            if not self.withholding:  # the log quotes the message that reached the limit
                self._last = rejected
            by_sink, redelivered = rejection.status is not None, rejected.message.redelivered
            may = self._breaker.rejected(kind, tags, by_sink, now, redelivered=redelivered)
        if may:
            self.log_parked(rejected)
        self._log_stopped(probing=probing)
        return may

    def log_parked(self, rejected: Rejected) -> None:
        """Log a parked message, or count it for a later line."""
        kind = self._log.kind_of(rejected)
        if self._log.note(kind, 1 + len(rejected.others), time.monotonic()):
            LOG.warning(
                "%s: a message is rejected and %s: %s; further ones of this kind are counted every "
                "%.0f s",
                *(self._name, self._action, _example(rejected), COUNT_AFTER),
            )

    def poison(self, rejected: Sequence[Rejected]) -> None:
        """Log messages that are parked unread, since they were delivered too often.

        They do not count against the reject limit: they are no sign of a wrong spec.
        """
        now, probing = time.monotonic(), self.probing
        for one in rejected:
            if self._log.note(self._log.kind_of(one), 1, now):
                LOG.warning("%s: a message is parked: %s", self._name, _example(one))
        if rejected and probing:
            self._last = rejected[0]
            self._breaker.fail(now)
            self._log_stopped(probing=True)

    def update(self, awaiting_outcome: int) -> None:
        """Decide by time and by the `awaiting_outcome` messages that have no outcome yet."""
        now, probing = time.monotonic(), self.probing
        if not self.stopped:
            self._breaker.update(awaiting_outcome, now)
            self._log_stopped(probing=probing)
        self.log_counts(everything=False)

    def log_counts(self, *, everything: bool) -> None:
        """Log how many were rejected since the last line, if it is due; `everything`: always."""
        counts = self._log.due(time.monotonic(), everything=everything)
        if counts:
            text = "; ".join(
                f"{'once' if count == 1 else f'{count} times'} {kind}" for kind, count in counts
            )
            LOG.warning("%s: more messages are rejected and %s: %s", self._name, self._action, text)

    def _log_stopped(self, *, probing: bool) -> None:
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
                "%s: reads nothing for %.0f s, then a message as a probe, because %s; messages "
                "that are not parked yet are requeued: correct the mapping or the privileges, and "
                "the consumer continues by itself, or correct the spec, and restart the job",
                *(self._name, self._breaker.pause, self.stopped_because),
            )


def _example(rejected: Rejected) -> str:
    try:
        message_id = decode(rejected.message).message_id
    except ValueError:
        message_id = None  # the broken envelope may be why the message is rejected
    return describe(rejected, message_id)
