"""A running job changes its spec: each message is stored once, and a bad file changes nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.indices import Index
from tests.live.job import JobProcess, cluster
from tests.live.monitoring import ask, counted, wait_for, watched
from tests.live.pipeline import publish, spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = pytest.mark.live

RENEWED = "reload: starts anew"


@pytest.fixture
def events(elasticsearch_url: str, index: str) -> Index:
    return Index(elasticsearch_url, index)


def change(path: Path, old: str, new: str) -> None:
    """Replace the file at once, as an editor or a configuration tool does."""
    text = path.read_text()
    assert old in text
    other = path.with_suffix(".new")
    other.write_text(text.replace(old, new))
    other.rename(path)


def append(path: Path, line: str) -> Path:
    path.write_text(f"{path.read_text()}{line}\n")
    return path


def publish_one_key(rig: RabbitMQRig, numbers: range) -> None:
    for number in numbers:
        rig.publish(b'{"n":%d,"kind":"a"}' % number)


def reached(condition: Callable[[], Any]) -> Callable[[], Any]:
    """`condition`, or nothing while the port is closed."""

    def check() -> Any:
        try:
            return condition()
        except OSError:
            return None

    return check


def test_sighup_reloads_under_load(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    """Twice, within one process id; each message is stored once."""
    path = watched(tmp_path, rig, events, window="{count: 50, time: 300ms}")
    with JobProcess(path) as job:
        job.wait_for_log("consuming", 60)
        publish(rig, 300)
        for number in range(2):
            wanted = 600 * number + 100
            until(lambda wanted=wanted: events.count() >= wanted)  # type: ignore[misc]
            change(path, f"count: {50 + number}", f"count: {51 + number}")
            job.process.send_signal(signal.SIGHUP)
            publish(rig, 600, start=300 + 600 * number)
            job.wait_for_log(f"window: count {51 + number},", 60)
        until(lambda: events.count() == 1500 and rig.left() == 0, 60)
        assert counted(job, 'hopper_reloads_total{result="reloaded"}') == 2
        assert ask(job, "/health")[1]["reload"]["last"] == "reloaded"
        assert job.drain() == 0
    assert job.log.count(RENEWED) == 2
    assert events.numbers() == list(range(1500))
    assert rig.left() == 0


def test_a_bad_file_changes_nothing(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    path = append(watched(tmp_path, rig, events), "reload: true")
    with JobProcess(path) as job:
        job.wait_for_log("consuming", 60)
        wait_for(job, "/readyz", 200)
        change(path, "prefetch: 4000", "prefech: 4000")

        problem = "prefech: unknown key; did you mean `prefetch`?"
        job.wait_for_log("the changed file is not used, and the job goes on as before: ")
        assert problem in job.log
        until(lambda: problem in str(ask(job, "/health")[1]["warnings"]))
        assert ask(job, "/health")[0] == 200
        assert ask(job, "/health")[1]["reload"]["last"] == "refused"
        publish(rig, 100)
        until(lambda: events.count() == 100)

        change(path, "prefech: 4000", "prefetch: 3000")
        job.wait_for_log("draining: reload: the file has changed")
        job.wait_for_log(RENEWED, 60)
        until(
            reached(lambda: ask(job, "/health")[1].get("reload", {}).get("last") == "reloaded"), 60
        )
        assert counted(job, 'hopper_reloads_total{result="refused"}') == 1
        publish(rig, 100, start=100)
        until(lambda: events.count() == 200 and rig.left() == 0, 60)
        assert job.drain() == 0
    assert job.log.count(problem) == 1
    assert events.numbers() == list(range(200))


def test_a_link_to_another_file_is_a_change(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """As Kubernetes changes a ConfigMap: the folder behind a link is replaced."""
    content = append(spec(tmp_path, rig, events), "reload: true").read_text()
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "pipeline.yaml").write_text(
            content.replace("name: test", f"name: {folder}")
        )
    (tmp_path / "data").symlink_to("first")
    path = tmp_path / "linked.yaml"
    path.symlink_to("data/pipeline.yaml")
    with JobProcess(path) as job:
        job.wait_for_log("consuming", 60)
        assert "runs first of" in job.log
        (tmp_path / "new").symlink_to("second")
        (tmp_path / "new").rename(tmp_path / "data")
        job.wait_for_log("runs second of", 60)
        until(lambda: job.log.count("consuming") == 2, 60)
        assert job.drain() == 0


def test_a_reload_splits_no_group_that_a_stop_requeues(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """The messages of the open group are redelivered: one document counts all of them."""
    values = {"window": "{count: 40, time: 20m}", "on_stop": "requeue"}
    aggregate = "  by: kind\n  reduce: {total: {sum: n}}"
    path = watched(tmp_path, rig, events, aggregate=aggregate, **values)
    with JobProcess(path) as job:
        job.wait_for_log("consuming", 60)
        publish_one_key(rig, range(30))
        until(lambda: ask(job, "/health")[1].get("open", {}).get("members") == 30)
        job.process.send_signal(signal.SIGHUP)
        job.wait_for_log(RENEWED, 60)
        publish_one_key(rig, range(30, 40))
        until(lambda: events.count() == 1 and rig.left() == 0, 60)
        assert job.drain() == 0
    assert [document["_source"]["total"] for document in events.documents()] == [sum(range(40))]


def test_a_stop_during_a_reload_ends_the_job(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """SIGTERM takes the place of the reload; the drain goes on."""
    path = watched(tmp_path, rig, events)
    with JobProcess(path) as job:
        job.wait_for_log("consuming", 60)
        wait_for(job, "/readyz", 200)
        publish(rig, 500)
        job.process.send_signal(signal.SIGHUP)
        job.wait_for_log("draining: reload by SIGHUP")
        job.process.send_signal(signal.SIGTERM)
        assert job.process.wait(30) in (0, -signal.SIGTERM)
    with JobProcess(path) as job:
        job.wait_for_log("consuming", 60)
        until(lambda: events.count() == 500 and rig.left() == 0, 60)
        assert job.drain() == 0
    assert events.numbers() == list(range(500))


def test_the_processes_of_a_cluster_reload_together(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """One is asked; the other waits for its own file, which changes later."""
    paths = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        paths.append(spec(tmp_path / name, rig, events, consumers="4"))
    with cluster(*paths) as both:
        first, second = both
        until(lambda: any("consuming" in job.log for job in both), 60)
        publish(rig, 500)
        until(lambda: events.count() >= 200)
        change(paths[0], "count: 100", "count: 90")
        first.process.send_signal(signal.SIGHUP)
        first.wait_for_log(RENEWED, 60)
        second.wait_for_log("it has not changed yet as that of another process")
        change(paths[1], "count: 100", "count: 90")
        second.wait_for_log(RENEWED, 60)
        publish(rig, 500, start=500)
        until(lambda: events.count() == 1000 and rig.left() == 0, 60)
        assert all("window: count 90," in job.log for job in both)
        assert first.drain() == 0
        assert second.process.wait(30) == 0
    assert events.numbers() == list(range(1000))
