"""The consumers of RabbitMQ's queues, and the requests to the broker for each queue."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.rabbitmq import survey, topology
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.spec import DEFAULT_MEMORY


def spec(**keys: Any) -> RabbitMQSource:
    return RabbitMQSource.model_validate({"url": "amqp://host", "queue": "o.{0..2}", **keys})


class RecordingChannel:
    """Records which queues are declared, bound or looked up."""

    def __init__(self) -> None:
        self.declared: list[tuple[str, bool]] = []
        self.bound: list[tuple[str, str]] = []

    def queue_declare(self, queue: str, *, passive: bool = False, **_: Any) -> None:
        self.declared.append((queue, passive))

    def queue_bind(self, queue: str, exchange: str, *_: Any, **__: Any) -> None:
        self.bound.append((queue, exchange))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_each_queue_has_one_consumer_for_up_to_as_many_workers(workers: int) -> None:
    source = RabbitMQ(spec(), None, workers)

    assert source.consumers() == ["o.0/000", "o.1/000", "o.2/000"]
    assert [source.queue_of(name) for name in source.consumers()] == ["o.0", "o.1", "o.2"]


@pytest.mark.parametrize(
    ("keys", "workers", "count"),
    [
        ({}, 4, 6),
        ({"consumers": 4}, 1, 12),
        ({"consume": {"exclusive": True}}, 8, 3),
        ({"consume": {"arguments": {"x-stream-offset": "first"}}}, 8, 3),
    ],
)
def test_a_number_of_consumers_is_for_each_queue(
    keys: dict[str, Any], workers: int, count: int
) -> None:
    assert len(RabbitMQ(spec(**keys), None, workers).consumers()) == count


def test_the_consumers_of_a_process_share_its_memory() -> None:
    source = RabbitMQ(spec(), None, workers=1)

    for consumer in map(source.consumer, source.consumers()):
        consumer._loop.close()

    assert source._memory_of_each() == DEFAULT_MEMORY // 3
    assert source.consumer("o.1/000") is source.consumer("o.1/000")


def test_each_queue_is_declared_and_bound_with_the_same_keys() -> None:
    channel: Any = RecordingChannel()
    keys = {"declare": {"bind": [{"exchange": "orders", "routing_key": "10"}]}}

    for step in topology.of_source(spec(**keys)):
        step.ask(channel, print)

    assert channel.declared == [(f"o.{number}", False) for number in range(3)]
    assert channel.bound == [(f"o.{number}", "orders") for number in range(3)]


@pytest.mark.parametrize(
    ("keys", "offsets"),
    [({}, "o.{}.offset"), ({"offset_queue": "audit of {queue}"}, "audit of o.{}")],
)
def test_each_stream_keeps_an_offset_of_its_own(keys: dict[str, Any], offsets: str) -> None:
    channel: Any = RecordingChannel()
    streams = spec(consume={"arguments": {"x-stream-offset": "first"}}, **keys)

    for step in topology.of_source(streams):
        step.ask(channel, print)

    wanted = [[(f"o.{n}", True), (offsets.format(n), False)] for n in range(3)]
    assert channel.declared == [one for both in wanted for one in both]


def test_a_check_asks_for_each_queue_and_once_for_the_exchange() -> None:
    keys = {"declare": {"bind": [{"exchange": "orders", "routing_key": "10"}]}}

    subjects = [question.subject for question in survey.of_source(spec(**keys))]

    each = [[f"queue o.{n}", f"declare of queue o.{n}", f"reading queue o.{n}"] for n in range(3)]
    assert subjects == [*(one for three in each for one in three), "exchange orders"]
