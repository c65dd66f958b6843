"""A job with groups by key is told when others read its queue."""

from __future__ import annotations

import itertools

from connectors.memory.source import MemoryQueueSource
from connectors.memory.spec import MemorySource
from flows.audit.sharing import split_by_others

_names = itertools.count()


def test_others_that_read_the_queue_are_a_warning_until_they_are_gone() -> None:
    name = f"sharing-{next(_names)}"
    ours, theirs = (
        MemoryQueueSource(MemorySource(name=name, consumers=2), workers=1) for _ in range(2)
    )
    for source in (ours, theirs):
        for each in source.consumers():
            source.consumer(each).start()

    [warning] = split_by_others(ours)
    assert warning.startswith("aggregate.by: the queue has 2 consumers of other jobs, so ")

    for each in theirs.consumers():
        theirs.consumer(each).close()
    assert list(split_by_others(ours)) == []
