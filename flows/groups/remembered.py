"""Remembers the messages and keys of groups that have left, to find duplicates and late messages.

Pure. All of it is bounded, and lost when the process ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence

from connectors.message import Origin
from flows.values.group import Member
from flows.values.identity import name_of

RECOGNISED = 20_000
"""The smallest number of message names that a shard remembers; the largest is twice as many. It is
enough: messages are redelivered within seconds of a lost connection, and the shards share them."""


class Recognised:
    """The groups that messages left in, by message name, to recognise redelivered messages.

    Names are kept in two generations, and the elder one is dropped as a whole: that is far cheaper
    than dropping one name for each new one.
    """

    def __init__(self) -> None:
        self._younger, self._elder = _Generation(), _Generation()

    def left(self, names: Sequence[Hashable], number: int) -> None:
        """Remember the messages of a group that left, in the order of its documents."""
        if len(self._younger.names) >= RECOGNISED:
            self._elder, self._younger = self._younger, _Generation()
        self._younger.left(names, number)

    def find(self, name: Hashable) -> tuple[int, int] | None:
        """Return the number of the group that a message left in, and its position there."""
        return self._younger.find(name) or self._elder.find(name)


class _Generation:
    """The names of messages, in the order in which they left."""

    def __init__(self) -> None:
        self.names: list[Hashable] = []
        self._starts: list[int] = []
        self._numbers: list[int] = []
        self._index: dict[Hashable, int] = {}
        """Built by the first `find`, which mostly never happens."""
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
    """Messages that only this process had received when their connection was lost.

    The broker flags them as redelivered, as it does with messages of other processes. Names are
    kept in two generations, and the elder one is dropped as a whole.
    """

    def __init__(self) -> None:
        self._younger: set[Hashable] = set()
        self._elder: set[Hashable] = set()

    def lost(self, names: Iterable[Hashable]) -> None:
        """Remember messages that were not flagged as redelivered when their connection was lost."""
        self._younger.update(name for name in names if name_of(name) is not None)
        if len(self._younger) >= RECOGNISED:
            self._elder, self._younger = self._younger, set()

    def __contains__(self, name: Hashable) -> bool:
        return name in self._younger or name in self._elder


class RecentRedeliveries(OrderedDict[str, Origin]):
    """Recently redelivered messages: the origin of each, by message name.

    The first copy may arrive here later than the redelivered one. The broker redelivers a message
    as soon as its connection is lost, possibly to a faster process. Until the first copy and the
    report of the loss have arrived here, there are two copies.
    """

    def may_have_copy(self, member: Member) -> bool:
        """Return whether another copy of a message may exist; remember a redelivered message."""
        name, origin = member.message_id, member.origin
        if name is None or not member.message.redelivered:
            return name is not None and self.get(name, origin) != origin
        self[name] = origin
        if len(self) > RECOGNISED:
            self.popitem(last=False)
        return True


class ClosedKeys:
    """Keys whose group is complete, so that further messages of them are late."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: OrderedDict[str | None, None] = OrderedDict()

    def __contains__(self, key: str | None) -> bool:
        return key in self._keys

    def close(self, key: str | None) -> None:
        """Remember a key whose group is complete; forget the key that was closed first."""
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > self._most:
            self._keys.popitem(last=False)
