"""Warns of groups that are split because other jobs consume the same queue.

Pure: `health.py` calls it at each check.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.connector import Source


def split_by_others(source: Source) -> Iterator[str]:
    """Return a warning if queues have other consumers; it names one of these queues."""
    others = source.other_consumers()
    if others:
        queue, count = next(iter(others.items()))
        more = f" (and {len(others) - 1} more queues)" if len(others) > 1 else ""
        yield (
            f"aggregate.by: queue {queue} has {count} consumer{'s' * (count > 1)} of other jobs"
            f"{more}, so the messages of a key are split between them: each job writes its own "
            "part of a group or window. Sum over parts, or let one job of several processes read "
            "the queue (-i, -a)"
        )
