"""Runs the steps between source and sink without Bytewax, brokers or threads.

Messages are made beforehand, and the sink answers at once that all documents are stored: so the
measured CPU is that of our own steps.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pika
from msgspec.structs import replace

from bench.fill import messages
from connectors.elasticsearch.address import ElasticsearchAddressing
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.memory.broker import MemoryQueue
from connectors.memory.source import MemoryQueueSource
from connectors.memory.spec import MemorySource
from connectors.message import (
    Answer,
    Arrived,
    Documents,
    Lost,
    Message,
    Origin,
    Properties,
    Run,
    SinkPace,
    SinkState,
)
from connectors.rabbitmq.delivery import encode_route
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQSource
from flows.job import Job
from flows.simulation.steps import SimulatedSteps
from flows.spec import Pipeline, load
from flows.steps.routing import ForShard, is_for_shard
from flows.values.stop import Stop

TOGETHER = 500
"""Messages that arrive together: those of 10 ms, at 50,000 a second."""
ORIGIN = Origin("hopper.bench/000", 1)


class Cost(NamedTuple):
    """µs of CPU a message, step by step."""

    correlate: float
    aggregate: float
    write: float


def arrivals(count: int, keys: int, *, ids: bool = False) -> Iterator[Arrived]:
    """So many messages of about 235 bytes, with so many different values of `customer`.

    With as many values as messages, each message has its own value.
    """
    draw, route = random.Random(keys), encode_route("", "hopper.bench")
    together: list[Message] = []
    for number, (order, message_id) in enumerate(messages(count, ids)):
        key = number if keys == count else draw.randrange(keys)
        head, _, tail = order.partition(b'"customer-')
        body = b'%b"customer-%07d%b' % (head, key, tail[tail.index(b'"') :])
        envelope = pika.BasicProperties("application/json", delivery_mode=2, message_id=message_id)
        message = Message(number + 1, False, route, b"".join(envelope.encode()), body)
        together.append(message)
        if len(together) == TOGETHER or number == count - 1:
            yield Arrived(ORIGIN, together)
            together = []


class BenchSteps:
    """The steps of a job with this `aggregate` and this index."""

    def __init__(self, aggregate: str, index: str = "bench") -> None:
        spec = _spec(aggregate, index)
        assert spec.source.rabbitmq
        assert spec.sink.elasticsearch
        sink = _Sink(spec.sink.elasticsearch)
        self.job = Job(spec, _Source(spec.source.rabbitmq), sink, Stop())
        self._steps = SimulatedSteps(self.job)

    def correlated(self, arrived: Arrived) -> list[tuple[str, ForShard | Lost]]:
        """The values that `correlate` sends to the shards for these messages."""
        return list(filter(is_for_shard, self._steps.correlate([arrived])))

    def run(self, arrived: Sequence[Arrived]) -> Cost:
        """Run all steps on these messages, and return the cost."""
        clock, spent, count = time.process_time, [0.0, 0.0, 0.0], 0
        aggregates, writes = self._steps.aggregates, self._steps.writes
        for prepared in arrived:
            event = _received(prepared)
            count += len(event.messages)
            began = clock()
            items = self.correlated(event)
            correlated = clock()
            leaving = []
            for name, value in items:
                aggregate = aggregates[name]
                out, _ = aggregate.on_batch([value])
                aggregate.notify_at()
                leaving.append((writes[name], out))
            aggregated = clock()
            for write, out in leaving:
                if out:
                    write.on_batch(out)
                    write.notify_at()
            for step, (start, end) in enumerate(
                ((began, correlated), (correlated, aggregated), (aggregated, clock()))
            ):
                spent[step] += end - start
        return Cost(*(1e6 * seconds / count for seconds in spent))


def _received(arrived: Arrived) -> Arrived:
    """Copies of the messages, as if the reader had just received them.

    They reuse the memory of earlier messages, which is in the processor's cache as in a job.
    """
    messages = [
        replace(one, properties=bytes(memoryview(one.properties)), body=bytes(memoryview(one.body)))
        for one in arrived.messages
    ]
    return Arrived(arrived.origin, messages)


def _spec(aggregate: str, index: str) -> Pipeline:
    with TemporaryDirectory() as folder:
        path = Path(folder, "pipeline.yaml")
        path.write_text(
            "version: 1\n"
            "name: bench\n"
            "source: {rabbitmq: {url: amqp://nowhere, queue: hopper.bench, prefetch: 60000}}\n"
            f"aggregate: {aggregate}\n"
            f"sink: {{elasticsearch: {{url: http://nowhere:1, index: '{index}'}}}}\n"
            "dead_letter: {rabbitmq: {exchange: '', routing_key: parked}}\n"
        )
        return load(str(path))


class _Source(MemoryQueueSource):
    """A consumer in memory, whose messages have the envelopes of RabbitMQ."""

    def __init__(self, spec: RabbitMQSource) -> None:
        memory = MemorySource(name=spec.queue, consumers=1)
        super().__init__(memory, workers=1, queues={spec.only_queue: MemoryQueue()})
        self._rabbitmq = RabbitMQ(spec, None, workers=1)

    def properties(self, message: Message) -> Properties:
        return self._rabbitmq.properties(message)

    def runs(self, messages: list[Message]) -> Iterable[Run]:
        return self._rabbitmq.runs(messages)


class _Sink:
    """Stores at once."""

    def __init__(self, spec: ElasticsearchSink) -> None:
        self._spec = spec

    def addressing(self, queue: str) -> ElasticsearchAddressing:
        return ElasticsearchAddressing(self._spec, queue)

    def check(self) -> None: ...

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        reply(Answer(range(len(documents.sources)), []))
        return lambda: None

    def flush(self) -> None: ...

    def pace(self) -> SinkPace:
        return SinkPace()

    def state(self) -> SinkState:
        return SinkState()

    def close(self) -> None: ...
