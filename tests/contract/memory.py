"""Rigs of the memory connector for the contract tests: the shortest rigs."""

from __future__ import annotations

import itertools
from typing import Any

from connectors.connector import Sink, Source
from connectors.memory import sink as memory_sink
from connectors.memory import source as memory_source
from connectors.memory.spec import MemorySink, MemorySource
from connectors.message import Documents
from connectors.spec import DEFAULT_MEMORY
from tests.contract.sink import parsed, submit

_numbers = itertools.count()


class MemorySourceRig:
    def __init__(self) -> None:
        self._name = f"contract-{next(_numbers)}"
        self._queue = memory_source.queue(self._name)

    def source(
        self, consumers: int = 1, prefetch: int | None = 100, memory: int = DEFAULT_MEMORY
    ) -> Source:
        given = {"memory": memory} | ({} if prefetch is None else {"prefetch": prefetch})
        spec = MemorySource.model_validate({"name": self._name, "consumers": consumers, **given})
        return memory_source.MemoryQueueSource(spec, workers=1)

    def several(self, queues: int) -> Source:
        spec = MemorySource.model_validate({"name": f"{self._name}.{{1..{queues}}}"})
        return memory_source.MemoryQueueSource(spec, workers=1)

    def publish_to(self, queue: str, body: bytes) -> None:
        memory_source.queue(queue).publish(body)

    def publish(self, *bodies: bytes) -> None:
        self._queue.publish(*bodies)

    def left(self) -> int:
        return len(self._queue.waiting)

    def parked(self) -> list[tuple[bytes, str]]:
        return [(r.message.body, r.rejection.reason) for r in self._queue.parked]

    def cut(self) -> None:
        self._queue.cut()


class MemorySinkRig:
    def __init__(self) -> None:
        self._name = f"contract-{next(_numbers)}"
        self._store = memory_sink.store(self._name)

    def sink(self) -> Sink:
        return memory_sink.MemoryStoreSink(MemorySink(name=self._name))

    def stored(self) -> list[dict[str, Any]]:
        return parsed([document.source for document in self._store.documents])

    def poison(self) -> bytes:
        self._store.refuse(b"poison", "it is poison")
        return b'{"n":"poison"}'

    def change(self, id: str, source: bytes) -> None:
        submit(self.sink(), Documents([source], None, [id]))

    def go_down(self) -> None:
        self._store.go_down()

    def come_up(self) -> None:
        self._store.come_up()
