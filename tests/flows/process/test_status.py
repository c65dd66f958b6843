"""One snapshot of a simulated job."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from prometheus_client import REGISTRY

from flows.process.cluster_links import ClusterLink
from flows.process.status import Status
from tests.flows.served_job import SECRETS, ServedJob


@pytest.fixture
def job() -> ServedJob:
    job = ServedJob()
    job.publish(*[{"order": f"order-{number}", "type": "line", "amount": 1} for number in range(4)])
    job.publish({"order": "order-0", "type": "end", "amount": 1}, b"a secret")
    return job


def snapshot(job: ServedJob, *links: ClusterLink) -> dict[str, Any]:
    """The snapshot after the shards have answered."""
    job.simulation.job.oldest_groups.ask()
    job.run()
    return status_of(job, *links).snapshot(10.0, time.time(), 1.0)


def status_of(job: ServedJob, *links: ClusterLink) -> Status:
    return Status(job.simulation.job, job.health, job.spec, "here", links)


def test_it_counts_the_messages_of_the_job(job: ServedJob) -> None:
    status = snapshot(job)

    assert status["messages"] == {
        "received": 6,
        "stored": 2,
        "rejected": 1,
        "parked": 1,
        "left_to_broker": 0,
        "kept": 0,
        "dropped": 0,
        "requeued": 0,
        "unacknowledged": 3,
    }
    assert status["queues"] == {"orders": 0}
    assert (status["groups"]["open"], status["groups"]["members"]) == (3, 3)
    assert status["sink"]["entered"] == status["sink"]["left"] == 2
    assert status["consumers"]["orders/000"]["prefetch"] == 500
    copies = REGISTRY.get_sample_value("hopper_duplicates_total")
    assert status["groups"]["duplicates"] == copies
    assert status["limit"]["by"] == "nothing"
    assert status["health"]["healthy"]


def test_it_shows_the_oldest_groups_with_their_ages(job: ServedJob) -> None:
    oldest = snapshot(job)["groups"]["oldest"]

    assert [(group["key"], group["members"]) for group in oldest] == [
        ('"order-1"', 1),
        ('"order-2"', 1),
        ('"order-3"', 1),
    ]
    assert all(0 <= group["seconds"] < 60 for group in oldest)


def test_it_shows_dead_letters_without_their_bodies(job: ServedJob) -> None:
    [letter] = snapshot(job)["dead_letters"]["latest"]

    assert letter["reason"].startswith("missing_key")
    assert letter["body"] is None
    assert "a secret" not in json.dumps(snapshot(job))


def test_the_spec_can_show_the_beginnings_of_bodies() -> None:
    job = ServedJob(show_bodies=True)
    job.publish(b"no JSON " * 100)

    [letter] = snapshot(job)["dead_letters"]["latest"]

    assert letter["body"].startswith("no JSON no JSON")
    assert len(letter["body"]) == 500


def test_it_hides_the_secrets_of_the_spec(job: ServedJob) -> None:
    text = json.dumps(snapshot(job))

    assert '"queue": ["orders"]' in text
    assert [secret for secret in SECRETS if secret in text] == []


def test_it_names_the_limit_and_the_pause(job: ServedJob) -> None:
    job.simulation.stop.paused = True
    assert snapshot(job)["limit"]["by"] == "pause"

    job.simulation.stop.paused = False
    job.simulation.store.go_down()
    assert snapshot(job)["limit"] == {
        "by": "sink",
        "why": "the sink does not answer; 0 documents wait for it",
    }


def test_it_measures_the_cpu_between_two_snapshots(job: ServedJob) -> None:
    status = status_of(job)

    shown = [status.snapshot(now, 0.0, cpu)["cpu"] for now, cpu in ((10.0, 1.0), (12.0, 2.9))]

    assert shown[0] == {"seconds": 1.0, "cores": None}
    assert shown[1] == {"seconds": 2.9, "cores": pytest.approx(0.95)}
    assert status.snapshot(14.0, 0.0, 4.8)["limit"]["by"] == "cpu"


def test_it_names_the_processes_of_the_cluster(job: ServedJob) -> None:
    shown = snapshot(job, ClusterLink("", 9100), ClusterLink("hopper-1", 9100))

    assert shown["processes"] == [{"host": "", "port": 9100}, {"host": "hopper-1", "port": 9100}]
