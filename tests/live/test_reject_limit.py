"""The limit on rejections stops a job whose mapping refuses everything, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pika
import pytest
import urllib3
from pika import frame
from pika import spec as amqp

from bench.fill import Publisher
from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.monitoring import counted, wait_for, watched
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

HTTP = urllib3.PoolManager()
README = "{count: 1000, time: 1s}"


def send(rig: RabbitMQRig, bodies: Sequence[bytes]) -> None:
    """Publish many JSON bodies together, each with an id."""
    method = frame.Method(1, amqp.Basic.Publish(routing_key=rig.queue)).marshal()
    frames = []
    for number, body in enumerate(bodies):
        properties = pika.BasicProperties(
            "application/json", delivery_mode=2, message_id=str(number)
        )
        header = frame.Header(1, len(body), properties).marshal()
        frames.append(method + header + frame.Body(1, body).marshal())
    with Publisher(rig.direct_url) as publisher:
        blocks = [b"".join(frames[at : at + 2000]) for at in range(0, len(frames), 2000)]
        publisher.publish(blocks, len(frames))


@pytest.fixture
def pipeline(events: Index) -> Iterator[str]:
    """An ingest pipeline that fails for documents with a text in `doomed`."""
    name = f"fails-{events.name}"
    path = f"{events.url}/_ingest/pipeline/{name}"
    fail = {"fail": {"message": "not for us"}}
    processors = [
        {"set": {"field": "doomed.x", "value": 1, "on_failure": [fail]}},
        {"remove": {"field": "doomed"}},
    ]
    assert HTTP.request("PUT", path, json={"processors": processors}).status == 200
    yield name
    assert HTTP.request("DELETE", path).status == 200


def test_every_seventh_body_unreadable_is_parked_and_the_others_are_stored(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """With the window of the README, and a backlog of 20,000."""
    send(rig, [b"no JSON" if n % 7 == 0 else b'{"n":%d}' % n for n in range(20_000)])
    bad = len(range(0, 20_000, 7))
    with JobProcess(spec(tmp_path, rig, events, window=README)) as job:
        until(lambda: events.total("n")[0] == 20_000 - bad, timeout=60)
        until(lambda: rig.left() == 0)
        assert job.drain() == 0

    assert rig.left_in(rig.parking) == bad
    assert "reads nothing" not in job.log
    assert job.log.count("a message is rejected and parked: unreadable: ") == 1
    assert f"parked: {bad - 1} times unreadable: " in job.log


def test_a_few_unreadable_bodies_in_a_long_window_are_parked(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Nothing is stored before the window completes."""
    send(
        rig,
        [b"no JSON" if n % 20 == 0 else b'{"k":%d,"n":%d}' % (n % 40, n) for n in range(10_400)],
    )
    path = spec(
        tmp_path,
        rig,
        events,
        window="{time: 5s}",
        prefetch="20000",
        aggregate="  by: k\n  reduce: {sum_n: {sum: n}, first_n: {first: n}}",
    )
    with JobProcess(path) as job:
        until(lambda: events.count() == 38 and rig.left() == 0)
        assert job.drain() == 0

    found = [document["_source"] for document in events.documents()]
    assert sum(summary["count"] for summary in found) == 10_400 - 520
    assert rig.left_in(rig.parking) == 520
    assert "reads nothing" not in job.log


def test_a_burst_of_late_messages_is_parked_and_the_last_window_is_written(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Rejections that the spec asks for are no sign of a wrong mapping."""
    timely = [b'{"k":"a","t":%d}' % (1000 + n // 100) for n in range(2900)]
    late = [b'{"k":"b","t":%d}' % (1 + n % 5) for n in range(600)]
    send(rig, [*timely[:2500], *late, *timely[2500:]])
    path = spec(
        tmp_path,
        rig,
        events,
        window="{tumbling: {every: 10s, event_time: t, lateness: 1s, idle_after: 1s, ahead: 1d}}",
        aggregate="  by: k\n  late: park\n  reduce: {last_t: {max: t}}",
    )
    with JobProcess(path) as job:
        until(lambda: events.count() == 3 and rig.left() == 0)
        until(lambda: rig.left_in(rig.parking) == 600)
        assert job.drain() == 0

    counts = [document["_source"]["count"] for document in events.documents()]
    assert sum(counts) == 2900
    assert "reads nothing" not in job.log
    assert job.log.count("a message is rejected and parked: late: ") == 1


def test_a_burst_of_unreadable_bodies_is_parked_and_the_good_ones_are_stored(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Longer than the limit; good messages read with it show that nothing else is wrong."""
    bad = range(1000, 1700)
    send(rig, [b"no JSON" if n in bad else b'{"n":%d}' % n for n in range(6000)])
    with JobProcess(spec(tmp_path, rig, events, window=README)) as job:
        until(lambda: events.total("n")[0] == 6000 - len(bad), timeout=60)
        until(lambda: rig.left() == 0 and rig.left_in(rig.parking) == len(bad))
        assert job.drain() == 0

    assert "reads nothing" not in job.log


def test_a_document_at_which_an_ingest_processor_fails_is_parked_at_once(
    rig: RabbitMQRig, events: Index, tmp_path: Path, pipeline: str
) -> None:
    """With status 500, for 2.6 % of 20,000; each document is sent once, not twelve times."""
    doomed = range(0, 20_000, 38)
    send(rig, [b'{"n":%d%s}' % (n, b',"doomed":"x"' * (n % 38 == 0)) for n in range(20_000)])
    path = spec(tmp_path, rig, events, window=README)
    path.write_text(path.read_text().replace("action: index", f"pipeline: {pipeline}"))
    with JobProcess(path) as job:
        until(lambda: events.total("n")[0] == 20_000 - len(doomed), timeout=60)
        until(lambda: rig.left() == 0 and rig.left_in(rig.parking) == len(doomed))
        assert job.drain() == 0

    for _, properties in rig.parked_whole():
        assert properties.headers["x-hopper-reason"] == "fail_processor_exception: not for us"
        assert properties.headers["x-hopper-attempts"] == 1
    assert "reads nothing" not in job.log


def test_a_mapping_that_refuses_everything_stops_the_job_until_it_is_corrected(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """A few hundred are parked, then one for each probe; the consumer continues by itself."""
    events.create({"n": {"type": "boolean"}})
    send(rig, [b'{"n":%d}' % n for n in range(20_000)])
    with JobProcess(watched(tmp_path, rig, events, window=README)) as job:
        wait_for(job, "/health", 503, "for example: document_parsing_exception: ")
        job.wait_for_log("the probe is rejected too")
        assert re.search(r"field \[n\] of type \[boolean\].*_id [0-9]+, message_id", job.log)
        assert HTTP.request("DELETE", f"{events.url}/{events.name}").status == 200

        job.wait_for_log("the probe is stored")
        wait_for(job, "/health", 200)
        until(lambda: rig.left() == 0, timeout=60)
        until(lambda: counted(job, "hopper_unacknowledged") == 0)
        assert job.drain() == 0
    parked = rig.left_in(rig.parking)
    assert 500 < parked < 520
    assert events.total("n")[0] == 20_000 - parked


def test_a_probe_of_a_window_by_count_alone_takes_several_messages(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    events.create({"n": {"type": "boolean"}})
    send(rig, [b'{"n":%d}' % n for n in range(1200)])
    with JobProcess(spec(tmp_path, rig, events, window="{count: 10}")) as job:
        job.wait_for_log("reads nothing for 1 s")
        assert HTTP.request("DELETE", f"{events.url}/{events.name}").status == 200
        job.wait_for_log("the probe is stored", timeout=60)
        # All are stored but those that were parked, and those of the last, incomplete window.
        until(lambda: events.total("n")[0] + rig.left_in(rig.parking) > 1190)
        # Requests may be answered out of order, so the last 200 may be among the parked ones.
        assert 500 <= rig.left_in(rig.parking) <= 700
        assert job.drain() == 0


def test_a_slow_stream_of_which_nothing_is_stored_stops_the_consumer(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Twenty messages are enough, over any time."""
    events.create({"n": {"type": "boolean"}})
    with JobProcess(watched(tmp_path, rig, events, window="{count: 1, time: 1s}")) as job:
        wait_for(job, "/readyz", 200)
        send(rig, [b'{"n":%d}' % n for n in range(20)])
        content = wait_for(job, "/health", 503, "too many messages are rejected")

        assert "document_parsing_exception" in json.dumps(content)
        assert rig.left_in(rig.parking) == 20
        assert job.drain() == 0


def test_groups_of_a_state_stay_there_until_the_mapping_is_corrected(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """Their messages are acknowledged, and no more than the limit are dead letters."""
    events.create({"total": {"type": "boolean"}})
    send(rig, [b'{"k":%d,"n":%d}' % (n % 50, n) for n in range(4000)])
    aggregate = f"  by: k\n  reduce: {{total: {{sum: n}}}}\nstate: {{path: {tmp_path / 'state'}}}"
    values = {"window": "{count: 1}", "on_stop": "keep", "aggregate": aggregate}
    with JobProcess(watched(tmp_path, rig, events, **values)) as job:
        wait_for(job, "/health", 503, "too many groups are refused, for example: document_parsing_")
        until(lambda: rig.left() == 0, timeout=60)
        job.wait_for_log("sent again and refused again")
        assert HTTP.request("DELETE", f"{events.url}/{events.name}").status == 200
        job.wait_for_log("sends all refused groups of the state again", timeout=60)
        wait_for(job, "/health", 200)
        until(lambda: events.total("total")[0] + rig.left_in(rig.parking) == 4000, timeout=60)
        assert job.drain() == 0

    parked = rig.parked()
    assert len(parked) == 500
    numbers = range(4000)
    lost = sum(json.loads(summary)["total"] for summary, _ in parked)
    assert events.total("total")[1] == sum(numbers) - lost
