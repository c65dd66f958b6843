"""Decides which process may write which document of an aligned window, so that no member is lost.

Pure. Any number of processes may write to the same windows at the same time; each may die at any
moment, lose the broker without noticing, or miss an answer of the sink. The window of a key has one
document D under the window's `_id`, and possibly parts: further documents, each under an `_id` of
its own. Each document has the fingerprint of its members (`summaries/fingerprint.py`). A process
sends a document to the sink as a claim: the sink stores it only where no document exists, or in
place of the one that this process has written itself.

`TRANSITIONS` maps what a process sends and what the sink finds to the next step.

The document of another process is sure to count none of our members if all of them are new and D
lists none of them. A message is new if, for all this process knows, the broker has delivered it to
no other process. It stays new when the broker redelivers it after a lost connection. A message is
new to one process only, so each is counted once, although the processes do not talk to each other:

- A part has new messages only. So no message is in the parts of two processes.
- Messages that are not new enter D when it is created, never later (see `groups/late.py`), and D
  lists them. A process that finds D sees there whether its own messages may be counted. One that is
  not listed never enters D, because only messages that are new to the writer of D are added later.
- Two processes that both take D for theirs have written the same members. The first of them to add
  a member changes the fingerprint, and the claim of the other one fails.

While the window is open, D may be early: it says so, and settles nothing. Any process may replace
an early D by an early one or by its first revision, but none replaces another D by an early one. So
D is missing or early until the first process sends its first revision.

A parked message may be counted too. A message that is acknowledged and not parked is counted once.
A group that another rule than its window completes (a stop, no room, `late: new`) claims nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from connectors.message import Answer, Documents, Rejection
from flows.summaries.fingerprint import count_in, may_share, same_members, same_window
from flows.values.group import Amendment, FirstRevision, Group, Written
from flows.values.identity import of_key


class Sent(Enum):
    """What this process sends to the sink for a window."""

    DOCUMENT = auto()
    """D, the document of the window: a first revision."""
    PART = auto()
    """A part, because another process has written D: a first revision too."""
    AMENDMENT = auto()
    """D or a part with late messages, in place of the revision that this process has written."""


class Found(Enum):
    """What the sink finds under that `_id`."""

    NOTHING = auto()
    """No document, an early one, or the one that this process has written: the sink stores the new
    one."""
    SAME = auto()
    """A document of the same members; or a later revision by the state that has this one too, if
    an earlier process has written it."""
    OTHERS_WITHOUT_OURS = auto()
    """A document of other members, which is sure to count none of ours."""
    OTHERS = auto()
    """A document of other members, which may count some of ours."""


class Then(Enum):
    """What this process does next."""

    OURS = auto()
    """Count it as stored; this process may amend it."""
    SEND_AS_PART = auto()
    IN_DOUBT = auto()
    """Park the group and all late messages of the window: which members are counted is unknown."""


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
"""An amendment is parked instead of sent if its window is in doubt; if this process does not know
the members of the window; or if it would add to a part a late message that D lists. In the last
case, the window is in doubt from then on."""

MAX_KEPT = 100_000
"""The largest number of windows whose state is kept; none is kept if windows are never amended."""

Window = tuple[str | None, float]
"""Key and start."""


class Claims:
    """The windows of one shard that this process writes."""

    def __init__(self, *, amends: bool = True) -> None:
        """`amends`: windows may be written again."""
        self._amends = amends
        self._states: dict[Window, Written | Rejection] = {}
        """The revision written last; a rejection: the window is in doubt."""
        self._busy: dict[Window, int] = {}
        """The number of the window's group that waits for the sink's answer."""

    def busy(self, group: Group) -> int | None:
        """Return the number of the group whose answer this one must wait for."""
        return self._busy.get(_window(group)) if _has_place(group) else None

    def prepared(self, group: Group) -> Group | Rejection:
        """Return the group as it is to be written, or why it must not be written."""
        if not isinstance(group.of_window, Amendment):
            return group
        state = self._states.get(_window(group))
        if state is None:
            reason = "ambiguous_window: this process does not know which messages its window counts"
            return Rejection(f"{reason}{of_key(group.key)}", foreseen=True)
        if isinstance(state, Rejection):
            return state
        if state.beside is not None and may_share(state.beside, group.identities):
            # A late message may have been here before, and another process may have put it into D.
            rejection = self._states[_window(group)] = _ambiguous(group, state.beside, None)
            return rejection
        return group._replace(of_window=group.of_window._replace(replaces=state))

    def sent(self, group: Group) -> None:
        """Note that the sink has the group."""
        if _has_place(group):
            self._busy[_window(group)] = group.number

    def answered(self, group: Group, documents: Documents, answer: Answer) -> Group | Answer:
        """Return the answer after the claims are settled; or the group, to be sent as a part."""
        revision = group.of_window
        if not isinstance(revision, FirstRevision | Amendment) or documents.claims is None:
            return answer
        [claim] = documents.claims
        assert claim is not None, "the document of a window claims its place"
        if answer.failed_claims or answer.stored:
            there = answer.failed_claims[0] if answer.failed_claims else claim.fingerprint
            found = (
                _found(group, claim.fingerprint, there) if answer.failed_claims else Found.NOTHING
            )
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

    def early_settled(self, group: Group) -> None:
        """Note that the sink has answered about an early revision, or that it is withdrawn."""
        self._busy.pop(_window(group), None)

    def withdrawn(self, group: Group) -> None:
        """Note that this process no longer waits for the sink's answer."""
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
    """Return whether the group is all of a window; a fragment claims nothing."""
    return isinstance(group.of_window, FirstRevision | Amendment)


def _has_place(group: Group) -> bool:
    """Return whether the sink has only one such document of a window at a time."""
    return _claims(group) or group.is_early


def _window(group: Group) -> Window:
    return group.key, group.start


def _sent(revision: FirstRevision | Amendment) -> Sent:
    if isinstance(revision, Amendment):
        return Sent.AMENDMENT
    return Sent.DOCUMENT if revision.beside is None else Sent.PART


def _found(group: Group, ours: str, there: str | None) -> Found:
    """Classify the document found, by its fingerprint `there` (`None`: it has none) and `ours`."""
    if there and (same_members(there, ours) or (group.kept and same_window(ours, there))):
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
    many = "an unknown number of" if count is None else count
    what = f"its window is already written, with {many} messages, and it may be one of them"
    reason = f"ambiguous_window: {what}{of_key(group.key)}"
    return Rejection(reason, index=place[0], id=place[1], foreseen=True)


def _place(documents: Documents) -> tuple[str | None, str | None]:
    index = documents.indices[0] if documents.indices else None
    return index, documents.ids[0] if documents.ids else None
