"""The pages of a running job, when it is healthy and when it is not."""

from __future__ import annotations

import os
import pty
import re
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from tests.live.firewall import Firewall
from tests.live.forwarder import Forwarder
from tests.live.http_proxy import Page
from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.monitoring import ask, causes, counted, wait_for, watched
from tests.live.pipeline import publish
from tests.live.queues import RabbitMQRig
from tests.waiting import until
from tools.local.ports import free_ports

pytestmark = pytest.mark.live

AS_JSON = pika.BasicProperties(content_type="application/json")


@pytest.fixture
def events(elasticsearch_url: str, forwarder: Forwarder, index: str) -> Index:
    """The job reaches it through the forwarder, and so does the test."""
    parts = urlsplit(elasticsearch_url)
    login = parts.netloc.rpartition("@")[0]
    place = f"127.0.0.1:{forwarder.port}"
    return Index(parts._replace(netloc=f"{login}@{place}" if login else place).geturl(), index)


def test_a_healthy_job_reports_its_numbers(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    """The numbers of the page and of Prometheus account for all received messages."""
    publish(rig, 250)
    rig.publish(b'{"n":250}', properties=AS_JSON)
    rig.publish(b"no JSON", properties=AS_JSON)
    path = watched(tmp_path, rig, events, window="{count: 100, time: 20m}")
    with JobProcess(path) as job:
        wait_for(job, "/readyz", 200)
        until(lambda: ask(job, "/health")[1]["open"]["members"] == 51)
        until(lambda: counted(job, "hopper_unacknowledged") == 51)
        until(lambda: counted(job, "hopper_parked_total") == 1)
        status, content = ask(job, "/health")

        assert status == 200
        assert content["open"] == {"groups": 1, "members": 51, "sink_documents": 0}
        assert content["messages"] == {
            "received": 252,
            "stored": 200,
            "rejected": 1,
            "parked": 1,
            "left_to_broker": 0,
            "kept": 0,
            "dropped": 0,
            "requeued": 0,
            "unacknowledged": 51,
        }
        kinds = ("stored", "kept", "parked", "left_to_broker", "dropped", "requeued")
        settled = sum(counted(job, f"hopper_{kind}_total") for kind in kinds)
        assert counted(job, "hopper_received_total") == settled + 51
        assert counted(job, "hopper_open_members") == 51
        assert counted(job, "hopper_open_groups") == 1
        assert job.drain() == 0
    assert "accounting mismatch" not in job.log


ENDINGS = (
    *("received", "stored", "kept", "rejected"),
    *("parked", "left_to_broker", "dropped", "requeued"),
)


def agree(job: JobProcess) -> dict[str, int]:
    """The counts of messages in `/health` and `/metrics`, which are the same."""

    def same() -> dict[str, int]:
        messages = ask(job, "/health")[1]["messages"]
        content = {name: messages[name] for name in ENDINGS}
        shown = {name: counted(job, f"hopper_{name}_total") for name in ENDINGS}
        return content if content == shown else {}

    return until(same)


def said_in(log: str) -> dict[str, int]:
    """The same counts in the last line of the log; what is missing there is zero."""
    line = [line for line in log.splitlines() if " received, " in line][-1]
    found = {verb.replace(" ", "_"): int(n) for n, verb in re.findall(r"(\d+) ([a-z ]+)", line)}
    return {name: found.get(name, 0) for name in ENDINGS}


def test_a_lost_connection_and_a_drain_are_counted_alike_everywhere(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    publish(rig, 30)
    rig.publish(b"no JSON", properties=AS_JSON)
    path = watched(tmp_path, rig, events, window="{count: 100, time: 20m}", on_stop="requeue")
    with JobProcess(path) as job:
        wait_for(job, "/readyz", 200)
        until(lambda: ask(job, "/health")[1]["open"]["members"] == 30)
        until(lambda: counted(job, "hopper_parked_total") == 1)
        until(lambda: counted(job, "hopper_unacknowledged") == 30)
        assert counted(job, f'hopper_broker_connected{{consumer="{rig.queue}/000"}}') == 1
        assert counted(job, "hopper_sink_answering") == 1
        rig.cut()
        until(lambda: ask(job, "/health")[1]["messages"]["received"] == 61)
        until(lambda: ask(job, "/health")[1]["open"]["members"] == 30)

        content = agree(job)
        assert job.drain() == 0

    assert content == dict(zip(ENDINGS, (61, 0, 0, 1, 1, 0, 0, 30), strict=True))
    assert said_in(job.log) == {**content, "requeued": 60}


def test_a_drain_that_takes_too_long_counts_alike_everywhere(
    rig: RabbitMQRig, events: Index, forwarder: Forwarder, tmp_path: Path
) -> None:
    """The rest is neither requeued nor anything else: it is counted separately."""
    with JobProcess(watched(tmp_path, rig, events, drain_timeout="1s")) as job:
        wait_for(job, "/readyz", 200)
        publish(rig, 10)
        until(lambda: events.count() == 10)
        until(lambda: counted(job, "hopper_unacknowledged") == 0)
        forwarder.refuse(True)
        forwarder.cut()
        publish(rig, 30, start=10)
        until(lambda: ask(job, "/health")[1]["open"]["sink_documents"] == 30)
        content = agree(job)
        job.process.send_signal(signal.SIGTERM)
        assert job.process.wait(30) == 3

    assert content == dict(zip(ENDINGS, (40, 10, 0, 0, 0, 0, 0, 0), strict=True))
    assert "30 messages are left unacknowledged" in job.log
    assert said_in(job.log) == content


def test_a_missing_connection_to_the_broker_is_reported(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """The job is healthy again when the broker is back; requeued messages are counted."""
    publish(rig, 30)
    with JobProcess(watched(tmp_path, rig, events, window="{count: 100, time: 20m}")) as job:
        wait_for(job, "/readyz", 200)
        until(lambda: ask(job, "/health")[1]["open"]["members"] == 30)

        rig._forwarder.refuse(True)
        rig.cut()
        wait_for(job, "/readyz", 503, "is not connected")
        wait_for(job, "/health", 503, "has not been connected for")
        rig._forwarder.refuse(False)
        content = wait_for(job, "/health", 200)

        until(lambda: ask(job, "/health")[1]["open"]["members"] == 30)
        assert content["messages"]["requeued"] == 30
        assert counted(job, "hopper_requeued_total") == 30
        assert job.drain() == 0
    assert events.numbers() == list(range(30))
    assert "accounting mismatch" not in job.log


def test_a_sink_that_stores_nothing_is_reported(
    rig: RabbitMQRig, events: Index, forwarder: Forwarder, tmp_path: Path
) -> None:
    """But not before a document waits for it."""
    with JobProcess(watched(tmp_path, rig, events)) as job:
        wait_for(job, "/readyz", 200)
        forwarder.refuse(True)
        forwarder.cut()

        publish(rig, 30)
        content = wait_for(job, "/health", 503, "the sink has not answered for")
        assert content["open"]["sink_documents"] == 30
        forwarder.refuse(False)

        wait_for(job, "/health", 200)
        until(lambda: events.count() == 30)
        assert job.drain() == 0
    assert "accounting mismatch" not in job.log


def test_a_stopped_consumer_is_reported(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    """Until a probe is stored; and the messages that were not parked are requeued."""
    rig.publish(*[b"no JSON"] * 40, properties=AS_JSON)
    path = watched(tmp_path, rig, events)
    limit = f"{rig.parking}, reject_limit: {{rejected: 5, of: 10}}}}"
    path.write_text(path.read_text().replace(f"{rig.parking}}}", limit))
    with JobProcess(path) as job:
        wait_for(job, "/health", 503, "too many messages are rejected")
        assert ask(job, "/readyz")[0] == 503

        until(lambda: 5 <= counted(job, "hopper_parked_total") == 40 - rig.left())
        until(
            lambda: (
                counted(job, "hopper_received_total")
                == counted(job, "hopper_parked_total") + counted(job, "hopper_requeued_total")
            )
        )
        content = agree(job)
        assert job.drain() == 0
    said = said_in(job.log)
    probes = said["received"] - content["received"]  # each is one message, which is parked too
    more = {name: content[name] + probes for name in ("received", "rejected", "parked")}
    assert said == content | more
    assert "accounting mismatch" not in job.log


def test_an_overloaded_sink_differs_from_a_silent_one(
    rig: RabbitMQRig, elasticsearch_url: str, index: str, tmp_path: Path
) -> None:
    """It answers; its answer is shown at once among the numbers, and later as a cause."""
    events = Index(elasticsearch_url, index)
    busy = Page(429, "application/json", b'{"error":{"type":"busy","reason":"later"}}')
    with Firewall(elasticsearch_url, b"{", busy) as firewall:
        path = watched(tmp_path, rig, events, elasticsearch=firewall.url)
        with JobProcess(path) as job:
            wait_for(job, "/readyz", 200)
            publish(rig, 30)
            content = wait_for(job, "/health", 503, "the sink has stored nothing for")
            refused = {"answers": True, "refusal": "429 busy: later", "has_backlog": True}
            assert content["sink"] == refused
            assert causes(content).endswith("30 documents wait: 429 busy: later")

            firewall.text = b"nothing is refused any more"
            content = wait_for(job, "/health", 200)
            until(lambda: events.count() == 30)
            well = {"answers": True, "refusal": None, "has_backlog": False}
            until(lambda: ask(job, "/health")[1]["sink"] == well)
            assert job.drain() == 0


def test_a_permanent_refusal_is_named(
    rig: RabbitMQRig, elasticsearch_url: str, index: str, tmp_path: Path
) -> None:
    """As after a changed password; it is an error in the log."""
    events = Index(elasticsearch_url, index)
    said_in = b'{"error":{"type":"security_exception","reason":"wrong"},"status":401}'
    refused = Page(401, "application/json", said_in)
    with (
        Firewall(elasticsearch_url, b"nothing", refused) as firewall,
        JobProcess(watched(tmp_path, rig, events, elasticsearch=firewall.url)) as job,
    ):
        wait_for(job, "/readyz", 200)
        firewall.text = b""  # which is in each request
        publish(rig, 3)
        wait_for(job, "/health", 503, "3 documents wait: 401 security_exception: wrong")
        assert "ERROR hopper.elasticsearch" in job.log
        assert rig.parked() == []

        firewall.text = b"nothing"
        wait_for(job, "/health", 200)
        until(lambda: events.count() == 3)
        assert job.drain() == 0


def test_during_a_drain_the_job_is_not_ready_but_healthy(
    rig: RabbitMQRig, events: Index, forwarder: Forwarder, tmp_path: Path
) -> None:
    with JobProcess(watched(tmp_path, rig, events)) as job:
        wait_for(job, "/readyz", 200)
        forwarder.refuse(True)
        forwarder.cut()
        publish(rig, 30)
        until(lambda: ask(job, "/health")[1]["open"]["sink_documents"] == 30)

        job.process.send_signal(signal.SIGTERM)
        content = wait_for(job, "/readyz", 503, "draining: SIGTERM")
        forwarder.refuse(False)

        assert content["draining"] == "SIGTERM"
        assert job.process.wait(30) == 0
    assert events.numbers() == list(range(30))
    assert "accounting mismatch" not in job.log


def test_a_missing_process_of_the_cluster_is_named(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """No message flows, and the page says so, until the process starts."""
    publish(rig, 30)
    path = watched(tmp_path, rig, events)
    ports = free_ports(2)
    addresses = ";".join(f"127.0.0.1:{port}" for port in ports)
    with JobProcess(path, "-i", "0", "-a", addresses) as first:
        wait_for(
            first,
            "/readyz",
            503,
            f"the dataflow has not begun: the cluster waits for 127.0.0.1:{ports[1]}",
        )
        wait_for(first, "/health", 503, f"the cluster waits for 127.0.0.1:{ports[1]}")
        assert rig.left() == 30

        with JobProcess(path, "-i", "1", "-a", addresses) as second:
            wait_for(first, "/health", 200)
            wait_for(first, "/readyz", 200)
            until(lambda: events.count() == 30 and rig.left() == 0)
            assert first.drain() == 0
            assert second.process.wait(30) == 0


def test_a_closed_terminal_drains(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    """It sends SIGHUP: all work is finished, and the job ends."""
    publish(rig, 30)
    path = watched(tmp_path, rig, events, window="{count: 100, time: 20m}")
    ours, theirs = pty.openpty()
    with JobProcess(path, terminal=theirs) as job:
        os.close(theirs)
        job.wait_for_log("consuming", 60)
        until(lambda: ask(job, "/health")[1].get("open", {}).get("members") == 30)
        os.close(ours)
        assert job.process.wait(30) == 0
    assert "draining: SIGHUP" in job.log
    assert "drained: 30 received, 30 stored" in job.log
    assert events.numbers() == list(range(30))
    assert rig.left() == 0
