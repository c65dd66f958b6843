"""Routes messages to the shards, which hold the groups.

Pure. With keys, all messages of a key go to one shard, from any consumer; without keys, each
consumer has a shard of its own. But distinct values without keys are spread over these shards, so
that all messages of a value go to one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import TypeGuard

from connectors.message import Drain, Lost, Opened, Origin, Outcomes, StreamOpened
from flows.config.aggregate import AggregateSpec
from flows.groups.rules import Rules
from flows.groups.watermark_progress import WatermarkGenerator
from flows.messages.commands import Command
from flows.messages.keys import shard_of
from flows.messages.read import ReadMessages
from flows.values.begin import Begin, Ready
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
"""Few, since each item that crosses between processes has a cost; the same number for any number of
workers, so that a key always has the same shard. Bytewax places a shard by a hash of its name: with
these names, two, four or eight workers get equal shares, and three nearly equal ones."""

EXACT_BELOW = 10_000
"""Keys. One shard keeps a smaller limit exactly. With a larger one, each shard keeps its share of
the limit, which is nearly exact, since a hash gives each shard about as many keys."""

ForShard = Members | Progress | FlushRequest | StreamOpened | Begin
"""Values that a shard receives: from `correlate`, and first, with state, from all workers."""
ForConsumer = Opened | Outcomes | Drain | Ready
"""Values that `acknowledge` receives for a consumer."""


class ShardRouter:
    """Distributes messages over shards."""

    def __init__(
        self,
        consumers: Sequence[str],
        keyed: Sequence[str] = (),
        watermark: WatermarkGenerator | None = None,
    ) -> None:
        """`keyed`: the shards of keys or distinct values; empty: there are neither.

        `watermark`: if windows go by event time.
        """
        self.shards: Sequence[str] = keyed or consumers
        """Names of all shards."""
        self.consumers = consumers
        """Names of all consumers."""
        self._keyed, self._watermark = keyed, watermark

    @property
    def ahead(self) -> int:
        """Messages with an event time too far in the future to move the watermark."""
        return 0 if self._watermark is None else self._watermark.ahead

    def shards_of(self, origin: Origin) -> Sequence[str]:
        """Return the shards that may hold messages of an origin."""
        return self._keyed or [origin.consumer]

    def route(self, correlated: ReadMessages, now: float) -> Iterator[tuple[str, ForShard]]:
        """Return the values for each shard, in order, of messages that arrived at `now`."""
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
        """Return the values between members: after how many members, and for which shards."""
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
            if key is not None:
                number = shard_of(key, count)
            elif member.message_id is not None:
                number = shard_of(member.message_id, count)  # all copies go to the same shard
            else:
                number = member.message.tag % count  # any shard will do
            parts[number].append(member)
        for shard, part in zip(self._keyed, parts, strict=True):
            if part:
                yield shard, part

    def _obeying(self, command: Command, origin: Origin) -> Sequence[str]:
        key = command.force.key
        if command.everywhere:
            return self.shards
        if key is None:
            return self.shards_of(origin)
        return [self._keyed[shard_of(key, len(self._keyed))]]


def shards_of_keys(spec: AggregateSpec, consumers: Sequence[str]) -> Sequence[str]:
    """Return the names of the shards for keys or distinct values; empty: there are neither."""
    if spec.by is None:
        # As many as consumers, so that groups complete as fast as without distinct values.
        return consumers if spec.distinct else ()
    few = min(spec.max_groups, spec.remember or spec.max_groups) < EXACT_BELOW
    return SHARDS[:1] if few else SHARDS


def make_router(consumers: Sequence[str], keyed: Sequence[str], rules: Rules) -> ShardRouter:
    """Make the router of shards with these rules."""
    tumbling = rules.event_order or rules.tumbling
    by_event = tumbling is not None and tumbling.by_event
    return ShardRouter(
        consumers, keyed, WatermarkGenerator(tumbling) if tumbling and by_event else None
    )


def is_for_shard(
    item: tuple[str, ForShard | Lost | ForConsumer],
) -> TypeGuard[tuple[str, ForShard | Lost]]:
    """Return whether a value goes to `aggregate`; else it goes to `acknowledge`."""
    return isinstance(item[1], (Members, Lost, Progress, FlushRequest, StreamOpened))


def key_by_consumer(item: tuple[str, Outcomes | Ready]) -> tuple[str, ForConsumer]:
    """Replace the name of the shard by the consumer that received these messages."""
    value = item[1]
    return value.consumer if isinstance(value, Ready) else value.origin.consumer, value
