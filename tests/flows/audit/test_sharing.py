"""A job with groups by key warns when other jobs consume its queue."""

from __future__ import annotations

import itertools

from connectors.memory.source import MemoryQueueSource
from connectors.memory.spec import MemorySource
from flows.audit.sharing import split_by_others

_names = itertools.count()


def test_other_consumers_of_the_queue_are_a_warning_while_they_are_there() -> None:
    name = f"sharing-{next(_names)}"
    own, other = (
        MemoryQueueSource(MemorySource(name=(name,), consumers=2), workers=1) for _ in range(2)
    )
    for source in (own, other):
        for each in source.consumers():
            source.consumer(each).start()

    [warning] = split_by_others(own)
    assert warning.startswith(f"aggregate.by: queue {name} has 2 consumers of other jobs, so ")

    for each in other.consumers():
        other.consumer(each).close()
    assert list(split_by_others(own)) == []
