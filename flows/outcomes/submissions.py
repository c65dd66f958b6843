"""Tracks which groups the sink has, and translates its answers into outcomes.

Pure. It neither submits nor waits.

Rule 1: the answer about a document is the outcome of the messages in that document.
Rule 2: a duplicate gets the outcome of its first copy, and waits for it if necessary. But if it has
        a distinct value, and the document of the first copy is rejected, it may be another message,
        so it is written by itself: it gets an outcome of its own, and further copies get that.
Rule 3: the sink has one document of a window at a time; an amendment waits for its answer. What may
        be written, and what a conflict means, is up to `claims`.
Rule 4: a group is withdrawn when its connection is lost and all of its messages will be redelivered
        without a message id to recognise them by.
Rule 5: an early revision waits for the one before it, and only the newest one waits. The first
        revision of the window waits for none: it supersedes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from connectors.message import Answer, Documents, Origin, Outcomes, Rejection
from flows.outcomes import finished, outcomes
from flows.outcomes.claims import Claims
from flows.outcomes.finished import Finished
from flows.values.group import DuplicateOfSent, EarlyRevision, Group, Unwritten

MAX_REFUSED = 10_000
"""The largest number of groups with rejected documents that are remembered, for duplicates."""
UNKNOWN = Rejection(
    "outcome_expired: redelivered after Hopper forgot its first outcome; it may be stored already",
    foreseen=True,
)
"""The document may be stored, but Hopper acknowledges only what it knows to be stored."""


class _Submission(NamedTuple):
    group: Group
    documents: Documents
    withdraw: Callable[[], None]
    unanswered: int
    rejected: dict[int, Rejection]
    duplicates: list[DuplicateOfSent]
    waiting: list[Group]
    """Groups of the same window, which wait for the answer about this one."""

    @property
    def members(self) -> int:
        """Number of messages that wait for an answer; those of a summary wait together."""
        group = self.group
        one_each = group.kept is None and len(self.documents.sources) == len(group.members)
        return (self.unanswered if one_each else group.to_settle) + len(self.duplicates)


class Submissions:
    """The groups of one shard that the sink has, or has answered recently."""

    def __init__(self, *, amends: bool = True, reduces: bool = True) -> None:
        """`amends`: windows may be written again; `reduces`: a group becomes one document."""
        self._reduces = reduces
        self._open: dict[int, _Submission] = {}
        self._refused: dict[int, dict[int, Rejection]] = {}
        self._claims = Claims(amends=amends)
        self._waiting: dict[int, list[DuplicateOfSent]] = {}
        """Duplicates of members of groups that wait, by the number of the group."""
        self._second_copies: dict[int, dict[int, int]] = {}
        """Of rejected documents: the number of the group that the second copy is by itself."""
        self._last_number = 0
        """Number of the last such group; below zero, as no group of a shard has one."""
        self._forgotten = 0  # number of the last group evicted from the refused ones
        self.early = dict.fromkeys(("stored", "rejected", "superseded"), 0)
        """Number of early revisions by what became of them."""
        self.early_rejection: Rejection | None = None
        """Why the last one was rejected."""
        self.members = 0
        """Number of messages that wait for an answer."""
        self.finished: list[Finished] = []
        """Groups of the state that have come to their end, until the caller takes them."""

    def __len__(self) -> int:
        """Number of groups that wait for an answer."""
        return len(self._open)

    def waits(self, group: Group) -> bool:
        """Keep a group that must wait; `answer` returns it when its turn comes. Rule 3."""
        busy = self._claims.busy(group)
        if busy is None or busy == group.number:
            return False
        before = self._open[busy]
        if before.group.is_early or group.is_early:
            return self._waits_early(before, group)
        before.waiting.append(group)
        self._waiting[group.number] = []
        self.members += group.to_settle
        return True

    def withdraw_early(self) -> list[Group]:
        """Withdraw the running summaries of open windows; return groups to submit instead.

        Those that replace others by empty ones stay.
        """
        due: list[Group] = []
        for submission in list(self._open.values()):
            if submission.group.of_window == EarlyRevision():
                due += [one for one in submission.waiting if one.of_window != EarlyRevision()]
                submission.waiting[:] = [one for one in submission.waiting if one not in due]
                self._supersede(submission)
        return due

    def prepared(self, group: Group) -> Group | Rejection:
        """Return the group as it is to be written, or why it must not be written. Rule 3."""
        return self._claims.prepared(group)

    def add(self, group: Group, documents: Documents, withdraw: Callable[[], None]) -> None:
        """Note that the sink has a group, possibly for the second time."""
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

    def submitted(self, number: int) -> tuple[Group, Documents] | None:
        """Return a group that the sink has, with its documents; `None`: it is withdrawn."""
        found = self._open.get(number)
        return None if found is None else (found.group, found.documents)

    def refuse(self, group: Group, unwritten: Unwritten) -> tuple[list[Outcomes], list[Group]]:
        """Reject all members of a group that the sink never gets; the result is as of `answer`."""
        if group.is_early:
            self._reject_early(group, unwritten.rejection)
            return [], []
        duplicates = self._waiting.pop(group.number, [])
        if group.kept is not None:
            self.finished.append(finished.refused(group, *unwritten))
            return [], []
        self._remember(group.number, {0: unwritten.rejection})
        self.members -= len(duplicates)
        out, due = self._answer_duplicates(duplicates)
        return outcomes.refused(group, *unwritten) + out, due

    def answer(self, number: int, answer: Answer) -> tuple[list[Outcomes], list[Group]]:
        """Take the sink's answer about the group of that number.

        Returns:
            Outcomes, and groups to submit now, which may include that group again. Rules 1 and 3.
        """
        submission = self._open.get(number)
        if submission is None:
            return [], []  # withdrawn before the answer arrived
        if submission.group.is_early:
            return [], self._answered_early(submission, answer)
        answer_or_part = self._claims.answered(submission.group, submission.documents, answer)
        if isinstance(answer_or_part, Group):
            return [], [answer_or_part]
        answer = answer_or_part
        unanswered = submission.unanswered - len(answer.stored) - len(answer.rejected)
        submission.rejected.update(answer.rejected)
        group, documents = submission.group, submission.documents
        out = outcomes.outcomes(group, documents, answer) if group.kept is None else []
        self.members -= submission.members
        if unanswered:
            self._open[number] = submission = submission._replace(unanswered=unanswered)
            self.members += submission.members
            return out, []
        del self._open[number]
        if group.kept is not None:
            self.finished.append(finished.answered(group, documents, submission.rejected))
        else:
            self._remember(number, submission.rejected)
        of_duplicates, due = self._answer_duplicates(submission.duplicates)
        self.members -= sum(group.to_settle for group in submission.waiting)
        return out + of_duplicates, [*due, *submission.waiting]

    def answer_duplicate(self, duplicate: DuplicateOfSent) -> tuple[list[Outcomes], list[Group]]:
        """Return the outcomes of a duplicate, if its first copy has one; or the group to submit.

        Rule 2.
        """
        while (second := self._second_copy(duplicate)) is not None:
            duplicate = duplicate._replace(number=second, position=0)
        submission = self._open.get(duplicate.number)
        waiting = (
            self._waiting.get(duplicate.number) if submission is None else submission.duplicates
        )
        if waiting is not None:
            waiting.append(duplicate)
            self.members += 1
            return [], []
        rejection = self._refused.get(duplicate.number, {}).get(duplicate.position)
        if rejection is None and 0 < duplicate.number <= self._forgotten:
            rejection = UNKNOWN
        elif rejection is not None and duplicate.is_distinct and not self._reduces:
            return [], [self._by_itself(duplicate)]
        if rejection is None:
            return outcomes.stored([duplicate.member]), []
        return outcomes.rejected([duplicate.member], rejection), []

    def _answer_duplicates(
        self, duplicates: list[DuplicateOfSent]
    ) -> tuple[list[Outcomes], list[Group]]:
        answers = [self.answer_duplicate(duplicate) for duplicate in duplicates]
        return [o for out, _ in answers for o in out], [g for _, due in answers for g in due]

    def _second_copy(self, duplicate: DuplicateOfSent) -> int | None:
        return self._second_copies.get(duplicate.number, {}).get(duplicate.position)

    def _by_itself(self, duplicate: DuplicateOfSent) -> Group:
        """Return the second copy of a rejected message as a group; further copies wait for it."""
        self._last_number -= 1
        number, member = self._last_number, duplicate.member
        self._second_copies.setdefault(duplicate.number, {})[duplicate.position] = number
        self._waiting[number] = []
        return Group(number, member.key, [member], "alone", 0.0, 0.0)

    def lose(self, origin: Origin) -> int:
        """Withdraw the groups of a lost connection; return the number of messages. Rule 4."""
        before = self.members
        for number, submission in list(self._open.items()):
            group = submission.group
            if group.is_early or group.kept is not None or submission.waiting:
                continue
            if not outcomes.redelivered_without_ids(group, origin):
                continue
            if all(duplicate.member.origin == origin for duplicate in submission.duplicates):
                submission.withdraw()
                self._claims.withdrawn(group)
                self.members -= submission.members
                del self._open[number]
        return before - self.members

    def _waits_early(self, before: _Submission, group: Group) -> bool:
        """Settle an early revision, and a group of its window; return whether that waits. Rule 5.

        One of them is early, and the sink has the one `before`.
        """
        if not group.is_early:
            self._supersede(before)
            return False
        if before.group.is_early:
            self._end_early(*before.waiting)
            before.waiting[:] = [group]
        else:
            self._end_early(group)
        return True

    def _supersede(self, early: _Submission) -> None:
        early.withdraw()
        del self._open[early.group.number]
        self._claims.early_settled(early.group)
        self._end_early(early.group, *early.waiting)

    def _end_early(self, *groups: Group, became: str = "superseded") -> None:
        self.early[became] += len(groups)
        self.finished += [finished.ended(group) for group in groups if group.kept is not None]

    def _answered_early(self, early: _Submission, answer: Answer) -> list[Group]:
        """Count the answer about an early revision; return the next one."""
        del self._open[early.group.number]
        self._claims.early_settled(early.group)
        if answer.rejected:
            self._reject_early(early.group, answer.rejected[0][1])
        else:
            self._end_early(early.group, became="stored" if answer.stored else "superseded")
        return early.waiting

    def _reject_early(self, group: Group, rejection: Rejection) -> None:
        self._end_early(group, became="rejected")
        self.early_rejection = rejection

    def _remember(self, number: int, rejected: dict[int, Rejection]) -> None:
        if rejected:
            self._refused[number] = rejected
        if len(self._refused) > MAX_REFUSED:
            number = next(iter(self._refused))
            del self._refused[number]
            self._second_copies.pop(number, None)
            self._forgotten = max(self._forgotten, number)
