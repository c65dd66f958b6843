"""Parks or drops late messages, amends their window with them, or lets them open a new group.

Pure. The shard decides which messages are late.

Rule 1: The late messages of one batch amend a window together: it is written once for each batch.
Rule 2: A message that another process may have received before is parked instead of added to a
        window that is written. The other process may have counted it in a part of the window, which
        this process cannot see.
Rule 3: A new group in a closed window leaves with its batch, too.
"""

from __future__ import annotations

from connectors.message import Rejection
from flows.groups.amendments import Amendable
from flows.groups.departures import Departures, ShardOutput
from flows.groups.rules import Rules
from flows.outcomes import outcomes
from flows.values.group import Member
from flows.values.identity import of_key


class Late:
    """The late messages of one batch."""

    def __init__(self, rules: Rules, departures: Departures) -> None:
        self._policy, self._departures = rules.late, departures
        self._amending: dict[tuple[int, str | None], tuple[Amendable, list[Member]]] = {}
        self.counts = dict.fromkeys(("parked", "dropped", "amended", "new"), 0)
        """Number of late messages by result; `new` counts only the first one of each new group."""

    def take(
        self,
        member: Member,
        window: int | None,
        now: float,
        out: list[ShardOutput],
        why: str | None = None,
    ) -> bool:
        """Handle a late message; return `False` if it must open a new group.

        `why`: for the reason, what is over; by default, that the window or the key is closed.
        """
        if self._policy == "new":
            self.counts["new"] += 1
            return False
        if self._policy == "drop":
            self.counts["dropped"] += 1
            out += outcomes.dropped([member])
        else:
            rejection = self._amend(member, window, now, why)
            self.counts["parked" if rejection else "amended"] += 1
            if rejection:
                out += outcomes.rejected([member], rejection)
        return True

    def settle(self, out: list[ShardOutput]) -> None:
        """Write each window that the batch has amended. Rule 1."""
        amending, self._amending = self._amending, {}
        for (window, key), (amendable, late) in amending.items():
            self._departures.amend(window, key, amendable, late, out)

    def _amend(
        self, member: Member, window: int | None, now: float, why: str | None
    ) -> Rejection | None:
        """Add a message to its window, or return the reason to park it."""
        amendments, amendable = self._departures.amendments, None
        if self._policy == "amend" and amendments is not None and window is not None:
            amendable = amendments.find(window, member.key)
        if amendable is None or window is None:
            what = why or f"{'key' if window is None else 'window'} is closed"
            return Rejection(f"late: its {what}{of_key(member.key)}", foreseen=True)
        _, late = self._amending.get((window, member.key), (amendable, []))
        written = amendable.count > len(late)
        if written and self._departures.is_redelivered(member):  # Rule 2
            why = "its window is written, and another process may have counted it"
            return Rejection(f"ambiguous_window: {why}{of_key(member.key)}", foreseen=True)
        amendable.add(member, now)
        self._amending.setdefault((window, member.key), (amendable, late))[1].append(member)
        return None
