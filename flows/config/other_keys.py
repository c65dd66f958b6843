"""Hints for keys of other tools at the top of `pipeline.yaml`."""

from __future__ import annotations

from connectors.spec import instead_of

OTHER_KEYS = instead_of(
    {
        "write source": "input inputs sources from consumer",
        "write sink": "output outputs sinks to destination",
        "write source: {rabbitmq: …}": "rabbitmq rabbit amqp",
        "write sink: {elasticsearch: …}": "elasticsearch elastic opensearch",
        "write dead_letter": "dlq dead_letters dead_letter_queue errors",
        "write aggregate: {window: …}": "batch buffer batching windows",
        "write name": "job id title",
        "write metrics: {port: 9100}": "http prometheus health",
        "write tests": "test",
        "write log: {level: info}": "logger logging logs log_level",
        "a document is stored as it came: transform it in Elasticsearch, with "
        "sink.elasticsearch.pipeline": "transforms transform filter filters processors",
        "workers are an option of the command: hopper run -w 2": "workers threads",
        "write traces: {endpoint: …}": "tracing trace opentelemetry otel",
    }
)
