"""Where groups live: the shards, and how messages are routed to them.

Pure. With keys, a key's messages meet on one shard, whichever consumer they came by; without, each
consumer's messages stay on a shard of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import TypeGuard

from connectors.message import Drain, Lost, Opened, Origin, Outcomes
from flows.config.aggregate import AggregateSpec
from flows.groups.rules import Rules
from flows.groups.watermark_progress import WatermarkGenerator
from flows.messages.commands import Command
from flows.messages.keys import shard_of
from flows.messages.read import ReadMessages
from flows.values.columnar import Members
from flows.values.group import FlushRequest, Progress

SHARDS = (
    "shard/3",
    "shard/0",
    "shard/8",
    "shard/26",
    "shard/1",
    "shard/4",
    "shard/5",
    "shard/12",
)
"""Few, since what crosses between processes costs by the item; so many, for any number of
workers, since a key must find its shard. Bytewax gives a shard to a worker by a hash of its name:
these names give each of two, four and eight workers the same share, and three nearly so."""

EXACT_BELOW = 10_000
"""Keys. What is to be kept of fewer is kept by one shard, exactly; of more, by each shard its part,
which is as good, since a hash gives each shard about as many keys."""

ForShard = Members | Progress | FlushRequest
"""What a shard is told."""
ForConsumer = Opened | Outcomes | Drain
"""What is told to a consumer."""


class ShardRouter:
    """Spreads messages over shards."""

    def __init__(
        self,
        consumers: Sequence[str],
        keyed: Sequence[str] = (),
        watermark: WatermarkGenerator | None = None,
    ) -> None:
        """`keyed` are the shards of keys, none: there are no keys.

        `watermark` is that of event time, where windows go by it.
        """
        self.shards: Sequence[str] = keyed or consumers
        """Names of all shards."""
        self.consumers = consumers
        """Names of all consumers."""
        self._keyed, self._watermark = keyed, watermark

    @property
    def ahead(self) -> int:
        """Messages whose event time was too far in the future to end a window."""
        return 0 if self._watermark is None else self._watermark.ahead

    def shards_of(self, origin: Origin) -> Sequence[str]:
        """Where messages of an origin may be."""
        return self._keyed or [origin.consumer]

    def route(self, correlated: ReadMessages, now: float) -> Iterator[tuple[str, ForShard]]:
        """What each shard is told of messages that arrived together at `now`, in order."""
        members, origin = correlated.members, correlated.origin
        start = 0
        for position, inputs, shards in self._between(correlated, now):
            yield from self._members(Members(members[start:position]), origin)
            yield from ((shard, inputs) for shard in shards)
            start = position
        yield from self._members(Members(members[start:]) if start else members, origin)

    def _between(
        self, correlated: ReadMessages, now: float
    ) -> list[tuple[int, ForShard, Sequence[str]]]:
        """What is told between members: after how many of them, and to which shards."""
        origin = correlated.origin
        inputs: list[tuple[int, ForShard, Sequence[str]]] = [
            (position, command.force, self._obeying(command, origin))
            for position, command in correlated.commands
        ]
        if self._watermark is not None:
            progress = self._watermark.of(origin.consumer, correlated.members, now)
            inputs += [(position, one, self.shards) for position, one in progress]
            inputs.sort(key=itemgetter(0))
        return inputs

    def _members(self, members: Members, origin: Origin) -> Iterator[tuple[str, ForShard]]:
        if not members:
            return
        if not self._keyed:
            yield origin.consumer, members
            return
        count = len(self._keyed)
        parts = [Members() for _ in self._keyed]
        for member in members:
            key = member.key
            # What goes alone may go anywhere.
            number = member.message.tag % count if key is None else shard_of(key, count)
            parts[number].append(member)
        for shard, part in zip(self._keyed, parts, strict=True):
            if part:
                yield shard, part

    def _obeying(self, command: Command, origin: Origin) -> Sequence[str]:
        key = command.force.key
        if command.everywhere:
            return self.shards
        if key is None:
            return [origin.consumer]
        return [self._keyed[shard_of(key, len(self._keyed))]]


def shards_of_keys(spec: AggregateSpec) -> Sequence[str]:
    """Names of the shards where the groups of keys are; none where there are no keys."""
    if spec.by is None:
        return ()
    few = min(spec.max_groups, spec.remember or spec.max_groups) < EXACT_BELOW
    return SHARDS[:1] if few else SHARDS


def make_router(consumers: Sequence[str], keyed: Sequence[str], rules: Rules) -> ShardRouter:
    """ShardRouter messages over the shards that go by these rules."""
    tumbling = rules.event_order or rules.tumbling
    by_event = tumbling is not None and tumbling.by_event
    return ShardRouter(
        consumers, keyed, WatermarkGenerator(tumbling) if tumbling and by_event else None
    )


def is_for_shard(
    item: tuple[str, ForShard | Lost | ForConsumer],
) -> TypeGuard[tuple[str, ForShard | Lost]]:
    """Whether a value goes on to `aggregate`, or straight home."""
    return isinstance(item[1], (Members, Lost, Progress, FlushRequest))


def key_by_consumer(item: tuple[str, Outcomes]) -> tuple[str, ForConsumer]:
    """From a shard to the consumer whose messages these are."""
    outcomes = item[1]
    return outcomes.origin.consumer, outcomes
