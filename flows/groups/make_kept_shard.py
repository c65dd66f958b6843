"""Makes the shard that the rules need, with state; imported only by a job that keeps state."""

from __future__ import annotations

from flows.groups.kept_early import KeptEarlyShard
from flows.groups.kept_event_order import KeptEventOrderShard
from flows.groups.kept_held import Alone
from flows.groups.kept_shard import KeptShard
from flows.groups.rules import Rules


def make_kept_shard(rules: Rules, every: float, token: str, alone: Alone) -> KeptShard:
    """Make a shard with state; the arguments are those of `KeptShard`."""
    if rules.event_order is not None:
        return KeptEventOrderShard(rules, every, token, alone)
    kind = KeptShard if rules.emit_every is None else KeptEarlyShard
    return kind(rules, every, token, alone)
