"""Warns of groups that are split because other jobs consume the same queue.

Pure: `health.py` calls it at each check.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.connector import Source


def split_by_others(source: Source) -> Iterator[str]:
    """Return a warning if the queue has other consumers."""
    others = source.other_consumers()
    if others:
        yield (
            f"aggregate.by: the queue has {others} consumer{'s' * (others > 1)} of other jobs, so "
            "the messages of a key are split between them: each job writes its own part of a group "
            "or window. Sum over parts, or let one job of several processes read the queue (-i, -a)"
        )
