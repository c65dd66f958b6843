"""Remembers the names of messages that the state counts, to recognise redelivered messages.

Pure. A name is a `message_id`, or a document of one. A message can be redelivered as long as the
broker has not read its acknowledgement.

Rule 1: the broker reads the acknowledgements of one consumer in the order of the commits, and holds
        at most a prefetch of unacknowledged messages. So when a connection is lost, all messages
        that may be redelivered are among the last `most` names.
Rule 2: until the broker notices that a connection is lost, other messages arrive. So after a loss,
        and after a start, nothing is forgotten for `PINNED_FOR` seconds, up to `MOST_PINNED` times
        as many names.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from math import inf

from flows.state.commit import Changes, Row, Table

PINNED_FOR = 900.0
"""Seconds: the broker notices a lost connection by missing heartbeats, within minutes."""
NOTICED_WITHIN = 180.0
"""Seconds in which it does with the heartbeat that RabbitMQ proposes, one in a minute. A job with
many messages forgets earlier than after `PINNED_FOR`, and only in these seconds it is a risk."""
MOST_PINNED = 8
INDEXED_FOR = 60.0
"""Seconds after the last question for which the index is kept: it takes more memory than names."""


class KnownNames:
    """The names by commit, packed; an index over them is built when the first one is asked for."""

    table = Table.NAMES

    def __init__(self, most: int) -> None:
        """`most`: the number of names that is enough (rule 1)."""
        self.forgotten = 0
        """Number of names that were forgotten within `NOTICED_WITHIN`: more than rule 2 keeps."""
        self._most = most
        self._new: dict[str, None] = {}
        """Names since the last commit."""
        self._blocks: dict[int, tuple[bytes, int]] = {}
        """Packed names and their number, by the number of the commit, in order."""
        self._count = 0
        self._index: dict[str, int] | None = None
        """The number of the last commit of each name."""
        self._asked = False
        self._index_until, self._pinned_at = -inf, -inf

    def __len__(self) -> int:
        """Return the number of names that a commit has."""
        return self._count

    def __contains__(self, name: str) -> bool:
        """Return whether a message of this name is counted."""
        if name in self._new:
            return True
        self._asked = True
        if self._index is None:
            self._index = {}
            for number, (packed, _) in self._blocks.items():
                self._index.update(dict.fromkeys(pickle.loads(packed), number))
        return name in self._index

    def add(self, name: str) -> None:
        """Remember a name with the next commit."""
        self._new[name] = None

    def changes(self, number: int, now: float) -> Changes:
        """Return what the commit of this number adds, and what is forgotten."""
        rows, names = list[Row](), list(self._new)
        if names:
            rows.append((number, pickle.dumps(names, protocol=5)))
            self._add(*rows[0], len(names))
            if self._index is not None:
                self._index.update(dict.fromkeys(names, number))
            self._new = {}
        return Changes(rows, self._forget(now))

    def restore(self, rows: Sequence[Row]) -> None:
        """Remember the names of earlier commits."""
        for number, packed in rows:
            self._add(number, packed, len(pickle.loads(packed)))

    def _add(self, number: int, packed: bytes, count: int) -> None:
        self._blocks[number] = packed, count
        self._count += count

    def pin(self, now: float) -> None:
        """Forget little for some time: messages may be redelivered much later. Rule 2."""
        self._pinned_at = now

    def _forget(self, now: float) -> list[int]:
        """Forget names that are not needed; return the numbers of their commits."""
        self._update_index(now)
        pinned_for, forgotten = now - self._pinned_at, list[int]()
        most = self._most * (MOST_PINNED if pinned_for < PINNED_FOR else 1)
        for number, (packed, count) in self._blocks.items():
            if self._count - count < most:
                break
            self._count -= count
            self.forgotten += count if pinned_for < NOTICED_WITHIN else 0
            forgotten.append(number)
            if self._index is not None:
                for name in pickle.loads(packed):
                    if self._index[name] == number:
                        del self._index[name]
        for number in forgotten:
            del self._blocks[number]
        return forgotten

    def _update_index(self, now: float) -> None:
        if self._asked:
            self._asked, self._index_until = False, now + INDEXED_FOR
        elif now > self._index_until:
            self._index = None
