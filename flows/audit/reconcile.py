"""Checks that the counts of this process add up: no message is missing, and none is counted twice.

Pure: `check` reads the accounts, once a second.

Rule 1: an account adds up at all times; a mismatch at two checks in a row is an error.
Rule 2: a message between two places is in no account. So two places are compared only after
        `STILL` checks without a change; and not during a drain, when `write` waits.
Rule 3: another process of the cluster may group the messages that this one has received: so in a
        cluster, one process can only check its consumers and its shards, each by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from flows.audit.counters import (
    Account,
    ConsumerAccount,
    Counts,
    Messages,
    Received,
    Settling,
)

STILL = 10
"""Checks, one a second. No step takes ten seconds for a batch."""


class Accounts:
    """All accounts of a process."""

    def __init__(self, *, alone: bool = True) -> None:
        """`alone`: the job has one process, without a cluster. Rule 3."""
        self.alone = alone
        self._consumers: dict[str, ConsumerAccount] = {}
        self._groups: list[Account] = []
        self._sink: list[Account] = []
        self._suspects: set[object] = set()
        self._last: object = None
        self._still = 0

    @property
    def consumers(self) -> dict[str, ConsumerAccount]:
        """The accounts of consumers that have started, by name."""
        return self._consumers.copy()

    def open(self, name: str, consumer: Settling) -> ConsumerAccount:
        """Open an account for a consumer."""
        account = self._consumers[name] = ConsumerAccount(consumer)
        return account

    def of_consumer(self, name: str) -> ConsumerAccount:
        """Return the open account of a consumer.

        Raises:
            KeyError: the consumer has no account.
        """
        return self._consumers[name]

    def of_groups(self) -> Account:
        """Open an account for the open groups of a shard."""
        self._groups.append(account := Account())
        return account

    def of_sink(self) -> Account:
        """Open an account for the documents that a shard has submitted to the sink."""
        self._sink.append(account := Account())
        return account

    @property
    def received(self) -> Received:
        """The sum over all consumers."""
        counts = [account.counts for account in self.consumers.values()]
        return Received(*map(sum, zip(*counts, strict=True)))

    @property
    def messages(self) -> Messages:
        """The messages of the process by outcome."""
        counts = [account.messages for account in self.consumers.values()]
        sums = map(sum, zip(*counts, strict=True)) if counts else [0] * len(Messages._fields)
        return Messages(*sums)

    @property
    def stale(self) -> int:
        """Outcomes that came after their connection was lost."""
        return sum(account.stale + account.settled.stale for account in self.consumers.values())

    @property
    def groups(self) -> Counts:
        """The sum over the open groups of all shards."""
        return _together(self._groups)

    @property
    def sink(self) -> Counts:
        """The sum over the submissions of all shards."""
        return _together(self._sink)

    @property
    def ring(self) -> Counts:
        """The flow, from `correlate` to `acknowledge`; a difference is between two steps."""
        accounts, groups, sink = self.consumers.values(), self.groups, self.sink
        return Counts(
            sum(account.sent for account in accounts),
            sum(account.answered for account in accounts),
            groups.forgotten + sink.forgotten,
            groups.open + sink.open - sink.kept,
        )

    @property
    def is_at_rest(self) -> bool:
        """No message is between two steps: each is in an open group, at the sink, or settled."""
        all_read = all(account.unread == 0 for account in self._consumers.values())
        return all_read and self.ring.difference == 0

    def check(self, *, draining: bool) -> list[str]:
        """Return a line with the numbers for each mismatch; call it once a second."""
        wrong = dict(self._wrong())
        found = [text for place, text in wrong.items() if place in self._suspects]  # Rule 1
        self._suspects = set(wrong)
        now = self.received, self.groups, self.sink, self.ring, [*self._compared()]
        self._still = self._still + 1 if now == self._last and not draining else 0
        self._last = now
        return [*found, *self._stuck()] if self._still >= STILL else found  # Rule 2

    def _wrong(self) -> Iterator[tuple[object, str]]:
        """Return accounts with a mismatch of their own, each with its line."""
        for name, consumer in self.consumers.items():
            if (waiting := consumer.counts.waiting) < 0:
                yield name, f"{name} has {-waiting} outcomes without a message: {consumer.counts}"
        for place, accounts in (("open groups", self._groups), ("sink", self._sink)):
            for number, account in enumerate(accounts):
                if (counts := account.counts).difference:
                    yield (place, number), f"{place} of a shard: {_describe(counts)}"

    def _stuck(self) -> Iterator[str]:
        """Return places whose counts differ although no message moves between them."""
        for name, waiting, awaiting_outcome in self._compared():
            if waiting != awaiting_outcome:
                yield (
                    f"{name} has {awaiting_outcome} messages without outcome, "
                    f"but the flow has {waiting}"
                )
        if self.alone and (ring := self.ring).difference:
            yield f"between the steps: {_describe(ring)}"

    def _compared(self) -> Iterator[tuple[str, int, int]]:
        for name, consumer in self.consumers.items():
            yield name, consumer.counts.waiting, consumer.awaiting_outcome


def _together(accounts: list[Account]) -> Counts:
    counts = [account.counts for account in accounts]
    return Counts(*map(sum, zip(*counts, strict=True)))


def _describe(counts: Counts) -> str:
    return (
        f"of {counts.entered} messages that entered, {counts.left} have left, {counts.forgotten} "
        f"are redelivered after a lost connection, {counts.open} are open; "
        f"{counts.difference} are missing"
    )
