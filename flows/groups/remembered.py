"""What a shard remembers of groups that have left: whose messages were in them, and their keys.

Pure, bounded, and gone when the process ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence

from connectors.message import Origin
from flows.values.group import Member
from flows.values.identity import name_of

RECOGNISED = 20_000
"""Names of messages that have left, at least; twice as many at most. What is delivered again comes
within seconds of a connection's end, and a shard is one of several that share the messages."""


class Recognised:
    """Where messages were, by their names, to recognise those that are delivered again.

    Two generations, of which the elder is forgotten as a whole: that is far cheaper than to forget
    one name for each that comes.
    """

    def __init__(self) -> None:
        self._younger, self._elder = _Generation(), _Generation()

    def left(self, names: Sequence[Hashable], number: int) -> None:
        """The messages of a group, in the order of its documents."""
        if len(self._younger.names) >= RECOGNISED:
            self._elder, self._younger = self._younger, _Generation()
        self._younger.left(names, number)

    def find(self, name: Hashable) -> tuple[int, int] | None:
        """The number of the group that a message left in, and its position among the names."""
        return self._younger.find(name) or self._elder.find(name)


class _Generation:
    """Names in the order in which they left."""

    def __init__(self) -> None:
        self.names: list[Hashable] = []
        self._starts: list[int] = []
        self._numbers: list[int] = []
        self._index: dict[Hashable, int] = {}
        """Made as far as it is needed when one is looked for: mostly, that never happens."""
        self._indexed = 0

    def left(self, names: Sequence[Hashable], number: int) -> None:
        self._starts.append(len(self.names))
        self._numbers.append(number)
        self.names += names

    def find(self, name: Hashable) -> tuple[int, int] | None:
        for place in range(self._indexed, len(self.names)):
            self._index[self.names[place]] = place
        self._indexed = len(self.names)
        found = self._index.get(name)
        if found is None:
            return None
        group = bisect_right(self._starts, found) - 1
        return self._numbers[group], found - self._starts[group]


class NewHere:
    """Messages that were new here when a connection was lost: no other process had them before.

    They come again as what was delivered before, be it here or elsewhere. Two generations, of which
    the elder is forgotten as a whole.
    """

    def __init__(self) -> None:
        self._younger: set[Hashable] = set()
        self._elder: set[Hashable] = set()

    def lost(self, names: Iterable[Hashable]) -> None:
        """These were, and their connection is gone."""
        self._younger.update(name for name in names if name_of(name) is not None)
        if len(self._younger) >= RECOGNISED:
            self._elder, self._younger = self._younger, set()

    def __contains__(self, name: Hashable) -> bool:
        return name in self._younger or name in self._elder


class RecentRedeliveries(OrderedDict[str, Origin]):
    """Messages that were delivered again of late, by their names: by which connection they came.

    The first copy of one may still be on its way. The broker delivers a message again as soon as
    its connection is lost, perhaps to a process that is faster than the one where the first copy
    is; until that has come, and after it the news of the loss, there are two.
    """

    def may_have_copy(self, member: Member) -> bool:
        """Whether there may be another copy of a message.

        If it was delivered again it is noted, and the one noted longest ago forgotten.
        """
        name, origin = member.message_id, member.origin
        if name is None or not member.message.redelivered:
            return name is not None and self.get(name, origin) != origin
        self[name] = origin
        if len(self) > RECOGNISED:
            self.popitem(last=False)
        return True


class ClosedKeys:
    """Keys whose group is complete, so that what comes for them is late."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: OrderedDict[str | None, None] = OrderedDict()

    def __contains__(self, key: str | None) -> bool:
        return key in self._keys

    def close(self, key: str | None) -> None:
        """A group of that key was completed; the one completed longest ago is forgotten."""
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > self._most:
            self._keys.popitem(last=False)
