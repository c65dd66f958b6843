"""Makes the shard that the rules need."""

from __future__ import annotations

from flows.groups.early import EarlyShard
from flows.groups.event_order import EventOrderShard
from flows.groups.kept_early import KeptEarlyShard
from flows.groups.kept_event_order import KeptEventOrderShard
from flows.groups.kept_held import Alone
from flows.groups.kept_shard import KeptShard
from flows.groups.rules import Rules
from flows.groups.shard import Shard


def make_shard(rules: Rules) -> Shard:
    """Make a shard by event time or by arrival, or one that writes windows early."""
    if rules.event_order is not None:
        return EventOrderShard(rules)
    return Shard(rules) if rules.emit_every is None else EarlyShard(rules)


def make_kept_shard(rules: Rules, every: float, token: str, alone: Alone) -> KeptShard:
    """Make a shard with state; the arguments are those of `KeptShard`."""
    if rules.event_order is not None:
        return KeptEventOrderShard(rules, every, token, alone)
    kind = KeptShard if rules.emit_every is None else KeptEarlyShard
    return kind(rules, every, token, alone)
