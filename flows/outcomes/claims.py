"""Who may write which document of an aligned window, and when: several writers, and no loss.

Pure. Any number of processes may write to the same windows at the same time; each may die at any
moment, be cut off from the broker without knowing it, or miss an answer of the sink. The window of
a key has a document D under its own `_id`, and perhaps others beside it, its parts. Each has the
fingerprint of its members (`summaries/fingerprint.py`). What is sent to the sink is a claim: it is
stored where no document is, or in place of the one that this process has written itself.

`TRANSITIONS` tells what follows from what is found there.

Others are surely without ours if all of our members are new, and D lists none of them. A message is
new if the broker has delivered it to no other process before, for all that is known here: what was
new when a connection was lost is new when it comes again. There is one process for which it is, so
each is counted once, although no two writers speak with each other:

- A part has new messages only. So no message is in the parts of two processes.
- Messages that are not new come to D when it is created, and never later (see `groups/late.py`),
  and D lists them. Who meets D sees whether its own messages may be there; one that is not listed
  never comes there, because what is added later is new to the writer of D.
- Two processes that take D for theirs have written the same members. The first of them to add to it
  changes its fingerprint, and the claim of the other one fails.

What is parked may be counted as well. What is acknowledged and not parked is counted once.
What leaves by another rule than its window (a stop, want of room, `late: new`) claims nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from connectors.message import Answer, Documents, Rejection
from flows.summaries.fingerprint import count_in, may_share, same_members
from flows.values.group import Amendment, FirstRevision, Group, Written
from flows.values.identity import of_key


class Sent(Enum):
    """What is sent to the sink of a window."""

    DOCUMENT = auto()
    """The document of the window, D: its first revision."""
    PART = auto()
    """A part, since D is another process's: its first revision too."""
    AMENDMENT = auto()
    """D, or a part, with late messages, in place of what this process has written."""


class Found(Enum):
    """What the sink has found under that `_id`."""

    NOTHING = auto()
    """Or what this process has written, or the very same document: it is stored."""
    SAME = auto()
    """A document of the same members."""
    OTHERS_WITHOUT_OURS = auto()
    """Others, and our members are surely not in it."""
    OTHERS = auto()


class Then(Enum):
    """What follows."""

    OURS = auto()
    """It counts as stored, and this process may amend it."""
    SEND_AS_PART = auto()
    IN_DOUBT = auto()
    """It is parked, and so is what comes late for the window: what is in it is not known."""


TRANSITIONS: Mapping[tuple[Sent, Found], Then] = {
    (Sent.DOCUMENT, Found.NOTHING): Then.OURS,
    (Sent.DOCUMENT, Found.SAME): Then.OURS,
    (Sent.DOCUMENT, Found.OTHERS_WITHOUT_OURS): Then.SEND_AS_PART,
    (Sent.DOCUMENT, Found.OTHERS): Then.IN_DOUBT,
    (Sent.PART, Found.NOTHING): Then.OURS,
    (Sent.PART, Found.SAME): Then.OURS,
    (Sent.PART, Found.OTHERS_WITHOUT_OURS): Then.IN_DOUBT,
    (Sent.PART, Found.OTHERS): Then.IN_DOUBT,
    (Sent.AMENDMENT, Found.NOTHING): Then.OURS,
    (Sent.AMENDMENT, Found.SAME): Then.IN_DOUBT,
    (Sent.AMENDMENT, Found.OTHERS_WITHOUT_OURS): Then.IN_DOUBT,
    (Sent.AMENDMENT, Found.OTHERS): Then.IN_DOUBT,
}
"""An amendment is not sent but parked where its window is in doubt, where this process does not
know what is in the window, and where D lists one of the late messages that would come to a part
beside it: that window is in doubt from then on."""

MAX_KEPT = 100_000
"""Windows whose state is kept, where windows may be amended; elsewhere nothing is."""

Window = tuple[str | None, float]
"""Key and start."""


class Claims:
    """The windows of one shard that this process writes."""

    def __init__(self, *, amends: bool = True) -> None:
        """`amends`: windows may be written again."""
        self._amends = amends
        self._states: dict[Window, Written | Rejection] = {}
        """What was written last; a rejection: the window is in doubt."""
        self._busy: dict[Window, int] = {}
        """The group of the window that the sink has not answered yet."""

    def busy(self, group: Group) -> int | None:
        """The number of the group that this one has to wait for."""
        return self._busy.get(_window(group)) if _claims(group) else None

    def prepared(self, group: Group) -> Group | Rejection:
        """The group as it is to be written, or why it must not be."""
        if not isinstance(group.of_window, Amendment):
            return group
        state = self._states.get(_window(group))
        if state is None:
            told = f"ambiguous_window: what is in its window is not known{of_key(group.key)}"
            return Rejection(told, foreseen=True)
        if isinstance(state, Rejection):
            return state
        if state.beside is not None and may_share(state.beside, group.identities):
            # What is late may have been here before, and have come to D in the meantime.
            rejection = self._states[_window(group)] = _ambiguous(group, state.beside, None)
            return rejection
        return group._replace(of_window=group.of_window._replace(replaces=state))

    def sent(self, group: Group) -> None:
        """The sink has it."""
        if _claims(group):
            self._busy[_window(group)] = group.number

    def answered(self, group: Group, documents: Documents, answer: Answer) -> Group | Answer:
        """What the sink's answer comes to; or the group, to be sent once more: as a part."""
        revision = group.of_window
        if not isinstance(revision, FirstRevision | Amendment) or documents.claims is None:
            return answer
        [claim] = documents.claims
        assert claim is not None, "the document of a window claims its place"
        if answer.conflicts or answer.stored:
            there = answer.conflicts[0] if answer.conflicts else claim.fingerprint
            found = _found(group, claim.fingerprint, there) if answer.conflicts else Found.NOTHING
            then = TRANSITIONS[_sent(revision), found]
            if then is Then.SEND_AS_PART:
                assert isinstance(revision, FirstRevision)
                return group._replace(of_window=revision._replace(beside=there))
            if then is Then.OURS:
                assert there is not None
                index, id = _place(documents)
                beside = _beside(revision)
                written = Written(fingerprint=there, index=index, id=id, beside=beside)
                self._keep(group, written)
                answer = Answer([0], [])
            else:
                rejection = _ambiguous(group, there, documents)
                self._keep(group, rejection)
                answer = Answer([], [(0, rejection)])
        self._busy.pop(_window(group), None)
        return answer

    def withdrawn(self, group: Group) -> None:
        """The sink's answer is not waited for any more."""
        if _claims(group):
            self._busy.pop(_window(group), None)
            self._states.pop(_window(group), None)

    def _keep(self, group: Group, state: Written | Rejection) -> None:
        if not self._amends:
            return
        self._states[_window(group)] = state
        if len(self._states) > MAX_KEPT:
            del self._states[next(iter(self._states))]


def _claims(group: Group) -> bool:
    """Whether it is all of a window; anything less claims nothing."""
    return isinstance(group.of_window, FirstRevision | Amendment)


def _window(group: Group) -> Window:
    return group.key, group.start


def _sent(revision: FirstRevision | Amendment) -> Sent:
    if isinstance(revision, Amendment):
        return Sent.AMENDMENT
    return Sent.DOCUMENT if revision.beside is None else Sent.PART


def _found(group: Group, ours: str, there: str | None) -> Found:
    """What it is whose fingerprint is there, beside our own; `None`: it has none."""
    if there and same_members(there, ours):
        return Found.SAME
    is_new = isinstance(group.of_window, FirstRevision) and not group.of_window.redelivered
    if is_new and there is not None and not may_share(there, group.identities):
        return Found.OTHERS_WITHOUT_OURS
    return Found.OTHERS


def _beside(revision: FirstRevision | Amendment) -> str | None:
    if isinstance(revision, FirstRevision):
        return revision.beside
    assert revision.replaces is not None, "an amendment is prepared before it is sent"
    return revision.replaces.beside


def _ambiguous(group: Group, there: str | None, documents: Documents | None) -> Rejection:
    count, place = count_in(there), _place(documents) if documents else (None, None)
    many = "some number of" if count is None else count
    told = f"its window was written before, of {many} messages, and it may be one of these"
    reason = f"ambiguous_window: {told}{of_key(group.key)}"
    return Rejection(reason, index=place[0], id=place[1], foreseen=True)


def _place(documents: Documents) -> tuple[str | None, str | None]:
    index = documents.indices[0] if documents.indices else None
    return index, documents.ids[0] if documents.ids else None
