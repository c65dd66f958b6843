"""`hopper try --from-queue` on a real broker: messages are copied, and none is lost or moved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.flows.cli.command import hopper, json_of
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until

pytestmark = pytest.mark.live

SPEC = """
version: 1
name: orders
source: {{rabbitmq: {{url: "{url}", queue: {queue}}}}}
aggregate: {{window: {{count: 2, time: 1s}}}}
sink: {{elasticsearch: {{url: "${{NOT_SET}}", index: orders}}}}
"""


@pytest.fixture(params=["classic", "quorum", "stream"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(rabbitmq_url: str, tmp_path: Path, kind: str) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(rabbitmq_url, **{"x-queue-type": kind}) as rig:
        (tmp_path / "orders.yaml").write_text(SPEC.format(url=rig.url, queue=rig.queue))
        yield rig


def publish(rig: RabbitMQRig, count: int) -> None:
    for number in range(count):
        properties = pika.BasicProperties(
            message_id=f"m{number}", headers={"tenant": "a"}, delivery_mode=2
        )
        rig.publish(b'{"n":%d}' % number, properties=properties)


def taken(rig: RabbitMQRig, kind: str, count: int) -> list[tuple[int, bool]]:
    """The messages as the next consumer gets them, with their redelivered flags."""
    found: list[tuple[int, bool]] = []

    def take(_channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        found.append((json.loads(body)["n"], method.redelivered))

    channel = rig.connection.channel()
    channel.basic_qos(prefetch_count=100)
    arguments = {"x-stream-offset": "first"} if kind == "stream" else {}
    channel.basic_consume(rig.queue, take, arguments=arguments)
    while len(found) < count:
        rig.connection.process_data_events(time_limit=1)
    channel.close()
    return found


def test_messages_are_copied_and_stay_where_they_are(
    rig: RabbitMQRig, kind: str, tmp_path: Path
) -> None:
    """Only their flag changes, and that of a stream's messages does not.

    A quorum queue without a delivery limit puts them at its end.
    """
    publish(rig, 5)

    told = hopper("try", "orders.yaml", "--from-queue", "3", "--json", folder=tmp_path)

    report = json_of(told, "try")["report"]
    assert (told.code, report["messages"], report["unacknowledged"]) == (0, 3, [])
    written = [one for one in report["happened"] if one["type"] == "document"]
    assert [(one["id"], one["source"]) for one in written] == [
        (f"m{number}", {"n": number}) for number in range(3)
    ]
    groups = [one for one in report["happened"] if one["type"] == "group"]
    assert [one["completed_by"] for one in groups] == ["count", "time"]

    if kind == "stream":
        assert told.err == ""
        assert taken(rig, kind, 5) == [(number, False) for number in range(5)]
        return
    assert told.err.startswith(f"warning: 3 messages of the queue {rig.queue} were delivered")
    assert "marks them as redelivered from now on" in told.err
    until(lambda: rig.left() == 5)
    again = taken(rig, kind, 5)
    order = [3, 4, 0, 1, 2] if kind == "quorum" else [0, 1, 2, 3, 4]
    assert again == [(number, number < 3) for number in order]


def test_an_empty_queue_has_nothing_to_try(rig: RabbitMQRig, tmp_path: Path) -> None:
    told = hopper("try", "orders.yaml", "--from-queue", "10", folder=tmp_path)

    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("orders: 0 messages: ")


def test_a_queue_that_is_not_there_is_told(rabbitmq_url: str, tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(SPEC.format(url=rabbitmq_url, queue="not-there"))

    told = hopper("try", "orders.yaml", "--from-queue", "10", folder=tmp_path)

    assert (told.code, told.out) == (1, "")
    assert "no queue 'not-there'" in told.err
