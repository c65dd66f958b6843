"""How many consumers the queues of a source have, and what these are called.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def consumer_names(queues: Sequence[str], of_each: int) -> dict[str, str]:
    """Return the queues of all consumers, by the consumers' names.

    The names are in the order in which Bytewax gives partitions to its workers in turn. So each
    worker has as many consumers as any other, or one more; and the consumers of one queue are on
    different workers.
    """
    return dict(sorted(_consumers(queues, of_each)))


def _consumers(queues: Sequence[str], of_each: int) -> Iterator[tuple[str, str]]:
    for queue in queues:
        for number in range(of_each):
            yield f"{queue}/{number:03d}", queue


def queue_in_name(consumer: str) -> str:
    """Return the queue of a consumer by its name, also of one that this job no longer has."""
    return consumer.rpartition("/")[0]


def consumers_of_each(queues: int, workers: int) -> int:
    """Return how many consumers each queue needs, so that no worker is without one."""
    return -(-workers // queues)
