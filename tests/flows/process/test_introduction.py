"""The first lines of the log describe the job, and show no secret."""

from __future__ import annotations

from pathlib import Path

from flows.process.introduction import introduction
from flows.spec import load

WHOLE = """
version: 1
name: orders
source: {rabbitmq: {url: "amqp://u:hidden@h/", queue: tasks, prefetch: 200}}
aggregate:
  by: [order, line]
  window: {count: 10, bytes: 5MiB, time: 90s, tumbling: {every: 1m}}
sink: {elasticsearch: {url: "http://u:hidden@e:9200", index: "orders-{tenant}"}}
dead_letter: {rabbitmq: {routing_key: parked}}
"""
SMALL = """
version: 1
name: small
source: {memory: {name: in}}
aggregate: {window: {last: 'message.type == "end"', time: 1s}}
sink: {memory: {name: out}}
"""


def test_they_name_file_source_sink_window_and_limits(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    first, second = introduction(load(path, {}), str(path), consumers=3)

    assert first.startswith("Hopper ")
    assert first.endswith(
        f" runs orders of {path}: queue tasks at amqp://u:***@h/ → "
        "index orders-{tenant} at http://u:***@e:9200"
    )
    assert second == (
        "by order, line, window: count 10, bytes 5MiB, time 90s, tumbling every 1m; "
        "3 consumers, 64MiB of messages in a process, 200 of them each, 4 requests at once"
    )


def test_they_describe_memory_connectors_too(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(SMALL, encoding="utf-8")
    first, second = introduction(load(path, {}), str(path), consumers=1)

    assert first.endswith(": queue in in memory → store out in memory")
    assert second == (
        'window: time 1s, last message.type == "end"; 1 consumer, 64MiB of messages in a process'
    )
