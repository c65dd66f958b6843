"""Resident memory while Elasticsearch is away: it stays within the bound that the docs promise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from connectors.prefetch import MESSAGE_OVERHEAD
from connectors.spec import DEFAULT_MEMORY
from tests.live.forwarder import Forwarder
from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.monitoring import ask, counted, watched
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

REQUESTS = 32 * 1024**2
"""What the process may take for requests, beside itself and `memory`."""
REQUESTS_SENT = "hopper_bulk_seconds_count"
FULL = 3 / 4
"""Share of the memory above which a consumer may be full: the next message may not fit."""
FAILED = 2
"""Requests that fail while memory is full, so that retries are measured too."""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("size", [1_000, 100_000, 4_000_000], ids=["1KB", "100KB", "4MB"])
def test_memory_is_bounded_while_elasticsearch_is_away(
    rig: RabbitMQRig,
    events: Index,
    forwarder: Forwarder,
    tmp_path: Path,
    size: int,
    workers: int,
) -> None:
    """The prefetch is so large that only `memory` limits what is held."""
    events.create({"text": {"type": "object", "enabled": False}})
    url = urlsplit(events.url)._replace(netloc=f"127.0.0.1:{forwarder.port}").geturl()
    path = watched(tmp_path, rig, events, elasticsearch=url, prefetch="65535")
    with JobProcess(path, f"-w{workers}") as job:
        until(lambda: ask(job, "/readyz")[0] == 200, timeout=60)
        idle = resident(job, "VmRSS")
        forwarder.refuse(True)
        forwarder.cut()

        count = publish(rig, size)
        until(lambda: counted(job, "hopper_held_bytes") >= FULL * DEFAULT_MEMORY, timeout=60)
        sent = counted(job, REQUESTS_SENT)
        until(lambda: counted(job, REQUESTS_SENT) >= sent + FAILED, timeout=60)
        assert resident(job, "VmHWM") <= idle + DEFAULT_MEMORY + REQUESTS

        forwarder.refuse(False)
        until(lambda: events.total("n") == (count, count * (count - 1) // 2), timeout=90)
        assert job.drain() == 0
    assert rig.left() == 0
    assert rig.parked() == []


def test_consumers_of_several_queues_share_the_memory(
    rig: RabbitMQRig, events: Index, forwarder: Forwarder, tmp_path: Path
) -> None:
    """Also with messages that take half of the share of a consumer, and when the sink is back."""
    events.create({"text": {"type": "object", "enabled": False}})
    url = urlsplit(events.url)._replace(netloc=f"127.0.0.1:{forwarder.port}").geturl()
    path = watched(tmp_path, rig, events, elasticsearch=url, prefetch="100")
    queues = rig.more_queues(8)
    pattern = f"{rig.queue}.{{0..7}}"
    path.write_text(path.read_text().replace(f"queue: {rig.queue}\n", f"queue: {pattern}\n", 1))
    with JobProcess(path) as job:
        until(lambda: ask(job, "/readyz")[0] == 200, timeout=60)
        idle = resident(job, "VmRSS")
        forwarder.refuse(True)
        forwarder.cut()

        count = publish(rig, 4_000_000, queues, times=5)
        until(lambda: counted(job, "hopper_held_bytes") >= FULL * DEFAULT_MEMORY, timeout=60)
        assert counted(job, "hopper_held_bytes") <= DEFAULT_MEMORY

        forwarder.refuse(False)
        until(lambda: events.total("n") == (count, count * (count - 1) // 2), timeout=90)
        assert resident(job, "VmHWM") <= idle + DEFAULT_MEMORY + REQUESTS
        assert job.drain() == 0
    assert [rig.left_in(queue) for queue in queues] == [0] * len(queues)


def test_the_documents_of_large_messages_are_bounded(
    rig: RabbitMQRig, events: Index, forwarder: Forwarder, tmp_path: Path
) -> None:
    """Ten thousand documents of a message of 1 MB take seven times as much as its body."""
    url = urlsplit(events.url)._replace(netloc=f"127.0.0.1:{forwarder.port}").geturl()
    path = watched(tmp_path, rig, events, elasticsearch=url, prefetch="65535")
    with JobProcess(path) as job:
        until(lambda: ask(job, "/readyz")[0] == 200, timeout=60)
        idle = resident(job, "VmRSS")
        forwarder.refuse(True)
        forwarder.cut()

        body = b'{"text":"%s"}\n' % (b"x" * 85) * 10_000
        properties = pika.BasicProperties(content_type="application/x-ndjson")
        rig.publish(*[body] * 50, properties=properties)
        until(lambda: counted(job, "hopper_held_bytes") >= FULL * DEFAULT_MEMORY, timeout=60)
        sent = counted(job, REQUESTS_SENT)
        until(lambda: counted(job, REQUESTS_SENT) >= sent + FAILED, timeout=60)
        assert resident(job, "VmHWM") <= idle + DEFAULT_MEMORY + REQUESTS


def publish(rig: RabbitMQRig, size: int, queues: Sequence[str] = (), times: float = 1.5) -> int:
    """Publish messages of this size, so many times as fit into memory; return how many."""
    count = int(DEFAULT_MEMORY * times / (size + MESSAGE_OVERHEAD))
    text = b"x" * (size - 30)
    properties = pika.BasicProperties(content_type="application/json")
    bodies = (b'{"n":%d,"text":"%s"}' % (n, text) for n in range(count))
    if not queues:
        rig.publish(*bodies, properties=properties)
    for body, queue in zip(bodies, cycle(queues), strict=False):
        rig.publish_to(queue, body, properties=properties)
    return count


def resident(job: JobProcess, name: str) -> int:
    """Bytes of resident memory: `VmRSS` now, `VmHWM` the largest so far."""
    status = Path(f"/proc/{job.process.pid}/status").read_text()
    [kib] = re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib) * 1024
