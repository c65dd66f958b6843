"""What a shard with state remembers of groups that have left: it is durable.

Pure.
"""

from __future__ import annotations

from flows.groups.departures import Departures
from flows.groups.open_group import OpenGroup
from flows.groups.rules import Rules
from flows.groups.windows import Windows
from flows.state.journal import Journal
from flows.state.recent_texts import RecentTexts
from flows.values.group import Group, Kept


class KeptKeys:
    """Closed keys that are durable (see `ClosedKeys`)."""

    def __init__(self, keys: RecentTexts) -> None:
        self._keys = keys

    def __contains__(self, key: str | None) -> bool:
        return self._keys.has(key, 0.0)

    def close(self, key: str | None) -> None:
        """See `ClosedKeys`."""
        self._keys.add(key, 0.0)


class KeptDepartures(Departures):
    """Takes groups out of a shard whose journal knows what is remembered."""

    def __init__(self, journal: Journal, rules: Rules, windows: Windows | None) -> None:
        super().__init__(rules, windows)
        self._recognised = self.distinct = None  # the journal knows names and values
        self.closed_keys = None if journal.keys is None else KeptKeys(journal.keys)

    def early(self, group: OpenGroup, *, is_empty: bool = False) -> Group:
        """See `Departures`; the state has an empty one until it is written.

        It replaces a document of members that are counted elsewhere.
        """
        early = super().early(group, is_empty=is_empty)
        return early._replace(kept=Kept()) if is_empty else early
