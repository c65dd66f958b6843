"""The job from end to end on real services: no message lost or stored twice, exact windows."""

from __future__ import annotations

import signal
from pathlib import Path

import pika
import pytest

from tests.live.indices import BulkCounter, Index
from tests.live.job import JobProcess, cluster
from tests.live.pipeline import publish, spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until
from tools.local.ports import free_ports

pytestmark = pytest.mark.live


def test_every_message_arrives_once_in_exact_windows(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """As Elasticsearch sees them: full ones by count, the last one when the job drains.

    A thousand documents with ids are more than 64 KiB, so no window shares a request.
    """
    publish(rig, 5050)

    with BulkCounter(events.url) as watcher:
        path = spec(tmp_path, rig, events, elasticsearch=watcher.url, window="{count: 1000}")
        with JobProcess(path) as job:
            until(lambda: events.count() == 5000 and rig.left() == 0)
            assert job.drain() == 0

    assert events.numbers() == list(range(5050))
    assert sorted(watcher.bulks) == [50] + [1000] * 5
    assert rig.left() == 0


def test_a_window_that_is_not_full_leaves_by_its_time(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    publish(rig, 50)
    with JobProcess(spec(tmp_path, rig, events, window="{count: 1000, time: 500ms}")) as job:
        until(lambda: events.count() == 50 and rig.left() == 0)
        assert job.drain() == 0
    assert events.numbers() == list(range(50))


def test_small_windows_share_a_request(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    """A request for every ten documents is expensive, so windows wait for others, not long."""
    publish(rig, 1000)

    with BulkCounter(events.url) as watcher:
        path = spec(
            tmp_path,
            rig,
            events,
            elasticsearch=watcher.url,
            window="{count: 10, time: 1s}",
        )
        with JobProcess(path) as job:
            until(lambda: events.count() == 1000)
            assert job.drain() == 0

    assert sum(watcher.bulks) == 1000
    assert len(watcher.bulks) < 50
    assert all(size % 10 == 0 for size in watcher.bulks), "a window was torn apart"


def test_one_poison_document_is_parked_and_the_others_are_stored(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """One among a thousand in the same request."""
    events.create({"n": {"type": "integer"}})
    publish(rig, 500)
    rig.publish(b'{"n":"many"}')
    publish(rig, 499, start=500)

    with JobProcess(spec(tmp_path, rig, events, window="{count: 1000, time: 2s}")) as job:
        until(lambda: events.count() == 999)
        [(body, properties)] = until(rig.parked_whole)
        assert job.drain() == 0

    assert events.numbers() == list(range(999))
    assert body == b'{"n":"many"}'
    assert properties.headers["x-hopper-reason"].startswith("document_parsing_exception")
    assert properties.headers["x-hopper-status"] == 400
    assert rig.left() == 0


def test_a_body_that_cannot_be_read_is_parked(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Without a request to Elasticsearch."""
    json = pika.BasicProperties(content_type="application/json")
    rig.publish(b'{"n":', properties=json)
    publish(rig, 1)

    with JobProcess(spec(tmp_path, rig, events)) as job:
        until(lambda: events.count() == 1)
        [(body, reason)] = until(rig.parked)
        assert job.drain() == 0

    assert body == b'{"n":'
    assert reason.startswith("unreadable: not a JSON object")


@pytest.mark.parametrize("arguments", [(), ("-w", "2")])
def test_a_kill_in_the_middle_loses_no_message(
    rig: RabbitMQRig, events: Index, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """And with ids no document is stored twice: redelivered messages overwrite their own."""
    publish(rig, 3000)
    path = spec(tmp_path, rig, events, prefetch="500")

    with JobProcess(path, *arguments) as job:
        until(lambda: events.count() >= 300)
        job.kill()
    publish(rig, 1000, start=3000)
    with JobProcess(path, *arguments) as job:
        until(lambda: events.count() == 4000)
        assert job.drain() == 0

    assert events.numbers() == list(range(4000))
    assert rig.left() == 0


def test_a_cut_connection_in_the_middle_loses_no_message(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Twice, while messages are open and being written.

    The cut may come after all is stored and before it is acknowledged: those messages are
    redelivered. A last message, behind them in the queue, shows that they were.
    """
    path = spec(tmp_path, rig, events, window="{count: 300, time: 300ms}", prefetch="700")
    with JobProcess(path) as job:
        for start in (0, 1500):
            publish(rig, 1500, start=start)
            until(lambda start=start: events.count() >= start + 300)  # type: ignore[misc]
            rig.cut()
        publish(rig, 1, start=3000)
        until(lambda: events.count() == 3001 and rig.left() == 0)
        assert job.drain() == 0

    assert events.numbers() == list(range(3001))
    assert rig.left() == 0


def test_a_drain_writes_open_windows_and_leaves_nothing_unacknowledged(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    publish(rig, 130)
    with JobProcess(spec(tmp_path, rig, events, window="{count: 100, time: 10m}")) as job:
        until(lambda: events.count() == 100 and rig.left() == 0)
        assert events.count() == 100

        assert job.drain() == 0

    assert events.count() == 130
    assert rig.left() == 0


def test_a_drain_requeues_open_messages_if_the_spec_says_so(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    publish(rig, 130)
    path = spec(tmp_path, rig, events, window="{count: 100, time: 10m}", on_stop="requeue")
    with JobProcess(path) as job:
        until(lambda: events.count() == 100 and rig.left() == 0)

        assert job.drain() == 0

    assert events.count() == 100
    assert rig.left() == 30


def test_ctrl_c_drains_too(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    publish(rig, 30)
    with JobProcess(spec(tmp_path, rig, events, window="{count: 100, time: 10m}")) as job:
        until(lambda: rig.left() == 0)

        job.process.send_signal(signal.SIGINT)

        assert job.process.wait(30) == 0
        assert "Traceback" not in job.log
    assert events.count() == 30


def test_a_drain_that_takes_too_long_is_logged(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Messages that are not stored by then stay with the broker; the exit code is 3."""
    publish(rig, 30)
    away = f"http://127.0.0.1:{free_ports(1)[0]}"
    path = spec(tmp_path, rig, events, elasticsearch=away, drain_timeout="1s")
    with JobProcess(path) as job:
        until(lambda: rig.left() == 0)

        assert job.drain() == 3
        assert "30 messages are left unacknowledged" in job.log
    until(lambda: rig.left() == 30)


def test_a_second_signal_ends_at_once(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    publish(rig, 30)
    away = f"http://127.0.0.1:{free_ports(1)[0]}"
    with JobProcess(spec(tmp_path, rig, events, elasticsearch=away)) as job:
        until(lambda: rig.left() == 0)
        job.process.send_signal(signal.SIGTERM)
        job.wait_for_log("draining")

        job.process.send_signal(signal.SIGTERM)

        assert job.process.wait(5) == 128 + signal.SIGTERM
    until(lambda: rig.left() == 30)


def test_two_processes_share_the_work_and_all_messages_are_settled(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """SIGTERM to one of them ends both."""
    path = spec(tmp_path, rig, events, prefetch="200")
    with cluster(path, path) as (first, second):
        for job in (first, second):
            job.wait_for_log("consuming")
        publish(rig, 3000)
        until(lambda: events.count() == 3000)
        assert first.drain() == 0
        assert second.process.wait(30) == 0

    assert events.numbers() == list(range(3000))
    assert rig.left() == 0


def test_a_killed_process_ends_the_others_and_no_message_is_lost(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """A supervisor then starts them all again."""
    path = spec(tmp_path, rig, events, prefetch="200")
    publish(rig, 3000)
    for attempt in ("killed", "again"):
        with cluster(path, path) as (first, second):
            for job in (first, second):
                job.wait_for_log("consuming")
            if attempt == "killed":
                until(lambda: events.count() >= 300)
                second.kill()
                assert first.process.wait(30) == 1
                assert "another process of the cluster has ended" in first.log
                for words in ("Traceback", "PanicException", "FATAL"):
                    assert words not in first.log
            else:
                until(lambda: events.count() == 3000)
                assert second.drain() == 0
                assert first.process.wait(30) == 0

    assert events.numbers() == list(range(3000))
    assert rig.left() == 0


def test_a_wrong_spec_is_reported_without_a_traceback(tmp_path: Path) -> None:
    """With exit code 2, and the place of the mistake."""
    path = tmp_path / "pipeline.yaml"
    path.write_text("version: 1\nname: x\nsauce: {}\n")

    with JobProcess(path) as job:
        assert job.process.wait(30) == 2
        assert f"{path}:3:1: " in job.log
        assert "Traceback" not in job.log


def test_a_broker_that_is_down_is_reported_without_a_traceback(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """With exit code 1, after five tries, with host, port and virtual host."""
    port = free_ports(1)[0]
    path = spec(tmp_path, rig, events, rabbitmq=f"amqp://guest:s3cret@127.0.0.1:{port}/")

    with JobProcess(path) as job:
        assert job.process.wait(30) == 1
        assert f'127.0.0.1:{port}, virtual host "/"' in job.log
        assert "s3cret" not in job.log
        assert "Traceback" not in job.log
