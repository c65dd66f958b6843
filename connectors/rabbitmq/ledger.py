"""The ledger of one channel's delivery tags: acknowledges finished messages in few frames.

Pure: it sends by the functions that it is given. It belongs to the thread that owns the channel,
and ends with the channel, as the delivery tags do.

Rule 1: a multiple acknowledgement names a tag only when every message up to it is finished.
Rule 2: no frame names a tag that is settled already; RabbitMQ closes the channel for that (406).
Rule 3: a rejection is sent at once, so that no later multiple acknowledgement includes it.
Rule 4: a tag that is unknown, or finished already, is ignored: an outcome may come twice.

A rejected message that waits to be parked needs no rule: it stays open, so Rule 1 protects it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Protocol

_OPEN = 0  # delivered
_FINISHED = 1  # stored or parked; its acknowledgement has not been sent
_SETTLED = 2  # behind an open one; acknowledged by itself, or rejected


class Reject(Protocol):
    """The signature that `Channel.basic_reject` and `Channel.basic_nack` share."""

    def __call__(self, tag: int, /, *, requeue: bool) -> object:
        """Send the frame."""


class Ledger:
    """Knows state and size of each message from the oldest open one on, in five bytes each."""

    def __init__(
        self,
        acknowledge: Callable[[int, bool], object],
        reject: Reject,
        acknowledge_each: Callable[[Sequence[int]], object] | None = None,
    ) -> None:
        """Send by `acknowledge(tag, multiple)` and `reject(tag, requeue=…)`.

        `acknowledge_each` sends many single acknowledgements, cheaper than `acknowledge` does.
        """
        self._acknowledge, self._reject = acknowledge, reject
        self._acknowledge_each = acknowledge_each or self._acknowledge_one_by_one
        self._first = 1  # the tag of the first state; AMQP counts from one
        self._states = bytearray()
        self._sizes = array("I")  # of open messages; 0 when they are finished
        self._waiting = array("Q")  # tags that were unsent at the last `spill_waiting`
        self.open = 0
        """Unacknowledged messages: the broker counts them against the prefetch."""
        self.unsent = 0
        """Those of them that are finished: their acknowledgements have not been sent."""
        self.bytes = 0
        """Size of the messages that are open and not finished."""

    @property
    def oldest(self) -> int | None:
        """Delivery tag of the oldest message that is not finished; `None`: all are."""
        at = self._states.find(_OPEN)
        return None if at < 0 else self._first + at

    @property
    def unfinished(self) -> int:
        """Messages that are open, and not finished."""
        return self.open - self.unsent

    def held_from(self, tag: int) -> int:
        """Messages from this one on that the broker waits to hear about."""
        begin = tag - self._first
        if begin <= 0:
            return self.open
        # Few are settled behind an open one, and what is rare is counted fast.
        return max(0, len(self._states) - begin) - self._states.count(_SETTLED, begin)

    def delivered(self, last_tag: int, sizes: Sequence[int] = ()) -> None:
        """Enter all messages up to this tag; those that are entered already stay as they are.

        `sizes`, in bytes, are those of the last ones; the others have none.
        """
        count = max(0, last_tag + 1 - self._first - len(self._states))
        self._states.extend(bytes(count))
        self.open += count
        sizes = sizes[max(0, len(sizes) - count) :]
        self._sizes.extend([0] * (count - len(sizes)))
        self._sizes.extend(sizes)
        self.bytes += sum(sizes)

    def stored(self, tags: Sequence[int]) -> int:
        """Finish these messages; return how many of them were not finished before.

        The tags may be in any order; an ascending run without a gap costs a third.
        """
        states, first, size = self._states, self._first, len(self._states)
        if _is_run(tags):
            begin = max(0, tags[0] - first)
            end = max(begin, min(size, tags[-1] + 1 - first))
            finished = states.count(_OPEN, begin, end)
            states[begin:end] = states[begin:end].translate(_FINISH_OPEN)  # Rule 4
            self.bytes -= sum(self._sizes[begin:end])
            self._sizes[begin:end] = array("I", bytes(self._sizes.itemsize * (end - begin)))
        else:
            finished = 0
            for tag in tags:
                if 0 <= tag - first < size and states[tag - first] == _OPEN:  # Rule 4
                    states[tag - first] = _FINISHED
                    self._release(tag - first)
                    finished += 1
        self.unsent += finished
        return finished

    def reject(self, tag: int, requeue: bool) -> bool:
        """Reject this message now, without parking it; return whether it was open."""
        index = tag - self._first
        if not 0 <= index < len(self._states) or self._states[index] != _OPEN:
            return False  # Rule 4
        self._states[index] = _SETTLED
        self._release(index)
        self.open -= 1
        self._reject(tag, requeue=requeue)  # Rule 3
        return True

    def flush(self, spill: bool) -> int:
        """Send the acknowledgements that are due; return the number of frames.

        Finished messages behind an open one wait until `spill`, because each then costs a frame of
        its own; if the open one finishes first, one frame is enough for all. For such a frame
        RabbitMQ looks at each unacknowledged message before its own, so that thousands of them
        slow down its deliveries. While the messages wait they take a part of the prefetch, and are
        redelivered after a crash: so spill when the prefetch is needed, and see `spill_waiting`.
        """
        states = self._states
        finished = states.find(_OPEN)
        if finished < 0:
            finished = len(states)
        # Rule 2: the last of them may be settled already, so name the last one that is not.
        last = states.rfind(_FINISHED, 0, finished)
        frames = 0
        if last >= 0:
            self._sent(states.count(_FINISHED, 0, finished))
            self._acknowledge(self._first + last, True)  # Rule 1
            frames = 1
        del states[:finished], self._sizes[:finished]
        self._first += finished
        return frames + (self._spill(self._unsent_tags()) if spill and self.unsent else 0)

    def spill_waiting(self) -> int:
        """Acknowledge each message that was unsent at the last call too; return the frames."""
        states, first = self._states, self._first
        waiting = [
            tag for tag in self._waiting if tag >= first and states[tag - first] == _FINISHED
        ]
        frames = self._spill(waiting) if waiting else 0
        self._waiting = self._unsent_tags()
        return frames

    def _unsent_tags(self) -> array[int]:
        tags, at = array("Q"), self._states.find(_FINISHED)
        while at >= 0:
            tags.append(self._first + at)
            at = self._states.find(_FINISHED, at + 1)
        return tags

    def _spill(self, tags: Sequence[int]) -> int:
        for tag in tags:
            self._states[tag - self._first] = _SETTLED  # Rule 2
        self._sent(len(tags))
        self._acknowledge_each(tags)
        return len(tags)

    def _acknowledge_one_by_one(self, tags: Sequence[int]) -> None:
        for tag in tags:
            self._acknowledge(tag, False)

    def _release(self, index: int) -> None:
        self.bytes -= self._sizes[index]
        self._sizes[index] = 0

    def _sent(self, count: int) -> None:
        self.unsent -= count
        self.open -= count


def _is_run(tags: Sequence[int]) -> bool:
    """Return whether each tag is one more than the tag before."""
    if not tags or tags[-1] - tags[0] + 1 != len(tags):
        return False
    return list(tags) == list(range(tags[0], tags[-1] + 1))  # [1, 1, 4, 4] passes the check above


_FINISH_OPEN = bytes.maketrans(bytes([_OPEN]), bytes([_FINISHED]))
