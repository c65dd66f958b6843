"""Knows which groups the sink has, and says whose outcome an answer of the sink is.

Pure. It neither submits nor waits.

Rule 1: an answer about a document is the outcome of the messages that it was made of.
Rule 2: a twin shares the fate of its first copy, whether that is known yet or not.
Rule 3: only a document that was not there shows that a window is new; so a group that claims one
        creates it, and gives it its version then. Its amendments wait for what comes of that.
Rule 4: where there is a document, it has the group's members for certain if it has its version. If
        it has none of them, since they were never delivered before, they are written apart. Else
        nobody knows, and they are rejected: neither lost nor counted twice.
Rule 5: what a lost connection has delivered is withdrawn, since it will come again; unless the
        group has members or twins of others, which will not, or names, by which it is recognised
        then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from connectors.message import Answer, Documents, Origin, Outcomes, Rejection
from flows import reduce
from flows.accounts.conservation import in_group
from flows.group import Group, Twin, Unwritten
from flows.groups.departures import of_key
from flows.summaries.version import UNCONFIRMED, count_in, same_members

REFUSED_MOST = 10_000
"""Groups with rejected documents that are remembered, for twins of what was rejected."""
ANOTHERS_MOST = 100_000
"""Windows that another process has written, of those that may be amended."""
UNKNOWN = Rejection(
    "outcome_unknown: what became of it when it was first delivered is forgotten", foreseen=True
)
"""It may be stored; but to acknowledge it, we would have to know."""


_Window = tuple[str | None, float]
"""Key and start."""


class _Submission(NamedTuple):
    group: Group
    documents: Documents
    withdraw: Callable[[], None]
    unanswered: int
    rejected: dict[int, Rejection]
    twins: list[Twin]
    amendments: list[Group]
    """They wait for its answer."""

    @property
    def members(self) -> int:
        """Messages that wait for an answer; those of a summary wait together."""
        one_each = len(self.documents.sources) == len(self.group.members)
        return (self.unanswered if one_each else in_group(self.group)) + len(self.twins)


class Submissions:
    """The groups of one shard that are with the sink, or were so lately."""

    def __init__(self) -> None:
        self._open: dict[int, _Submission] = {}
        self._refused: dict[int, dict[int, Rejection]] = {}
        self._claims: dict[_Window, int] = {}
        """Groups that wait to hear whether their window is new."""
        self._waiting: dict[int, list[Twin]] = {}
        """Amendments that wait for one of these, and the twins of what is in them."""
        self._anothers: dict[_Window, Rejection] = {}
        """Windows that another process has written, and why nobody knows what is in them."""
        self._forgotten = 0  # the number of the last group that is not among the refused any more
        self.members = 0
        """Messages that wait for an answer."""

    def __len__(self) -> int:
        """Groups that are not answered yet."""
        return len(self._open)

    def waits(self, group: Group) -> bool:
        """Whether a group must not be submitted yet: it will be among those that are `due`."""
        claiming = self._claims.get(_window(group))
        if not group.amends or claiming is None:
            return False
        submission = self._open[claiming]
        submission.amendments.append(group)
        self._waiting[group.number] = []
        self.members += in_group(group)
        return True

    def as_written(self, group: Group) -> Group:
        """The group as it is to be written: an amendment of another's window apart. Rule 4."""
        apart = group.amends and _window(group) in self._anothers
        return group._replace(apart=True) if apart else group

    def unless_unsure(
        self, group: Group, documents: Documents | Unwritten
    ) -> Documents | Unwritten:
        """The same, unless some of what amends another's window may be in it already. Rule 4."""
        if not (group.amends and group.apart and group.again) or isinstance(documents, Unwritten):
            return documents
        return Unwritten(self._anothers[_window(group)], documents.sources[0])

    def add(self, group: Group, documents: Documents, withdraw: Callable[[], None]) -> None:
        """A group is with the sink; perhaps not for the first time."""
        count = len(documents.sources)
        before = self._open.get(group.number)
        if before is None:
            twins, amendments = self._waiting.pop(group.number, []), list[Group]()
            self.members += in_group(group)
        else:
            twins, amendments = before.twins, before.amendments
        submission = _Submission(group, documents, withdraw, count, {}, twins, amendments)
        self._open[group.number] = submission
        if group.claims:
            self._claims[_window(group)] = group.number

    def due(self, number: int, answer: Answer) -> list[Group]:
        """Groups to be submitted, again or at last, because of this answer. Rules 3 and 4."""
        submission = self._open.get(number)
        if submission is None or not (submission.group.claims or answer.conflicts):
            return []
        group = submission.group
        self._claims.pop(_window(group), None)
        out: list[Group] = []
        unsure = _unsure(submission, answer)
        if unsure is not None:
            self._anothers[_window(group)] = unsure
            if len(self._anothers) > ANOTHERS_MOST:
                del self._anothers[next(iter(self._anothers))]
            if not group.again:
                out.append(group._replace(apart=True, claims=False))
        elif group.claims and answer.stored and answer.conflicts.get(0, UNCONFIRMED) == UNCONFIRMED:
            out.append(group._replace(claims=False))
        out += submission.amendments
        self.members -= sum(map(in_group, submission.amendments))
        submission.amendments.clear()
        return out

    def refuse(self, group: Group, unwritten: Unwritten) -> list[Outcomes]:
        """A group never gets to the sink: all of its members are rejected."""
        self._remember(group.number, {0: unwritten.rejection})
        twins = self._waiting.pop(group.number, [])
        self.members -= len(twins)
        return reduce.refused(group, *unwritten) + [o for twin in twins for o in self.twin(twin)]

    def answer(self, number: int, answer: Answer) -> list[Outcomes]:
        """The sink's answer about the group of that number. Rule 1."""
        submission = self._open.get(number)
        if submission is None:
            return []  # withdrawn while the answer was under way
        if answer.conflicts and (unsure := _unsure(submission, answer)) is not None:
            answer = Answer([], [(0, unsure)])  # Rule 4
        unanswered = submission.unanswered - len(answer.stored) - len(answer.rejected)
        submission.rejected.update(answer.rejected)
        out = reduce.outcomes(submission.group, submission.documents, answer)
        self.members -= submission.members
        if unanswered:
            self._open[number] = submission = submission._replace(unanswered=unanswered)
            self.members += submission.members
            return out
        del self._open[number]
        self._remember(number, submission.rejected)
        for twin in submission.twins:
            out += self.twin(twin)
        return out

    def twin(self, twin: Twin) -> list[Outcomes]:
        """A message that was delivered again. Rule 2."""
        submission = self._open.get(twin.number)
        waiting = self._waiting.get(twin.number) if submission is None else submission.twins
        if waiting is not None:
            waiting.append(twin)
            self.members += 1
            return []
        rejection = self._refused.get(twin.number, {}).get(twin.position)
        if rejection is None and twin.number <= self._forgotten:
            rejection = UNKNOWN
        if rejection is None:
            return reduce.stored([twin.member])
        return reduce.rejected([twin.member], rejection)

    def lose(self, origin: Origin) -> int:
        """Withdraw what a lost connection has delivered; return how many messages. Rule 5."""
        before = self.members
        for number, submission in list(self._open.items()):
            if submission.amendments or not reduce.comes_again(submission.group, origin):
                continue
            if all(twin.member.origin == origin for twin in submission.twins):
                submission.withdraw()
                self._claims.pop(_window(submission.group), None)
                self.members -= submission.members
                del self._open[number]
        return before - self.members

    def _remember(self, number: int, rejected: dict[int, Rejection]) -> None:
        if rejected:
            self._refused[number] = rejected
        if len(self._refused) > REFUSED_MOST:
            self._forgotten = next(iter(self._refused))
            del self._refused[self._forgotten]


def _unsure(submission: _Submission, answer: Answer) -> Rejection | None:
    """Why nobody knows what is in a group's window, if another process has written that. Rule 4."""
    group, documents = submission.group, submission.documents
    version = documents.versions[0] if documents.versions else None
    if version is None or group.apart or 0 not in answer.conflicts:
        return None
    there = answer.conflicts[0]
    if there == UNCONFIRMED or same_members(there, version):
        return None
    many = "some number of" if there is None else count_in(there)
    return Rejection(
        f"unsure: its window was written before, of {many} messages, and it may be one of these"
        + of_key(group.key),
        index=documents.indices[0] if documents.indices else None,
        id=documents.ids[0] if documents.ids else None,
        foreseen=True,
    )


def _window(group: Group) -> _Window:
    return group.key, group.start
