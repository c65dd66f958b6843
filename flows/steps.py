"""The steps between the two ends of the ring: they take the time and wait, the core decides."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Literal, NamedTuple, TypeGuard

from bytewax.operators import StatefulBatchLogic

from connectors import metrics
from connectors.connector import Sink
from connectors.message import (
    Answer,
    Arrived,
    Drain,
    Group,
    Lost,
    Member,
    Origin,
    Outcomes,
)
from flows import reduce
from flows.aggregate import Shard
from flows.consumers import Event, ForConsumer
from flows.correlate import Correlate

ANSWER_AFTER = 0.01
"""Seconds until the next look for answers while one is outstanding; half of it while two are."""
ANSWERS_COUNTED = 4
"""More are no reason to look still sooner: they may all wait for a sink that is away."""

ForShard = list[Member] | Lost
"""What concerns open groups, and goes to `aggregate`."""


def correlate(
    core: Correlate, consumers: list[str]
) -> Callable[[list[Event]], Iterable[tuple[str, ForShard | ForConsumer]]]:
    """The `correlate` step: what concerns a shard, and what concerns a consumer."""

    def step(events: list[Event]) -> Iterable[tuple[str, ForShard | ForConsumer]]:
        for event in events:
            if isinstance(event, Arrived):
                members, rejected = core.read(event, time.time())
                if members:
                    yield event.origin.consumer, members
                if rejected:
                    yield event.origin.consumer, Outcomes(event.origin, [], rejected)
            elif isinstance(event, Drain):
                for consumer in consumers:
                    yield consumer, event
            else:
                yield event.origin.consumer, event

    return step


def concerns_a_shard(
    item: tuple[str, ForShard | ForConsumer],
) -> TypeGuard[tuple[str, ForShard]]:
    """Whether a value goes on to `aggregate`, or straight home."""
    return isinstance(item[1], (list, Lost))


def homeward(item: tuple[str, Outcomes]) -> tuple[str, ForConsumer]:
    """From a shard to the consumer whose messages these are."""
    outcomes = item[1]
    return outcomes.origin.consumer, outcomes


class Aggregate(StatefulBatchLogic[ForShard, Group | Lost, None]):
    """The `aggregate` step, for one shard."""

    def __init__(
        self,
        shard: Shard,
        on_stop: Literal["write", "requeue"],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shard, self._on_stop, self._clock = shard, on_stop, clock

    def on_batch(self, values: list[ForShard]) -> tuple[list[Group | Lost], bool]:
        """Take messages in, or forget those of a lost connection."""
        out: list[Group | Lost] = []
        now = self._clock()
        for value in values:
            if isinstance(value, Lost):
                self._shard.purge(value.origin)
                out.append(value)
            else:
                out += _counted(self._shard.add(value, now))
        return out, self.RETAIN

    def on_notify(self) -> tuple[list[Group | Lost], bool]:
        """Complete what has come of age."""
        return [*_counted(self._shard.complete_due(self._clock()))], self.RETAIN

    def on_eof(self) -> tuple[list[Group | Lost], bool]:
        """Complete what is open; or leave it unacknowledged, and the broker takes it back."""
        if self._on_stop == "requeue":
            return [], self.DISCARD
        return [*_counted(self._shard.complete_all("stop"))], self.DISCARD

    def notify_at(self) -> datetime | None:
        """When the next group comes of age."""
        due_at = self._shard.due_at
        if due_at is None:
            return None
        return _now() + timedelta(seconds=due_at - self._clock())

    def snapshot(self) -> None:
        """Open groups are not saved: their messages are unacknowledged, and will come again."""


class _Submission(NamedTuple):
    group: Group
    withdraw: Callable[[], None]
    unanswered: int


class Write(StatefulBatchLogic[Group | Lost, Outcomes, None]):
    """The `write` step, for one shard: groups go to the sink, and their outcomes come back."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._answers: queue.SimpleQueue[tuple[int, Answer]] = queue.SimpleQueue()
        self._submissions: dict[int, _Submission] = {}
        self._count = 0

    def on_batch(self, values: list[Group | Lost]) -> tuple[list[Outcomes], bool]:
        """Submit groups, withdraw those of a lost connection, and hand on what is answered."""
        for value in values:
            if isinstance(value, Lost):
                self._withdraw(value.origin)
            else:
                self._submit(value)
        return self._take_outcomes(), self.RETAIN

    def on_notify(self) -> tuple[list[Outcomes], bool]:
        """Hand on what has been answered."""
        return self._take_outcomes(), self.RETAIN

    def on_eof(self) -> tuple[list[Outcomes], bool]:
        """Wait for every answer: this is the last call that may hand anything on."""
        self._sink.flush()
        out = self._take_outcomes()
        while self._submissions:
            out += self._outcomes(*self._answers.get())
        return out, self.DISCARD

    def notify_at(self) -> datetime | None:
        """Soon, while answers are outstanding: the more are, the sooner comes the next one."""
        if not self._submissions:
            return None
        outstanding = min(len(self._submissions), ANSWERS_COUNTED)
        return _now() + timedelta(seconds=ANSWER_AFTER / outstanding)

    def snapshot(self) -> None:
        """See `Aggregate.snapshot`."""

    def _submit(self, group: Group) -> None:
        self._count += 1
        number = self._count
        # The answer may come before `submit` returns, but nobody looks at it before the next line.
        withdraw = self._sink.submit(
            reduce.documents(group), lambda answer: self._answers.put((number, answer))
        )
        self._submissions[number] = _Submission(group, withdraw, len(group.members))

    def _withdraw(self, origin: Origin) -> None:
        for number, submission in list(self._submissions.items()):
            if submission.group.members[0].origin == origin:
                submission.withdraw()
                del self._submissions[number]

    def _take_outcomes(self) -> list[Outcomes]:
        out: list[Outcomes] = []
        while not self._answers.empty():
            out += self._outcomes(*self._answers.get())
        return out

    def _outcomes(self, number: int, answer: Answer) -> list[Outcomes]:
        submission = self._submissions.get(number)
        if submission is None:
            return []  # withdrawn while the answer was under way
        unanswered = submission.unanswered - len(answer.stored) - len(answer.rejected)
        if unanswered:
            self._submissions[number] = submission._replace(unanswered=unanswered)
        else:
            del self._submissions[number]
        return reduce.outcomes(submission.group, answer)


def _counted(groups: list[Group]) -> list[Group]:
    for group in groups:
        metrics.GROUPS.labels(group.completed_by).inc()
        metrics.GROUP_SIZE.observe(len(group.members))
    return groups


def _now() -> datetime:
    return datetime.now(timezone.utc)
