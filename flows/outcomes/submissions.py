"""Knows which groups the sink has, and says whose outcome an answer of the sink is.

Pure. It neither submits nor waits.

Rule 1: an answer about a document is the outcome of the messages that it was made of.
Rule 2: a duplicate shares the fate of its first copy, whether that is known yet or not.
Rule 3: of a window's documents one at a time is with the sink; what amends it waits for that. What
        may be written, and what a conflict means, `claims` says.
Rule 4: a group is withdrawn when its connection is lost and all of its messages will be redelivered
        without a message id to recognise them by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from connectors.message import Answer, Documents, Origin, Outcomes, Rejection
from flows.outcomes import outcomes
from flows.outcomes.claims import Claims
from flows.values.group import DuplicateOfSent, Group, Unwritten

MAX_REFUSED = 10_000
"""Groups with rejected documents that are remembered, for duplicates of what was rejected."""
UNKNOWN = Rejection(
    "outcome_expired: what became of it when it was first delivered is forgotten", foreseen=True
)
"""It may be stored; but to acknowledge it, we would have to know."""


class _Submission(NamedTuple):
    group: Group
    documents: Documents
    withdraw: Callable[[], None]
    unanswered: int
    rejected: dict[int, Rejection]
    duplicates: list[DuplicateOfSent]
    waiting: list[Group]
    """Of the same window: they wait for its answer."""

    @property
    def members(self) -> int:
        """Messages that wait for an answer; those of a summary wait together."""
        one_each = len(self.documents.sources) == len(self.group.members)
        return (self.unanswered if one_each else self.group.to_settle) + len(self.duplicates)


class Submissions:
    """The groups of one shard that are with the sink, or were so lately."""

    def __init__(self, *, amends: bool = True) -> None:
        """`amends`: windows may be written again."""
        self._open: dict[int, _Submission] = {}
        self._refused: dict[int, dict[int, Rejection]] = {}
        self._claims = Claims(amends=amends)
        self._waiting: dict[int, list[DuplicateOfSent]] = {}
        """Groups that wait for one of these, and the duplicates of what is in them."""
        self._forgotten = 0  # the number of the last group that is not among the refused any more
        self.members = 0
        """Messages that wait for an answer."""

    def __len__(self) -> int:
        """Groups that are not answered yet."""
        return len(self._open)

    def waits(self, group: Group) -> bool:
        """Whether a group must not be submitted yet: it will be among those that are `due`."""
        busy = self._claims.busy(group)
        if busy is None or busy == group.number:
            return False
        self._open[busy].waiting.append(group)
        self._waiting[group.number] = []
        self.members += group.to_settle
        return True

    def prepared(self, group: Group) -> Group | Rejection:
        """The group as it is to be written, or why it must not be. Rule 3."""
        return self._claims.prepared(group)

    def add(self, group: Group, documents: Documents, withdraw: Callable[[], None]) -> None:
        """A group is with the sink; perhaps not for the first time."""
        count = len(documents.sources)
        before = self._open.get(group.number)
        if before is None:
            duplicates, waiting = self._waiting.pop(group.number, []), list[Group]()
            self.members += group.to_settle
        else:
            duplicates, waiting = before.duplicates, before.waiting
        submission = _Submission(group, documents, withdraw, count, {}, duplicates, waiting)
        self._open[group.number] = submission
        self._claims.sent(group)

    def refuse(self, group: Group, unwritten: Unwritten) -> list[Outcomes]:
        """A group never gets to the sink: all of its members are rejected."""
        self._remember(group.number, {0: unwritten.rejection})
        duplicates = self._waiting.pop(group.number, [])
        self.members -= len(duplicates)
        return outcomes.refused(group, *unwritten) + [
            o for duplicate in duplicates for o in self.answer_duplicate(duplicate)
        ]

    def answer(self, number: int, answer: Answer) -> tuple[list[Outcomes], list[Group]]:
        """The sink's answer about the group of that number; and groups to be submitted now.

        Among these may be that group once more. Rules 1 and 3.
        """
        submission = self._open.get(number)
        if submission is None:
            return [], []  # withdrawn while the answer was under way
        answer_or_part = self._claims.answered(submission.group, submission.documents, answer)
        if isinstance(answer_or_part, Group):
            return [], [answer_or_part]
        answer = answer_or_part
        unanswered = submission.unanswered - len(answer.stored) - len(answer.rejected)
        submission.rejected.update(answer.rejected)
        out = outcomes.outcomes(submission.group, submission.documents, answer)
        self.members -= submission.members
        if unanswered:
            self._open[number] = submission = submission._replace(unanswered=unanswered)
            self.members += submission.members
            return out, []
        del self._open[number]
        self._remember(number, submission.rejected)
        for duplicate in submission.duplicates:
            out += self.answer_duplicate(duplicate)
        self.members -= sum(group.to_settle for group in submission.waiting)
        return out, submission.waiting

    def answer_duplicate(self, duplicate: DuplicateOfSent) -> list[Outcomes]:
        """A message that was delivered again. Rule 2."""
        submission = self._open.get(duplicate.number)
        waiting = (
            self._waiting.get(duplicate.number) if submission is None else submission.duplicates
        )
        if waiting is not None:
            waiting.append(duplicate)
            self.members += 1
            return []
        rejection = self._refused.get(duplicate.number, {}).get(duplicate.position)
        if rejection is None and duplicate.number <= self._forgotten:
            rejection = UNKNOWN
        if rejection is None:
            return outcomes.stored([duplicate.member])
        return outcomes.rejected([duplicate.member], rejection)

    def lose(self, origin: Origin) -> int:
        """Withdraw what a lost connection has delivered; return how many messages. Rule 4."""
        before = self.members
        for number, submission in list(self._open.items()):
            if submission.waiting or not outcomes.comes_again(submission.group, origin):
                continue
            if all(duplicate.member.origin == origin for duplicate in submission.duplicates):
                submission.withdraw()
                self._claims.withdrawn(submission.group)
                self.members -= submission.members
                del self._open[number]
        return before - self.members

    def _remember(self, number: int, rejected: dict[int, Rejection]) -> None:
        if rejected:
            self._refused[number] = rejected
        if len(self._refused) > MAX_REFUSED:
            self._forgotten = next(iter(self._refused))
            del self._refused[self._forgotten]
