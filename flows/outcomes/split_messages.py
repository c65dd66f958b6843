"""Collects the outcomes of a split message's documents until the message has its own outcome.

Pure. It belongs to one consumer, which settles whole messages, and takes outcomes before that
consumer does. It keeps state only for unacknowledged messages.

Rule 1: a message gets its outcome when all its documents have theirs, and only once.
Rule 2: it is rejected if one of its documents is. The parked body has the rejected documents only,
        or the summaries that replaced them.
Rule 3: else it is stored if one of its documents is, else kept if one is, else dropped.
Rule 4: the first outcome of a new connection clears the state of the one before, because the broker
        redelivers its messages. Stale outcomes never arrive here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from connectors.message import Message, Origin, Outcomes, PartOutcome, Rejected

MAX_FINISHED = 65_535
"""Messages that are remembered after their outcome, because an outcome may arrive twice. It is the
largest prefetch of AMQP, so the largest number of messages in flight."""

Only = Callable[[Message, Sequence[int]], Message]
"""(message, positions) -> the message with the documents at these positions only."""


class SplitMessages:
    """The split messages of one consumer, with the outcomes of their documents so far."""

    def __init__(self, only: Only) -> None:
        self._only = only
        self._origin: Origin | None = None
        self._open: dict[int, _Open] = {}
        self._finished: dict[int, None] = {}

    def __len__(self) -> int:
        """Number of messages of which some documents have an outcome, but not all."""
        return len(self._open)

    def take(self, outcomes: Outcomes) -> Outcomes:
        """Return the same outcomes, of whole messages only."""
        if not outcomes.parts:
            return outcomes
        origin, stored, rejected, dropped, parts, kept = outcomes
        if origin != self._origin:  # Rule 4
            self._origin, self._open, self._finished = origin, {}, {}
        stored, rejected, dropped, kept = [*stored], [*rejected], [*dropped], [*kept]
        for part in parts:
            message = self._add(part)
            if message is None:
                continue
            if message.rejected:  # Rule 2
                rejected.append(message.rejection(self._only))
            else:  # Rule 3
                ended = stored if message.stored else kept if message.kept else dropped
                ended.append(part.tag)
        return Outcomes(origin, stored, rejected, dropped, kept=kept or ())

    def _add(self, part: PartOutcome) -> _Open | None:
        """Return the message if this is the last outcome that it waits for. Rule 1."""
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

    __slots__ = ("_seen", "_whole", "kept", "rejected", "stored", "waiting")

    def __init__(self, documents: int) -> None:
        self._seen = bytearray(documents)
        self.waiting = documents
        self.stored = self.kept = False
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
        elif part.kept:
            self.kept = True
        elif not part.dropped:
            self.stored = True

    def rejection(self, only: Only) -> Rejected:
        """Reject the message with the reason of its first rejected document."""
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
        # Put the counts first, because long reasons are cut off at the end.
        reason = which_documents(positions, count) + rejection.reason
        foreseen = rejection.foreseen or self.stored
        return Rejected(message, replace(rejection, reason=reason, foreseen=foreseen))


def which_documents(positions: Sequence[int], count: int) -> str:
    """Return the beginning of a reason: which documents of a message with `count` it is about."""
    return f"{len(positions)} of {count} documents, the first is number {positions[0] + 1}: "
