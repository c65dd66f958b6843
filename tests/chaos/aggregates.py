"""The kinds of jobs: their `aggregate`, and what must hold for their documents."""

from __future__ import annotations

from typing import NamedTuple


class JobKind(NamedTuple):
    """A kind of job."""

    yaml: str
    """Its `aggregate`."""
    keyed: bool = False
    reduced: bool = False
    exact: bool = True
    """No message is ever in two documents."""
    prefetch: int | None = 4000
    """`None`: the spec gives no number, so the prefetch may grow."""
    ends_by_clock: bool = True
    """The queue gets empty by itself, when no more messages arrive."""
    durable: bool = False
    """It keeps its groups in a folder, and counts each message exactly once."""


_REDUCE = """
  reduce:
    total: {sum: amount}
    lowest: {min: n}
    numbers: {list: n}
"""
"""Each summary lists the numbers of its messages, so that the checker finds each message."""

AGGREGATES = {
    "documents": JobKind("  window: {count: 200, bytes: 100KiB, time: 300ms}"),
    "keyed": JobKind("  by: key\n  window: {count: 20, time: 500ms}", keyed=True),
    # Messages of a group that was stored but not acknowledged may meet others the next time.
    "reduce": JobKind(
        f"  by: key\n  window: {{count: 20, time: 500ms}}{_REDUCE}",
        keyed=True,
        reduced=True,
        exact=False,
    ),
    # A whole window always has the same `_id`.
    "windows": JobKind(
        "  by: key\n  on_stop: requeue\n"
        # Shorter than many faults: a consumer that a fault stops is not idle.
        "  window: {tumbling: {every: 1s, event_time: at, lateness: 1s, idle_after: 10s}}"
        f"{_REDUCE}",
        keyed=True,
        reduced=True,
        # Enough for the time that a window is open, of a backlog too.
        prefetch=20_000,
        ends_by_clock=False,
    ),
    # Each window has more messages than the first prefetch, which must not close it early.
    "large windows": JobKind(
        "  by: key\n  on_stop: requeue\n"
        "  window: {tumbling: {every: 2s, event_time: at, lateness: 1s, idle_after: 10s}}"
        f"{_REDUCE}",
        keyed=True,
        reduced=True,
        prefetch=None,
        ends_by_clock=False,
    ),
    # A window stands for an hour: the job is killed several times while it is open.
    "durable": JobKind(
        "  by: key\n"
        "  window: {tumbling: {every: 20s, event_time: at, lateness: 5s, idle_after: 15s}}"
        f"{_REDUCE}",
        keyed=True,
        reduced=True,
        prefetch=None,
        durable=True,
    ),
}

MAPPING = {
    "dynamic": False,
    "properties": {
        "n": {"type": "integer"},
        "lowest": {"type": "integer"},
    },
}

SPEC = """
version: 1
name: chaos
source:
  rabbitmq:
    url: {broker}?heartbeat=2
    queue: {queue}
    {prefetch}
    declare: {{durable: true}}
    consumer_timeout: {consumer_timeout}
aggregate:
{aggregate}
{state}
sink:
  elasticsearch:
    url: {store}
    index: {index}
    request_timeout: 5s
dead_letter:
  rabbitmq: {{routing_key: {queue}.parked}}
drain_timeout: 15s
"""
