"""What becomes of messages that come after their window or their key was closed.

Pure. It is told which messages are late.

Rule 1: Late messages that come together amend together: a window is written again once for each
        batch, and not once for each message.
Rule 2: A message that another process may have had in hand adds to no window that is written
        already: that process may have counted it beside the window's document, where it is not
        seen. It is parked.
Rule 3: Those that make up new groups, in a window that is closed, leave together likewise.
"""

from __future__ import annotations

from connectors.message import Rejection
from flows.groups.amendments import Amendable
from flows.groups.departures import Departures, ShardOutput, of_key
from flows.groups.rules import Rules
from flows.outcomes import outcomes
from flows.values.group import Member


class Late:
    """The late messages of one batch."""

    def __init__(self, rules: Rules, departures: Departures) -> None:
        self._policy, self._departures = rules.late, departures
        self._amending: dict[tuple[int, str | None], tuple[Amendable, list[Member]]] = {}
        self.counts = dict.fromkeys(("parked", "dropped", "amended", "new"), 0)
        """How many there were, by what became of them; of a new group, the one that opened it."""

    def take(
        self, member: Member, window: int | None, out: list[ShardOutput], why: str | None = None
    ) -> bool:
        """Deal with a late message; `False`: it is to open a group as any other.

        `why` says what is over; omitted, its window is closed, or its key.
        """
        if self._policy == "new":
            self.counts["new"] += 1
            return False
        if self._policy == "drop":
            self.counts["dropped"] += 1
            out += outcomes.dropped([member])
        else:
            rejection = self._amend(member, window, why)
            self.counts["parked" if rejection else "amended"] += 1
            if rejection:
                out += outcomes.rejected([member], rejection)
        return True

    def settle(self, out: list[ShardOutput]) -> None:
        """The batch is through: write again what it amends. Rule 1."""
        amending, self._amending = self._amending, {}
        for (window, key), (amendable, late) in amending.items():
            self._departures.amend(window, key, amendable, late, out)

    def _amend(self, member: Member, window: int | None, why: str | None) -> Rejection | None:
        """Add a message to its window, or tell why it is parked."""
        amendments, amendable = self._departures.amendments, None
        if self._policy == "amend" and amendments is not None and window is not None:
            amendable = amendments.find(window, member.key)
        if amendable is None or window is None:
            what = why or f"{'key' if window is None else 'window'} is closed"
            return Rejection(f"late: its {what}{of_key(member.key)}", foreseen=True)
        _, late = self._amending.get((window, member.key), (amendable, []))
        written = amendable.count > len(late)
        if written and self._departures.is_redelivered(member):  # Rule 2
            told = "its window is written, and another process may have counted it"
            return Rejection(f"ambiguous_window: {told}{of_key(member.key)}", foreseen=True)
        amendable.add(member)
        self._amending.setdefault((window, member.key), (amendable, late))[1].append(member)
        return None
