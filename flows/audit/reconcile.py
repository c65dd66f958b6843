"""Sees whether what this process has received adds up: nothing missing, nothing from nowhere.

Pure: it reads the accounts when it is asked, once a second.

Rule 1: an account adds up at all times; what does not at two looks running is an error.
Rule 2: what is on its way between two places is in no account. So places are compared when nothing
        was counted for `STILL` looks; and not while the job drains, when `write` waits.
Rule 3: what was received here may be grouped in another process of a cluster: one process can only
        tell that its consumers add up, and its shards.
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
"""Looks: that no step takes as long for a batch as ten of them, of a second each."""


class Accounts:
    """All accounts of a process."""

    def __init__(self, *, alone: bool = True) -> None:
        """`alone`: the process is no part of a cluster. Rule 3."""
        self.alone = alone
        self._consumers: dict[str, ConsumerAccount] = {}
        self._groups: list[Account] = []
        self._sink: list[Account] = []
        self._suspects: set[object] = set()
        self._last: object = None
        self._still = 0

    @property
    def consumers(self) -> dict[str, ConsumerAccount]:
        """By name, as many as there are by now."""
        return self._consumers.copy()

    def open(self, name: str, consumer: Settling) -> ConsumerAccount:
        """A new account, of a consumer."""
        account = self._consumers[name] = ConsumerAccount(consumer)
        return account

    def of_consumer(self, name: str) -> ConsumerAccount:
        """The account of that consumer, which is open.

        Raises:
            KeyError: it is not.
        """
        return self._consumers[name]

    def of_groups(self) -> Account:
        """A new account, of the open groups of a shard."""
        self._groups.append(account := Account())
        return account

    def of_sink(self) -> Account:
        """A new account, of what a shard has given to the sink."""
        self._sink.append(account := Account())
        return account

    @property
    def received(self) -> Received:
        """Of all consumers together."""
        counts = [account.counts for account in self.consumers.values()]
        return Received(*map(sum, zip(*counts, strict=True)))

    @property
    def messages(self) -> Messages:
        """Where all messages of the process are."""
        counts = [account.messages for account in self.consumers.values()]
        return Messages(*map(sum, zip(*counts, strict=True))) if counts else Messages(*[0] * 7)

    @property
    def stale(self) -> int:
        """Outcomes that came after their connection was lost."""
        return sum(account.stale + account.settled.stale for account in self.consumers.values())

    @property
    def groups(self) -> Counts:
        """All open groups together."""
        return _together(self._groups)

    @property
    def sink(self) -> Counts:
        """All that is with the sink, together."""
        return _together(self._sink)

    @property
    def ring(self) -> Counts:
        """The flow, from `correlate` to `acknowledge`; the difference is between two steps."""
        accounts, groups, sink = self.consumers.values(), self.groups, self.sink
        return Counts(
            sum(account.sent for account in accounts),
            sum(account.returned for account in accounts),
            groups.forgotten + sink.forgotten,
            groups.open + sink.open,
        )

    def check(self, *, draining: bool) -> list[str]:
        """What does not add up, for people, with the numbers; once a second."""
        wrong = dict(self._wrong())
        found = [text for place, text in wrong.items() if place in self._suspects]  # Rule 1
        self._suspects = set(wrong)
        now = self.received, self.groups, self.sink, self.ring, [*self._compared()]
        self._still = self._still + 1 if now == self._last and not draining else 0
        self._last = now
        return [*found, *self._stuck()] if self._still >= STILL else found  # Rule 2

    def _wrong(self) -> Iterator[tuple[object, str]]:
        """Accounts that do not add up by themselves, each with what to say of it."""
        for name, consumer in self.consumers.items():
            if (waiting := consumer.counts.waiting) < 0:
                yield name, f"{name} has {-waiting} outcomes of no message: {consumer.counts}"
        for place, accounts in (("open groups", self._groups), ("sink", self._sink)):
            for number, account in enumerate(accounts):
                if (counts := account.counts).difference:
                    yield (place, number), f"{place} of a shard: {_told(counts)}"

    def _stuck(self) -> Iterator[str]:
        """Places that do not agree though nothing is on its way any more."""
        for name, waiting, awaiting_outcome in self._compared():
            if waiting != awaiting_outcome:
                yield (
                    f"{name} has {awaiting_outcome} messages without outcome, "
                    f"{waiting} are under way"
                )
        if self.alone and (ring := self.ring).difference:
            yield f"between the steps: {_told(ring)}"

    def _compared(self) -> Iterator[tuple[str, int, int]]:
        for name, consumer in self.consumers.items():
            yield name, consumer.counts.waiting, consumer.awaiting_outcome


def _together(accounts: list[Account]) -> Counts:
    counts = [account.counts for account in accounts]
    return Counts(*map(sum, zip(*counts, strict=True)))


def _told(counts: Counts) -> str:
    return (
        f"of {counts.entered} messages that came, {counts.left} have left, {counts.forgotten} were "
        f"lost with their connection, {counts.open} are there; {counts.difference} are missing"
    )
