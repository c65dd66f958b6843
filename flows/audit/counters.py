"""Counts the messages that each place of this process takes in, and their outcomes.

Pure: the steps report each batch, and `reconcile.py` compares the counts. The unit is a message;
between `correlate` and `acknowledge`, each document of a split message counts.

Rule 1: a message that has entered a place has left it, was forgotten with its connection, or is
        still open there.
Rule 2: an account has one writer, and changes in one assignment: a reader in another thread
        never sees a half-finished change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from connectors.connector import ConsumerEvent
from connectors.message import (
    Arrived,
    Backpressured,
    ConsumerCounts,
    Drain,
    Lost,
    Opened,
    Outcomes,
    Rejected,
)
from flows.groups.departures import Leaving
from flows.values.group import DuplicateOfSent, Group


class Counts(NamedTuple):
    """The messages that have entered a place, and where they are now."""

    entered: int = 0
    left: int = 0
    forgotten: int = 0
    """Messages of a lost connection: the broker redelivers them."""
    open: int = 0
    """Messages that are still there, as the place itself counts them."""
    groups: int = 0
    """The number of open groups, if the place has groups."""
    kept: int = 0
    """Of `open`: groups of the state, whose messages are acknowledged already."""

    @property
    def difference(self) -> int:
        """How many messages are missing; below zero: how many were never counted in. Rule 1."""
        return self.entered - self.left - self.forgotten - self.open


class Account:
    """The counts of one place."""

    def __init__(self) -> None:
        self.counts = Counts()

    def note(
        self,
        *,
        entered: int = 0,
        left: int = 0,
        forgotten: int = 0,
        open: int,
        groups: int = 0,
        kept: int = 0,
    ) -> None:
        """Add what has moved since the last note; the last three are the numbers of now."""
        before = self.counts
        entered, left = before.entered + entered, before.left + left
        self.counts = Counts(entered, left, before.forgotten + forgotten, open, groups, kept)


class Messages(NamedTuple):
    """The messages of a process by outcome, in the words of the log, the metrics and `/health`."""

    received: int
    stored: int
    kept: int
    """Acknowledged because the durable state of the job counts them."""
    rejected: int
    """All rejected messages: parked, left to the broker or requeued, or still waiting for that."""
    parked: int
    left_to_broker: int
    """Rejected without requeue: the file has no `dead_letter`."""
    dropped: int
    requeued: int
    """Messages in flight when their connection was lost, or the job ended."""

    @property
    def waiting(self) -> int:
        """Messages in flight: the broker waits for an answer."""
        ended = self.stored + self.kept + self.dropped + self.parked + self.left_to_broker
        return self.received - ended - self.requeued

    def __str__(self) -> str:
        """Return one line for the log; rare outcomes are left out while they are zero."""
        always = {"received", "stored", "rejected", "parked"}
        counted = [(getattr(self, name), name) for name in self._fields]
        shown = [f"{count} {name}" for count, name in counted if count or name in always]
        return ", ".join(shown).replace("_", " ")


class Received(NamedTuple):
    """The messages of a consumer by outcome."""

    received: int = 0
    stored: int = 0
    kept: int = 0
    rejected: int = 0
    dropped: int = 0
    requeued: int = 0
    """Messages without an outcome when their connection was lost, or the job ended."""

    @property
    def waiting(self) -> int:
        """Messages without an outcome; below zero: outcomes without a message."""
        return self.received - sum(self[1:])


class Settling(Protocol):
    """The counts that a consumer itself keeps: see `connectors.connector.Consumer`."""

    @property
    def awaiting_outcome(self) -> int:
        """Messages that have no outcome yet."""

    @property
    def counts(self) -> ConsumerCounts:
        """Counts of rejected messages, and of stale outcomes."""


class ConsumerAccount:
    """The counts of one consumer, at both ends of the flow and between them."""

    def __init__(self, consumer: Settling) -> None:
        self._consumer = consumer
        self.counts = Received()
        self.connected = False
        self.polls = 0
        """Number of polls by the dataflow."""
        self.sent = self.answered = 0
        """Messages that `correlate` has sent, and those whose outcome `acknowledge` has received;
        each document of a split message counts."""
        self.unread = 0
        """Messages that were taken, and that `correlate` has not read yet."""
        self.stale = 0
        """Outcomes that came after their connection was lost."""

    @property
    def awaiting_outcome(self) -> int:
        """Messages without an outcome, as the consumer itself counts them."""
        return self._consumer.awaiting_outcome

    @property
    def settled(self) -> ConsumerCounts:
        """The counts of the consumer itself."""
        return self._consumer.counts

    def take(self, events: Iterable[ConsumerEvent | Backpressured | Drain]) -> None:
        """Count the events of one poll."""
        self.polls += 1
        for event in events:
            if isinstance(event, Arrived):
                received, *settled = self.counts
                self.counts = Received(received + len(event.messages), *settled)
                self.unread += len(event.messages)
            elif isinstance(event, Lost):
                self.connected = False
                self.close()
            elif isinstance(event, Opened):
                self.connected = True

    @property
    def to_dead_letter(self) -> int:
        """Messages that are rejected, and wait to be parked or left to the broker."""
        settled, rejected = self.settled, self.counts.rejected
        return rejected - (
            settled.parked + settled.left_to_broker + settled.requeued - settled.unread
        )

    def settle(self, outcomes: Outcomes) -> None:
        """Count outcomes of whole messages, of the present connection."""
        received, stored, kept, rejected, dropped, requeued = self.counts
        stored, dropped = stored + len(outcomes.stored), dropped + len(outcomes.dropped)
        if outcomes.rejected:
            rejected += in_rejected(outcomes.rejected)
        kept += len(outcomes.kept)
        self.counts = Received(received, stored, kept, rejected, dropped, requeued)

    def close(self) -> None:
        """Count messages without an outcome as requeued."""
        counts = self.counts
        self.counts = counts._replace(requeued=counts.requeued + counts.waiting)

    @property
    def messages(self) -> Messages:
        """The messages of the consumer by outcome."""
        settled = self.settled  # read first, so that each parked message counts as rejected below
        received, stored, kept, rejected, dropped, requeued = self.counts
        return Messages(
            received + settled.unread,
            stored,
            kept,
            rejected + settled.unread,
            settled.parked,
            settled.left_to_broker,
            dropped,
            requeued + settled.requeued,
        )


def in_rejected(rejected: Iterable[Rejected]) -> int:
    """Return how many messages these rejections are about."""
    return sum(1 + len(one.others) for one in rejected)


def in_outcomes(outcomes: Outcomes) -> int:
    """Return how many messages, and documents of split messages, have these outcomes."""
    _, stored, rejected, dropped, parts, kept = outcomes
    settled = len(stored) + len(dropped) + len(parts) + len(kept)
    return settled + (in_rejected(rejected) if rejected else 0)


def in_leaving(values: Iterable[Leaving]) -> int:
    """Return how many members leave a shard with these values."""
    count = 0
    for value in values:
        if isinstance(value, Group):
            count += value.to_settle
        elif isinstance(value, DuplicateOfSent):
            count += 1
        elif isinstance(value, Outcomes):
            count += in_outcomes(value)
    return count
