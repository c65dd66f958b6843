"""Gathers the outcomes of a message's documents, until they are the outcome of the message.

Pure. It belongs to one consumer, and sees outcomes before the consumer does, which settles whole
messages. It keeps something only for messages that the broker waits to hear about.

Rule 1: a message gets its outcome when all its documents have theirs, and never another one.
Rule 2: it is rejected when one of its documents is; the documents that are rejected are what is
        left of its body, or the summaries that are what is left of them.
Rule 3: else it is stored when one of them is; when all were dropped, it was.
Rule 4: outcomes of a new connection tell that the broker redelivers what the one before had
        delivered: that is forgotten. Stale outcomes never come here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from connectors.message import Message, Origin, Outcomes, PartOutcome, Rejected

MAX_FINISHED = 65_535
"""Messages that are remembered after their outcome, because an outcome may come home twice: the
largest prefetch that AMQP can say, so as many as can be under way."""

Only = Callable[[Message, Sequence[int]], Message]
"""(message, positions) -> the message with nothing but these of its documents."""


class SplitMessages:
    """What has become of the documents of one consumer's messages."""

    def __init__(self, only: Only) -> None:
        self._only = only
        self._origin: Origin | None = None
        self._open: dict[int, _Open] = {}
        self._finished: dict[int, None] = {}

    def __len__(self) -> int:
        """Messages some of whose documents have an outcome, but not all."""
        return len(self._open)

    def take(self, outcomes: Outcomes) -> Outcomes:
        """The same outcomes, but of whole messages only."""
        if not outcomes.parts:
            return outcomes
        origin, stored, rejected, dropped, parts = outcomes
        if origin != self._origin:  # Rule 4
            self._origin, self._open, self._finished = origin, {}, {}
        stored, rejected, dropped = list(stored), list(rejected), list(dropped)
        for part in parts:
            message = self._add(part)
            if message is None:
                continue
            if message.rejected:  # Rule 2
                rejected.append(message.rejection(self._only))
            else:  # Rule 3
                (stored if message.stored else dropped).append(part.tag)
        return Outcomes(origin, stored, rejected, dropped)

    def _add(self, part: PartOutcome) -> _Open | None:
        """The message, if this was the last outcome that it waited for. Rule 1."""
        tag = part.tag
        if tag in self._finished:
            return None
        message = self._open.get(tag)
        if message is None:
            message = self._open[tag] = _Open(part.documents)
        message.add(part)
        if message.waiting:
            return None
        del self._open[tag]
        self._finished[tag] = None
        if len(self._finished) > MAX_FINISHED:
            del self._finished[next(iter(self._finished))]
        return message


class _Open:
    """A message that waits for outcomes of its documents."""

    __slots__ = ("_seen", "_whole", "rejected", "stored", "waiting")

    def __init__(self, documents: int) -> None:
        self._seen = bytearray(documents)
        self.waiting = documents
        self.stored = False
        self.rejected: dict[int, Rejected] = {}
        self._whole: Message | None = None

    def add(self, part: PartOutcome) -> None:
        if self._seen[part.position]:
            return
        self._seen[part.position] = 1
        self.waiting -= 1
        if part.rejected is not None:
            self.rejected[part.position] = part.rejected
            if not part.summary:
                self._whole = part.rejected.message
        elif not part.dropped:
            self.stored = True

    def rejection(self, only: Only) -> Rejected:
        """With the reason of the first document that is rejected."""
        positions, count = sorted(self.rejected), len(self._seen)
        message, rejection, _ = self.rejected[positions[0]]
        if self._whole is None:
            bodies = dict.fromkeys(self.rejected[at].message.body for at in positions)
            if len(bodies) > 1:
                message = replace(message, body=b"[%b]" % b",".join(bodies))
        elif len(positions) < count:
            message = only(self._whole, positions)
        else:
            message = self._whole
        # At the beginning, since long reasons are cut off at their ends.
        which = f"{len(positions)} of {count} documents, the first is number {positions[0] + 1}: "
        rejection = replace(
            rejection, reason=which + rejection.reason, foreseen=rejection.foreseen or self.stored
        )
        return Rejected(message, rejection)
