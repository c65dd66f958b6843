"""Makes the shard that the rules need, without state."""

from __future__ import annotations

from flows.groups.early import EarlyShard
from flows.groups.event_order import EventOrderShard
from flows.groups.rules import Rules
from flows.groups.shard import Shard


def make_shard(rules: Rules) -> Shard:
    """Make a shard by event time or by arrival, or one that writes windows early."""
    if rules.event_order is not None:
        return EventOrderShard(rules)
    return Shard(rules) if rules.emit_every is None else EarlyShard(rules)
