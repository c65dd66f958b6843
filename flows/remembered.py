"""What a shard remembers of groups that have left: whose messages were in them, and their keys.

Pure, bounded, and gone when the process ends.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

RECOGNISED = 100_000
"""Names of messages that have left, at least; twice as many at most. A message that is delivered
again comes within seconds, unless a connection breaks; so many come to a shard in a few seconds."""


class Recognised:
    """Where messages were, by their names, to recognise those that are delivered again.

    Two generations, of which the elder is forgotten as a whole, because it is far cheaper than to
    forget one name for each that comes.
    """

    def __init__(self) -> None:
        self._younger: dict[Hashable, int] = {}
        self._elder: dict[Hashable, int] = {}

    def left(self, names: Sequence[Hashable], number: int, *, together: bool) -> None:
        """The messages of a group, in the order of its documents; `together`: it has only one."""
        if len(self._younger) >= RECOGNISED:
            self._elder, self._younger = self._younger, {}
        # Number and position are put into one number: a tuple for each would cost as much again.
        first = number << _POSITION_BITS
        if together:
            self._younger.update(dict.fromkeys(names, first))
        else:
            self._younger.update(zip(names, range(first, first + len(names)), strict=True))

    def find(self, name: Hashable) -> tuple[int, int] | None:
        """The number of the group that a message left in, and the position of its document."""
        found = self._younger.get(name) or self._elder.get(name)
        return None if found is None else (found >> _POSITION_BITS, found & _POSITION_MASK)


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


_POSITION_BITS = 32
_POSITION_MASK = (1 << _POSITION_BITS) - 1
