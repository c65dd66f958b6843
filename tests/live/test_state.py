"""Groups in the state from end to end: restarts and `kill -9` change and lose nothing."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

import pika
import pytest

from flows.state.inspect import inspect
from tests.flows.cli.command import hopper
from tests.live.indices import Index
from tests.live.job import JobProcess, cluster
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.live.state import kept
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


RENEWED = "reload: starts anew"


def publish(
    rig: RabbitMQRig,
    numbers: Iterable[int],
    *,
    end: bool = False,
    keys: int = 4,
    named: bool = False,
) -> None:
    """Publish numbered messages with some keys; `named`: each has an id, else half of them."""
    for n in numbers:
        name = f"m{n}" if named or n // 4 % 2 else None
        rig.publish(
            json.dumps({"key": n % keys, "n": n, "end": end}).encode(),
            properties=pika.BasicProperties(message_id=name, delivery_mode=2),
        )


def kept_spec(folder: Path, rig: RabbitMQRig, events: Index) -> Path:
    """Groups that wait for hours; the state is in `state` of the folder."""
    folder.mkdir(exist_ok=True)
    return spec(
        *(folder, rig, events),
        window="{last: message.end, time: 12h}",
        on_stop="keep",
        aggregate="  by: key\n  distinct: {by: n, for: 1h}\n"
        "  reduce: {numbers: {list: n}, total: {sum: n}}\n"
        f"state: {{path: {folder / 'state'}, commit: 200ms}}",
    )


def check_sums(events: Index, messages: int, completed_by: str, keys: int = 4) -> None:
    """Each message is in the one summary of its key."""
    found = {d["_source"]["key"]: d["_source"] for d in events.documents()}
    for key in range(keys):
        numbers = range(key, messages, keys)
        assert sorted(found[key]["numbers"]) == list(numbers)
        assert found[key]["total"] == sum(numbers)
        assert found[key]["completed_by"] == completed_by


def test_no_restart_changes_a_sum(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    """Groups that are open for hours hold no message: each is acknowledged in a second.

    Messages that are sent twice count once, and messages without an id are known by their number.
    """
    state = tmp_path / "state"
    path = kept_spec(tmp_path, rig, events)
    publish(rig, range(400))
    with JobProcess(path) as job:
        until(lambda: kept(state) == 400, timeout=60)
        with JobProcess(path) as second:
            assert second.process.wait(60) == 1
            assert "another process has this folder" in second.log
        job.kill()
    publish(rig, range(400, 2400))
    publish(rig, range(400))  # as before the crash
    with JobProcess(path) as job:
        until(lambda: kept(state) > 400, timeout=60)
        job.kill()  # in the middle of the messages, and of commits
    with JobProcess(path) as job:
        job.wait_for_log("consuming", 60)
        until(lambda: kept(state) == 2400 and rig.left() == 0, timeout=60)
        assert job.drain() == 0
    assert events.count() == 0
    assert rig.left() == 0

    publish(rig, range(2400, 2404), end=True)
    with JobProcess(path) as job:
        until(lambda: events.count() == 4, timeout=60)
        until(lambda: not kept(state))
        assert job.drain() == 0

    check_sums(events, 2404, "last")
    assert (rig.left(), rig.parked()) == (0, [])
    assert not any(shard.waiting for shard in inspect(state).shards)


def test_no_restart_loses_a_message_that_a_group_keeps(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Each is stored or dead-lettered as it was sent, hours after it was acknowledged."""
    state = tmp_path / "state"
    for name in ("keep", "park"):
        (tmp_path / name).mkdir()
    aggregate = f"  by: key\n  order: n\nstate: {{path: {state}, commit: 200ms}}"
    path, parking = (
        spec(
            *(tmp_path / on_stop, rig, events),
            window="{last: message.end, time: 12h}",
            on_stop=on_stop,
            aggregate=aggregate,
        )
        for on_stop in ("keep", "park")
    )
    events.create({"n": {"type": "integer"}})
    publish(rig, range(400), named=True)
    with JobProcess(path) as job:
        until(lambda: kept(state) > 0, timeout=60)
        job.kill()
    bad = pika.BasicProperties(correlation_id="c", headers={"from": "shop"}, expiration="3600000")
    rig.publish(b'{"key": 1, "n": "bad"}', properties=bad)
    rig.publish(b'{"key": 1, "n": 999}', b'{"key": "open"}')
    with JobProcess(path) as job:
        until(lambda: kept(state) == 403, timeout=60)
        assert job.drain() == 0  # messages without an id may count twice after a crash
    assert events.count() == 0

    publish(rig, range(400, 404), end=True, named=True)
    with JobProcess(path) as job:
        until(lambda: events.count() == 405 and kept(state) == 1, timeout=60)
        assert job.drain() == 0
    with JobProcess(parking) as job:
        job.wait_for_log("consuming", 60)
        assert job.drain() == 0

    documents = {document["_id"]: document["_source"]["n"] for document in events.documents()}
    token = json.loads((state / "state.json").read_text())["token"]
    [nameless] = [one for one in documents if not one.startswith("m")]
    assert nameless.startswith(f"{token}.")
    assert documents.pop(nameless) == 999
    assert documents == {f"m{n}": n for n in range(404)}
    parked = dict(rig.parked_whole())
    assert parked.keys() == {b'{"key": 1, "n": "bad"}', b'{"key": "open"}'}
    refused, left_open = parked[b'{"key": 1, "n": "bad"}'], parked[b'{"key": "open"}']
    headers = refused.headers
    assert (refused.correlation_id, headers["from"]) == ("c", "shop")
    assert (headers["x-hopper-status"], headers["x-hopper-queue"]) == (400, rig.queue)
    assert headers["x-hopper-expiration"] == "3600000"
    assert left_open.headers["x-hopper-reason"] == 'incomplete: stop, key "open"'
    assert (rig.left(), kept(state)) == (0, 0)
    assert not any(shard.waiting for shard in inspect(state).shards)


def test_no_restart_of_a_cluster_changes_a_sum(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Bytewax ends the other process of one that is killed; all find their shards again.

    On two machines the same path is another disk. A flush writes what they have kept for hours.
    """
    first, second = (kept_spec(tmp_path / name, rig, events) for name in ("first", "second"))
    ours, theirs = (path.parent / "state" for path in (first, second))
    publish(rig, range(120), keys=12)
    with cluster(first, second) as (one, other):
        until(lambda: kept(ours) + kept(theirs) == 120 and rig.left() == 0, timeout=60)
        other.kill()
        assert one.process.wait(60) == 1
        assert "another process of the cluster has ended" in one.log
    assert kept(ours)
    assert kept(theirs)

    theirs.rename(tmp_path / "away")
    publish(rig, range(120, 480), keys=12)
    until(lambda: rig.consumers() == 0)  # the broker has requeued what was not acknowledged yet
    waiting = rig.left()
    with cluster(first, second) as (one, other):
        assert [each.process.wait(60) for each in (one, other)] == [1, 1]
        assert f"{theirs} of process 1" in one.log + other.log
        assert "has lost its content" in one.log + other.log
        assert "Traceback" not in one.log + other.log
        assert "consuming" not in one.log + other.log
    assert rig.left() == waiting >= 360
    shutil.rmtree(theirs)
    (tmp_path / "away").rename(theirs)
    with cluster(first, second) as (one, other):
        until(lambda: kept(ours) + kept(theirs) > 120, timeout=60)
        one.kill()  # in the middle of the messages, and of commits
        assert other.process.wait(60) == 1

    for file in theirs.glob("*.sqlite*"):
        file.rename(ours / file.name)
    with cluster(first, first, options=("-w", "2")) as (one, other):
        for each in (one, other):  # the state may have all messages before they are connected
            each.wait_for_log("consuming", timeout=60)
        until(lambda: kept(ours) == 480 and rig.left() == 0, timeout=60)
        assert other.drain() == 0  # it acknowledges what is durable
        assert one.process.wait(60) == 0
    flushed = hopper("state", f"{first}", "--flush", "--yes")

    assert flushed.out.startswith("wrote 12 groups, 0 dead letters: ")
    check_sums(events, 480, "stop", keys=12)
    assert (rig.left(), rig.parked()) == (0, [])


def test_no_reload_of_a_cluster_changes_a_sum(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Both files are edited under load, twice; each process goes on with its shards."""
    first, second = (kept_spec(tmp_path / name, rig, events) for name in ("first", "second"))
    states = [path.parent / "state" for path in (first, second)]
    publish(rig, range(600), keys=12)
    with cluster(first, second) as both:
        for number, (old, new) in enumerate([("200ms", "100ms"), ("time: 12h", "time: 13h")]):
            until(lambda: sum(map(kept, states)) > 0, timeout=60)
            publish(rig, range(600 * (number + 1), 600 * (number + 2)), keys=12)
            for path in (first, second):
                path.write_text(path.read_text().replace(old, new))
            both[number].process.send_signal(signal.SIGHUP)
            for job in both:
                until(lambda job=job, n=number: job.log.count(RENEWED) > n, 60)  # type: ignore[misc]
        publish(rig, range(600), keys=12)  # as before: each number counts once
        until(lambda: sum(map(kept, states)) == 1800 and rig.left() == 0, timeout=60)
        publish(rig, range(1800, 1812), keys=12, end=True)
        until(lambda: events.count() == 12, timeout=60)
        until(lambda: not sum(map(kept, states)))
        assert both[0].drain() == 0
        assert both[1].process.wait(60) == 0

    assert all(job.log.count("time 13h") for job in both)
    check_sums(events, 1812, "last", keys=12)
    assert (rig.left(), rig.parked()) == (0, [])


STREAM = {"x-queue-type": "stream"}


def of_streams(folder: Path, rig: RabbitMQRig, events: Index, state: Path) -> Path:
    """A job that counts the messages of two streams."""
    path = folder / "streams.yaml"
    path.write_text(
        f"""
version: 1
name: test
source:
  rabbitmq:
    url: {rig.url}
    queue: "{rig.queue}-{{0..1}}"
    consume: {{arguments: {{x-stream-offset: first}}}}
aggregate:
  by: key
  window: {{last: message.end, time: 12h}}
  reduce: {{numbers: {{list: n}}, total: {{sum: n}}}}
sink: {{elasticsearch: {{url: "{events.url}", index: {events.name}}}}}
dead_letter: {{rabbitmq: {{routing_key: {rig.parking}}}}}
state: {{path: {state}, commit: 200ms}}
"""
    )
    return path


def publish_to_streams(
    rig: RabbitMQRig, streams: list[str], numbers: Iterable[int], *, end: bool = False
) -> None:
    """Publish numbered messages of four keys, without ids, to the streams in turn."""
    channel = rig.connection.channel()
    for n in numbers:
        body = json.dumps({"key": n % 4, "n": n, "end": end}).encode()
        channel.basic_publish("", streams[n % len(streams)], body)


def test_messages_of_streams_are_counted_once_without_ids(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """After `kill -9`, without their offset queues, and when one of them was made anew."""
    state, streams = tmp_path / "state", rig.more_queues(2, separator="-", **STREAM)
    path = of_streams(tmp_path, rig, events, state)
    publish_to_streams(rig, streams, range(4000))
    with JobProcess(path) as job:
        until(lambda: kept(state) > 0, timeout=120)
        job.kill()
    for stream in streams:
        rig.channel.queue_delete(f"{stream}.offset")
    publish_to_streams(rig, streams, range(4000, 5000))
    with JobProcess(path, "-w", "2") as job:
        until(lambda: kept(state) >= 5000, timeout=120)
        assert inspect(state).streams == dict.fromkeys(streams, 2499)
        assert job.drain() == 0

    rig.channel.queue_delete(streams[0])
    rig.channel.queue_delete(f"{streams[0]}.offset")
    rig.channel.queue_declare(streams[0], durable=True, arguments=STREAM)
    publish_to_streams(rig, streams[:1], range(5000, 5100))
    with JobProcess(path) as job:
        until(lambda: kept(state) >= 5100, timeout=120)
        assert f"{streams[0]}/000: another stream than before" in job.log
        publish_to_streams(rig, streams, range(5100, 5104), end=True)
        until(lambda: events.count() == 4, timeout=120)
        assert job.drain() == 0

    found = {d["_source"]["key"]: d["_source"] for d in events.documents()}
    for key in range(4):
        numbers = range(key, 5104, 4)
        assert sorted(found[key]["numbers"]) == list(numbers)
        assert found[key]["total"] == sum(numbers)
    assert rig.parked() == []
