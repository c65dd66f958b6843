"""Browses, discards or replays the messages of a dead-letter queue.

All of it runs while `DeadLetterQueue.go_over` waits.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from pika import spec
from pika.channel import Channel

from connectors.rabbitmq import refusal
from connectors.rabbitmq.dead_letter_headers import NUMBER
from connectors.rabbitmq.dead_letter_queue import DeadLetterQueue
from connectors.rabbitmq.dead_letter_record import DeadLetter, Selection
from connectors.rabbitmq.link import Link
from connectors.rabbitmq.replay import Plan, Route, envelope
from connectors.rabbitmq.wire import BatchConnection
from connectors.retry import Backoff

MAX_IN_FLIGHT = 100
"""The largest number of messages that are published and may still be in the dead-letter queue: an
interrupted replay may send them twice."""


class _Selecting:
    """Selects messages, and counts them."""

    def __init__(self, selection: Selection, now: datetime, limit: float) -> None:
        self._selection, self._now, self._limit = selection, now, limit
        self.selected = 0
        self.kinds = Counter[str]()
        """Number of browsed messages by kind of reason."""

    def _select(self, queue: DeadLetterQueue, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Return the selected messages; stop reading when `limit` is reached."""
        found = []
        for letter in letters:
            if self.selected < self._limit:
                self.kinds[letter.kind] += 1
                if self._selection.holds(letter, self._now):
                    self.selected += 1
                    found.append(letter)
        if self.selected >= self._limit:
            queue.stop()
        return found


class Browse(_Selecting):
    """Passes the selected messages on, and leaves all of them in the queue."""

    def __init__(
        self,
        selection: Selection,
        now: datetime,
        limit: float,
        show: Callable[[Sequence[DeadLetter]], None],
    ) -> None:
        """`show` is called with at most `limit` messages; an error that it raises ends the pass."""
        super().__init__(selection, now, limit)
        self._show = show
        self.busy = False
        """See `Handler`; it is never busy."""

    def begin(self, queue: DeadLetterQueue) -> None:
        """See `Handler`."""
        queue.consume()

    def take(self, queue: DeadLetterQueue, letters: Sequence[DeadLetter]) -> None:
        """See `Handler`."""
        self._show(self._select(queue, letters))

    def end(self, on_ended: Callable[[], None]) -> None:
        """See `Handler`."""
        on_ended()


class Discard(Browse):
    """Removes the selected messages, after `show` has kept them elsewhere."""

    def take(self, queue: DeadLetterQueue, letters: Sequence[DeadLetter]) -> None:
        """See `Handler`."""
        selected = self._select(queue, letters)
        self._show(selected)
        for letter in selected:
            queue.acknowledge(letter)


class Replay(_Selecting):
    """Publishes the selected messages, and removes each after the broker has confirmed it.

    So at any moment, each message is in the dead-letter queue, in its target, or in both.
    """

    def __init__(
        self,
        selection: Selection,
        now: datetime,
        limit: float,
        plan: Plan,
        urls: Sequence[str],
        *,
        dry_run: bool,
    ) -> None:
        """`urls`: of the broker to publish to; `limit`: the most messages to replay."""
        super().__init__(selection, now, limit)
        self._plan, self._urls, self._dry_run = plan, urls, dry_run
        self._queue: DeadLetterQueue | None = None
        self._link: Link | None = None
        self._channel: Channel | None = None
        self._waiting = deque[tuple[DeadLetter, Route]]()
        self._unconfirmed: dict[int, tuple[DeadLetter, Route]] = {}
        self._returned = set[int]()
        self._published = 0
        self._removing = 0  # acknowledged, but the broker may not have processed them
        self._awaits_removal = False  # waits for the broker to process some of them
        self._leaving = False
        self.replayed = 0
        """Confirmed; in a dry run: would be published."""
        self.routes = Counter[Route]()
        """Number of replayed messages by route."""
        self.left = Counter[str]()
        """Number of selected messages that stay, by the reason."""

    @property
    def busy(self) -> bool:
        """See `Handler`."""
        return bool(self._waiting or self._unconfirmed)

    def begin(self, queue: DeadLetterQueue) -> None:
        """See `Handler`."""
        self._queue = queue
        if self._dry_run:
            queue.consume()
            return
        self._link = Link(
            *(queue.visit.loop, self._urls, "hopper dead-letters replay", (), self, Backoff(1, 1)),
            remedies=refusal.REPLAY,
        )
        self._link.open()

    def link_ready(self, _connection: BatchConnection, channel: Channel) -> None:
        """See `LinkOwner`."""
        assert self._queue is not None
        self._channel = channel
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm)
        self._queue.consume()

    def link_down(self, reason: str, was_ready: bool, remedy: str) -> None:
        """See `LinkOwner`; unconfirmed messages stay in the dead-letter queue."""
        if self._leaving:
            return
        assert self._queue is not None
        assert self._link is not None
        self._leaving = True
        error = f"{self._link.address}: {reason}{': ' if remedy else ''}{remedy}"
        self._link.close(partial(self._queue.visit.fail, error))

    def take(self, queue: DeadLetterQueue, letters: Sequence[DeadLetter]) -> None:
        """See `Handler`."""
        for letter in self._select(queue, letters):
            route = self._plan.route(letter)
            if not isinstance(route, Route):
                self.left[route] += 1
                continue
            if self._dry_run:
                self._count(route)
            else:
                self._waiting.append((letter, route))
        self._publish()

    def end(self, on_ended: Callable[[], None]) -> None:
        """See `Handler`."""
        self._leaving = True
        if self._link is None:
            on_ended()
        else:
            self._link.close(on_ended)

    def _count(self, route: Route) -> None:
        self.replayed += 1
        self.routes[route] += 1

    def _publish(self) -> None:
        while (
            self._waiting
            and not self._leaving
            and len(self._unconfirmed) + self._removing < MAX_IN_FLIGHT
        ):
            assert self._channel is not None
            letter, route = self._waiting.popleft()
            self._published += 1
            self._unconfirmed[self._published] = letter, route
            properties = envelope(letter, self._published)
            self._channel.basic_publish(*route, letter.message.body, properties, mandatory=True)

    def _on_return(self, _channel: Channel, method: Any, properties: Any, _body: bytes) -> None:
        """Note that no queue takes a message; the broker still confirms it, right after this."""
        self._returned.add(properties.headers[NUMBER])

    def _on_confirm(self, frame: Any) -> None:
        assert self._queue is not None
        last, multiple = frame.method.delivery_tag, frame.method.multiple
        numbers = [n for n in self._unconfirmed if n <= last] if multiple else [last]
        is_refused = not isinstance(frame.method, spec.Basic.Ack)
        for number in numbers:
            letter, route = self._unconfirmed.pop(number)
            if number in self._returned:
                self._returned.remove(number)
                self.left[route.nowhere] += 1
            elif is_refused:
                self.left[route.refused] += 1
            else:
                self._count(route)
                self._queue.acknowledge(letter)
                self._removing += 1
        self._go_on()

    def _on_removed(self, count: int) -> None:
        self._awaits_removal = False
        self._removing -= count
        self._go_on()

    def _go_on(self) -> None:
        assert self._queue is not None
        if self._removing and not self._awaits_removal:
            self._awaits_removal = True
            self._queue.after_acknowledgements(partial(self._on_removed, self._removing))
        self._publish()
        self._queue.progress()
