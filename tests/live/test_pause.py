"""`hopper pause` and `hopper resume` on running jobs: no message is lost or written twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.cli.command import hopper, json_of
from tests.live.indices import Index
from tests.live.job import JobProcess, cluster
from tests.live.monitoring import ask, counted, wait_for, watched
from tests.live.pipeline import publish
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = pytest.mark.live


@pytest.fixture
def events(elasticsearch_url: str, index: str) -> Index:
    return Index(elasticsearch_url, index)


def waiting(rig: RabbitMQRig) -> tuple[int, int]:
    """Messages that wait in the queue, and its consumers."""
    return rig.left(), rig.consumers()


def test_a_paused_job_writes_what_it_has_and_keeps_its_place(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Messages wait in the broker; the open window is written by its time."""
    path = watched(tmp_path, rig, events, window="{count: 100, time: 1s}")
    with JobProcess(path) as job:
        publish(rig, 30)
        wait_for(job, "/readyz", 200)

        result = hopper("pause", str(path))
        assert result.code == 0, result.err
        assert result.out.startswith("paused 1 process of ")
        until(lambda: waiting(rig) == (0, 0))
        publish(rig, 70, start=30)

        until(lambda: events.count() == 30)
        assert waiting(rig) == (70, 0)
        shown = json_of(hopper("pause", "--json", str(path)), "pause")
        assert shown["paused"]
        wait_for(job, "/readyz", 503, "paused: consumers receive nothing")
        wait_for(job, "/health", 200)
        assert counted(job, "hopper_paused") == 1
        assert "paused: consumers receive nothing until `hopper resume`" in job.log

        assert hopper("resume", str(path)).code == 0
        until(lambda: events.count() == 100)
        wait_for(job, "/readyz", 200)
        assert job.drain() == 0
    assert events.numbers() == list(range(100))
    assert rig.left() == 0


def test_a_job_stays_paused_over_a_lost_connection_and_can_be_drained(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    path = watched(tmp_path, rig, events)
    with JobProcess(path) as job:
        wait_for(job, "/readyz", 200)
        assert hopper("pause", str(path)).code == 0
        until(lambda: rig.consumers() == 0)
        rig.cut()
        until(lambda: counted(job, "hopper_connections_total") == 2)
        publish(rig, 20)

        until(lambda: waiting(rig) == (20, 0))
        assert ask(job, "/health")[1]["paused"]
        assert job.drain() == 0
    assert waiting(rig) == (20, 0)
    assert events.count() == 0


def test_all_processes_of_a_cluster_are_paused(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    path = watched(tmp_path, rig, events)
    with cluster(path, path) as (first, second):
        for job in (first, second):
            wait_for(job, "/readyz", 200)

        result = hopper("pause", str(path))

        assert result.out.startswith("paused 2 processes of ")
        until(lambda: rig.consumers() == 0)
        assert hopper("resume", str(path)).code == 0
        until(lambda: rig.consumers() == 2)
        publish(rig, 50)
        until(lambda: events.count() == 50)
        assert first.drain() == 0
        assert second.process.wait(30) == 0


def test_a_job_that_does_not_run_cannot_be_paused(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    path = watched(tmp_path, rig, events)

    result = hopper("pause", str(path))

    assert result.code == 1
    assert "is it running here? --url names one elsewhere" in result.err
