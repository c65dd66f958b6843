"""Resident memory while Elasticsearch is away: it stays within the bound that the docs promise."""

from __future__ import annotations

import re
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


def publish(rig: RabbitMQRig, size: int) -> int:
    """Publish messages of this size, half as many again as fit into memory; return how many."""
    count = DEFAULT_MEMORY * 3 // 2 // (size + MESSAGE_OVERHEAD)
    text = b"x" * (size - 30)
    properties = pika.BasicProperties(content_type="application/json")
    rig.publish(*(b'{"n":%d,"text":"%s"}' % (n, text) for n in range(count)), properties=properties)
    return count


def resident(job: JobProcess, name: str) -> int:
    """Bytes of resident memory: `VmRSS` now, `VmHWM` the largest so far."""
    status = Path(f"/proc/{job.process.pid}/status").read_text()
    [kib] = re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib) * 1024
