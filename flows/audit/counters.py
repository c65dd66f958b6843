"""Counts what each place of this process takes in, and what becomes of it.

Pure: it is told, batch by batch, and judges nothing; `reconcile.py` does. What is counted are
messages; between `correlate` and `acknowledge`, each document of a message that has several.

Rule 1: what a place has taken in has left it, was forgotten with its connection, or is there yet.
Rule 2: an account has one writer, and changes in one assignment: a reader in another thread
        sees no half of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

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
from flows.groups.departures import ShardOutput
from flows.values.group import DuplicateOfSent, Group


class Counts(NamedTuple):
    """What a place has taken in, and where that is."""

    entered: int = 0
    left: int = 0
    forgotten: int = 0
    """Its connection is lost: it comes again."""
    open: int = 0
    """It is there yet, as the place itself knows."""
    groups: int = 0
    """Of what is open, where it is in groups."""

    @property
    def difference(self) -> int:
        """How many are missing; below zero: how many came from nowhere. Rule 1."""
        return self.entered - self.left - self.forgotten - self.open


class Account:
    """Of one place."""

    def __init__(self) -> None:
        self.counts = Counts()

    def note(
        self, *, entered: int = 0, left: int = 0, forgotten: int = 0, open: int, groups: int = 0
    ) -> None:
        """What has happened since the last note, and what is there now."""
        before = self.counts
        entered, left = before.entered + entered, before.left + left
        self.counts = Counts(entered, left, before.forgotten + forgotten, open, groups)


class Messages(NamedTuple):
    """Where all messages of a process are, in the words of the log, of metrics and of `/health`."""

    received: int
    stored: int
    rejected: int
    """In all: they are parked, discarded or requeued, or wait to be."""
    parked: int
    discarded: int
    dropped: int
    requeued: int
    """Delivered again: they were not settled when their connection was lost, or the job ended."""

    @property
    def waiting(self) -> int:
        """They are not settled yet: the broker waits to hear about them."""
        settled = self.stored + self.parked + self.discarded + self.dropped + self.requeued
        return self.received - settled

    def __str__(self) -> str:
        """In one line, for the log; what is rare is told where it has happened."""
        always = {"received", "stored", "rejected", "parked"}
        counted = [(getattr(self, name), name) for name in self._fields]
        told = [f"{count} {name}" for count, name in counted if count or name in always]
        return ", ".join(told).replace("_", " ")


class Received(NamedTuple):
    """What became of the messages of a consumer."""

    received: int = 0
    stored: int = 0
    rejected: int = 0
    dropped: int = 0
    requeued: int = 0
    """They had no outcome when their connection was lost, or the job ended."""

    @property
    def waiting(self) -> int:
        """They have no outcome yet; below zero: there are outcomes of no message."""
        return self.received - sum(self[1:])


class Settling(Protocol):
    """What a consumer counts itself: see `connectors.connector.Consumer`."""

    @property
    def awaiting_outcome(self) -> int:
        """Messages that have no outcome yet."""

    @property
    def counts(self) -> ConsumerCounts:
        """What became of rejected messages, and of late outcomes."""


class ConsumerAccount:
    """Of one consumer: of both ends of the flow, and of what is between them."""

    def __init__(self, consumer: Settling) -> None:
        self._consumer = consumer
        self.counts = Received()
        self.connected = False
        self.polls = 0
        """How often it was asked for what has arrived."""
        self.sent = self.returned = 0
        """What went into the flow, and what came out of it."""
        self.stale = 0
        """Outcomes that came after their connection was lost."""

    @property
    def awaiting_outcome(self) -> int:
        """What has no outcome yet, as the consumer itself knows."""
        return self._consumer.awaiting_outcome

    @property
    def settled(self) -> ConsumerCounts:
        """What the consumer itself counts."""
        return self._consumer.counts

    def take(self, events: Iterable[Opened | Arrived | Lost | Backpressured | Drain]) -> None:
        """Note what the consumer hands over."""
        self.polls += 1
        for event in events:
            if isinstance(event, Arrived):
                received, *settled = self.counts
                self.counts = Received(received + len(event.messages), *settled)
            elif isinstance(event, Lost):
                self.connected = False
                self.close()
            elif isinstance(event, Opened):
                self.connected = True

    @property
    def to_dead_letter(self) -> int:
        """Messages that are rejected, and wait to be parked or discarded."""
        settled, rejected = self.settled, self.counts.rejected
        return rejected - (settled.parked + settled.discarded + settled.returned - settled.unread)

    def settle(self, outcomes: Outcomes) -> None:
        """Note outcomes of whole messages, of this connection."""
        received, stored, rejected, dropped, requeued = self.counts
        stored, dropped = stored + len(outcomes.stored), dropped + len(outcomes.dropped)
        if outcomes.rejected:
            rejected += in_rejected(outcomes.rejected)
        self.counts = Received(received, stored, rejected, dropped, requeued)

    def close(self) -> None:
        """What has no outcome goes back to the broker."""
        counts = self.counts
        self.counts = counts._replace(requeued=counts.requeued + counts.waiting)

    @property
    def messages(self) -> Messages:
        """Where all messages of the consumer are."""
        settled = self.settled  # first: what is parked by then is among the rejected below
        received, stored, rejected, dropped, requeued = self.counts
        return Messages(
            received + settled.unread,
            stored,
            rejected + settled.unread,
            settled.parked,
            settled.discarded,
            dropped,
            requeued + settled.returned,
        )


def in_rejected(rejected: Iterable[Rejected]) -> int:
    """Messages that these stand for."""
    return sum(1 + len(one.others) for one in rejected)


def in_outcomes(outcomes: Outcomes) -> int:
    """Messages, and documents of messages, that these are the outcomes of."""
    _, stored, rejected, dropped, parts = outcomes
    return len(stored) + (in_rejected(rejected) if rejected else 0) + len(dropped) + len(parts)


def in_group(group: Group) -> int:
    """Members that are settled with a group."""
    summary = group.summary
    if summary is None:
        return len(group.members)
    return sum(map(len, summary.tags.values())) + sum(map(len, summary.parts.values()))


def in_leaving(values: Iterable[ShardOutput | Lost]) -> int:
    """What comes out of a shard together."""
    count = 0
    for value in values:
        if isinstance(value, Group):
            count += in_group(value)
        elif isinstance(value, DuplicateOfSent):
            count += 1
        elif isinstance(value, Outcomes):
            count += in_outcomes(value)
    return count
