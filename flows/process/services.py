"""Makes the source and the sink that a spec names.

Only the connectors that a job uses are imported: a dry run in memory needs no pika. They read the
spec again when a service refuses the credentials, because files with passwords may have changed.
"""

from __future__ import annotations

from connectors import metrics
from connectors.connector import Sink, Source
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import SpecError
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from flows.spec import Pipeline, load


def make_source(spec: Pipeline, workers: int, path: str) -> Source:
    """Make the source; `workers`: of the whole cluster, `path`: of the file of the spec."""
    if spec.source.rabbitmq is not None:
        from connectors.rabbitmq.source import RabbitMQ  # noqa: PLC0415

        collect_seconds = spec.aggregate.window.collect_seconds
        return RabbitMQ(*_rabbitmq(spec), workers, lambda: _rabbitmq(load(path)), collect_seconds)
    from connectors.memory.source import MemoryQueueSource  # noqa: PLC0415

    assert spec.source.memory is not None
    return MemoryQueueSource(spec.source.memory, workers)


def _rabbitmq(spec: Pipeline) -> tuple[RabbitMQSource, RabbitMQDeadLetter | None]:
    if spec.source.rabbitmq is None:
        raise SpecError(["source.rabbitmq is missing, but the job was started with it: restart it"])
    return spec.source.rabbitmq, spec.dead_letter.rabbitmq if spec.dead_letter else None


def make_sink(spec: Pipeline, path: str, observer: metrics.BulkMetrics) -> Sink:
    """Make the sink; `observer` counts its requests."""
    if spec.sink.elasticsearch is not None:
        from connectors.elasticsearch.sink import Elasticsearch  # noqa: PLC0415

        return Elasticsearch(
            spec.sink.elasticsearch,
            observer,
            lambda: _elasticsearch(path),
        )
    from connectors.memory.sink import MemoryStoreSink  # noqa: PLC0415

    assert spec.sink.memory is not None
    return MemoryStoreSink(spec.sink.memory)


def _elasticsearch(path: str) -> ElasticsearchSink | None:
    try:
        return load(path).sink.elasticsearch
    except SpecError:
        return None  # the file may be half written at this moment
