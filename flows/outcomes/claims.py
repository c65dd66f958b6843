"""Who may write which document of an aligned window, and when: several writers, and no loss.

Pure. Any number of processes may write to the same windows at the same time; each may die at any
moment, be cut off from the broker without knowing it, or miss an answer of the sink. The window of
a key has a document D under its own `_id`, and perhaps others beside it, its parts. Each has the
fingerprint of its members (`summaries/fingerprint.py`). What is sent to the sink is a claim: it is
stored where no document is, or in place of the one that this process has written itself.

    this process has  what leaves    is sent as       where there is       then
    ----------------  -------------  ---------------  -------------------  ---------------------
    nothing           the window     D, new           nothing              stored: D is ours
                                                      the same members     stored: D is ours
                                                      others, and ours     it is sent as a part
                                                      are surely not in D
                                                      others               doubt: parked
    nothing, and D    the window     a part, new      nothing              stored: the part is ours
    is another's                                      the same members     stored: the part is ours
                                                      others               doubt: parked
    D, or a part      late messages  the same one,    what we wrote        stored in its place
                                     in its place     nothing              stored
                                                      the same as is sent  stored
                                                      others               doubt: parked
    a part, and D     late messages  (is not sent)                         doubt: parked
    lists one of them
    doubt             late messages  (is not sent)                         parked

"Ours are surely not in D" if all of our members are new, and D lists none of them. A message is
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

from connectors.message import Answer, Documents, Rejection
from flows.groups.departures import of_key
from flows.summaries.fingerprint import count_in, may_share, same_members
from flows.values.group import Group, Written

MAX_KEPT = 100_000
"""Windows whose state is kept, of those that may be amended; of the others nothing is."""

Window = tuple[str | None, float]
"""Key and start."""


class Claims:
    """The windows of one shard that this process writes."""

    def __init__(self) -> None:
        self._states: dict[Window, Written | Rejection] = {}
        """What was written last; a rejection: the content of the window is unknown."""
        self._busy: dict[Window, int] = {}
        """The group of the window that the sink has not answered yet."""

    def busy(self, group: Group) -> int | None:
        """The number of the group that this one has to wait for."""
        return self._busy.get(_window(group)) if group.whole else None

    def prepared(self, group: Group) -> Group | Rejection:
        """The group as it is to be written, or why it must not be."""
        if not group.amends or group.first:
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
        return group._replace(replaces=state)

    def sent(self, group: Group) -> None:
        """The sink has it."""
        if group.whole:
            self._busy[_window(group)] = group.number

    def answered(self, group: Group, documents: Documents, answer: Answer) -> Group | Answer:
        """What the sink's answer comes to; or the group, to be sent once more: as a part."""
        if not group.whole or documents.claims is None:
            return answer
        [claim] = documents.claims
        assert claim is not None, "the document of a window claims its place"
        if answer.conflicts:
            there = answer.conflicts[0]
            if group.replaces is None and there and same_members(there, claim.fingerprint):
                self._keep(group, _written(group, documents, there))
                answer = Answer([0], [])
            elif _may_go_apart(group, there):
                return group._replace(beside=there)
            else:
                rejection = _ambiguous(group, there, documents)
                self._keep(group, rejection)
                answer = Answer([], [(0, rejection)])
        elif answer.stored:
            self._keep(group, _written(group, documents, claim.fingerprint))
        self._busy.pop(_window(group), None)
        return answer

    def withdrawn(self, group: Group) -> None:
        """The sink's answer is not waited for any more."""
        if group.whole:
            self._busy.pop(_window(group), None)
            self._states.pop(_window(group), None)

    def _keep(self, group: Group, state: Written | Rejection) -> None:
        if not group.amendable:
            return
        self._states[_window(group)] = state
        if len(self._states) > MAX_KEPT:
            del self._states[next(iter(self._states))]


def _window(group: Group) -> Window:
    return group.key, group.start


def _may_go_apart(group: Group, there: str | None) -> bool:
    """Whether all members are new, and none of them is among those that came to D another way."""
    if group.replaces is not None or group.beside is not None or group.redelivered:
        return False
    return there is not None and not may_share(there, group.identities)


def _written(group: Group, documents: Documents, fingerprint: str) -> Written:
    beside = group.replaces.beside if group.replaces else group.beside
    return Written(fingerprint, *_place(documents), beside)


def _ambiguous(group: Group, there: str | None, documents: Documents | None) -> Rejection:
    count, place = count_in(there), _place(documents) if documents else (None, None)
    many = "some number of" if count is None else count
    told = f"its window was written before, of {many} messages, and it may be one of these"
    reason = f"ambiguous_window: {told}{of_key(group.key)}"
    return Rejection(reason, index=place[0], id=place[1], foreseen=True)


def _place(documents: Documents) -> tuple[str | None, str | None]:
    index = documents.indices[0] if documents.indices else None
    return index, documents.ids[0] if documents.ids else None
