"""Causes and repairs each kind of fault; each function returns when the fault is over.

A function returns how often the fault has really happened, or nothing for once: only that is
counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.aggregates import JobKind
from tests.chaos.disk import TRIED_AGAIN, disk_full, wait_for_commit
from tests.chaos.messages import DOOMED
from tests.chaos.neighbour import LARGE, MANY, overload
from tests.chaos.producer import Producer
from tests.chaos.schedule import ScheduledFault
from tests.chaos.settling import settle
from tests.chaos.shared import Jobs
from tests.chaos.world import CONSUMER_TIMEOUT, ChaosWorld
from tests.live.forwarder import Forwarder

STARTED_WITHIN = 45.0
"""Seconds for the job to start, to connect to a server that starts too, and to commit."""
EARLY = 0.2
"""The share of ends of the job that do not wait until it consumes."""
DELETIONS = 3
"""In a row."""
BETWEEN_DELETIONS = 1.0
"""Seconds in which the producer publishes."""
TIMEOUT_FACTOR = 2.5
"""A multiple of the consumer timeout: the job may have to start again in between."""
FAILING = "fails-now-and-then"
FAILING_PROCESSORS = [
    {
        "set": {
            "field": f"{DOOMED}.x",
            "value": 1,
            "on_failure": [{"fail": {"message": "a processor fails"}}],
        }
    },
    {"remove": {"field": DOOMED}},
]
"""Fails where the field exists and is no object."""
TIMED_OUT = "(PRECONDITION_FAILED|requeued all messages before)"
"""In the log of the job: either the broker or the job was first."""


class FaultTargets(NamedTuple):
    """The targets of faults."""

    world: ChaosWorld
    producer: Producer
    supervisor: Jobs
    aggregate: JobKind
    state: Path


def make(fault: ScheduledFault, targets: FaultTargets) -> int:
    """Cause the fault, and repair it; return how often it has happened."""
    times = _FAULTS[fault.kind](fault, targets)
    return 1 if times is None else int(times)


def _kill(fault: ScheduledFault, targets: FaultTargets) -> None:
    _await_start(fault, targets)
    targets.supervisor.kill(fault.draw)


def _terminate(fault: ScheduledFault, targets: FaultTargets) -> None:
    _await_start(fault, targets)
    targets.supervisor.terminate(fault.draw)


def _await_start(fault: ScheduledFault, targets: FaultTargets) -> None:
    """Let the job begin, mostly, if the pause was too short for it, as on a busy machine."""
    if fault.draw > EARLY and not targets.supervisor.consumes():
        _within(STARTED_WITHIN, targets.supervisor.consumes)
        time.sleep(fault.after)


def _restart_broker(_fault: ScheduledFault, targets: FaultTargets) -> None:
    targets.world.broker.restart()
    targets.world.look_often()


def _restart_store(_fault: ScheduledFault, targets: FaultTargets) -> None:
    targets.world.store.restart()


def _kill_store(_fault: ScheduledFault, targets: FaultTargets) -> None:
    targets.world.store.kill()
    targets.world.store.start()


def _cut(front: Forwarder, fault: ScheduledFault) -> bool:
    """One time in two, new connections fail too for a while."""
    happened = _once_connected(front.cut)
    if fault.draw < 0.5:
        front.refuse(True)
        front.cut()
        time.sleep(fault.lasts)
        front.refuse(False)
    return happened


def _slow(front: Forwarder, fault: ScheduledFault) -> None:
    front.slow(0.02 + 0.2 * fault.draw)
    time.sleep(fault.lasts)
    front.slow(0)


def _swallow(front: Forwarder, _fault: ScheduledFault) -> bool:
    return _once_connected(front.swallow)


def _once_connected(hit: Callable[[], int]) -> bool:
    """Hit all connections as soon as there is one: servers may be down."""
    return _within(STARTED_WITHIN, lambda: hit() > 0)


def _starve_broker(fault: ScheduledFault, targets: FaultTargets) -> None:
    """The broker accepts no messages, neither from the producer nor to be parked."""
    targets.world.broker.ctl("set_vm_memory_high_watermark", "0.00001")
    time.sleep(fault.lasts)
    targets.world.broker.ctl("set_vm_memory_high_watermark", "0.4")


def delete_queue(targets: FaultTargets, within: float) -> int:
    """Delete the queue whenever the job has settled all of its messages, within so many seconds.

    Return how often that was.
    """
    world = targets.world

    def delete(channel: Any) -> None:
        channel.queue_delete(world.queue)
        channel.queue_declare(world.queue, durable=True)

    for number in range(DELETIONS):
        with targets.producer.quiet():
            if settle(world, targets.supervisor, targets.aggregate, within):
                return number
            world.at_broker(delete)
        time.sleep(BETWEEN_DELETIONS)
    return DELETIONS


def _many_requests(fault: ScheduledFault, targets: FaultTargets) -> bool:
    targets.world.ask("GET", "/")
    return overload(targets.world.store.url, MANY, fault.lasts)[0] > 0


def _large_requests(fault: ScheduledFault, targets: FaultTargets) -> bool:
    targets.world.ask("GET", "/")
    return overload(targets.world.store.url, LARGE, fault.lasts)[1] > 0


def _block(setting: str, fault: ScheduledFault, targets: FaultTargets) -> None:
    world, path = targets.world, f"/{targets.world.index}/_settings"
    world.ask("PUT", path, {setting: True})
    time.sleep(fault.lasts)
    world.ask("PUT", path, {setting: None})


def _fail_processor(fault: ScheduledFault, targets: FaultTargets) -> bool:
    """An ingest processor fails for some documents, with status 500."""
    world, path = targets.world, f"/{targets.world.index}/_settings"
    world.ask("PUT", f"/_ingest/pipeline/{FAILING}", {"processors": FAILING_PROCESSORS})
    before = _failed(world)
    world.ask("PUT", path, {"index.default_pipeline": FAILING})
    time.sleep(fault.lasts)
    happened = _failed(world) != before
    world.ask("PUT", path, {"index.default_pipeline": None})
    return happened


def _failed(world: ChaosWorld) -> int:
    """Documents at which the processor has failed since Elasticsearch was started."""
    nodes = world.ask("GET", "/_nodes/stats/ingest")["nodes"].values()
    pipelines = [node["ingest"]["pipelines"] for node in nodes]
    return sum(each[FAILING]["failed"] for each in pipelines if FAILING in each)


def _send_large(_fault: ScheduledFault, targets: FaultTargets) -> None:
    targets.producer.send_large(3)


def _send_marked(_fault: ScheduledFault, targets: FaultTargets) -> None:
    targets.producer.send_marked(3)


def _exceed_consumer_timeout(_fault: ScheduledFault, targets: FaultTargets) -> bool:
    """Let nothing be acknowledged until the consumer timeout of the broker.

    Or until the job requeues before it, since it may know the timeout. If the job was killed
    meanwhile, no process was waiting.
    """
    supervisor = targets.supervisor
    before = supervisor.count_in_logs(TIMED_OUT)
    durable, front = targets.aggregate.durable, targets.world.store_front
    with disk_full(supervisor.pids) if durable else _away(front) as meanwhile:
        return _within(
            TIMEOUT_FACTOR * CONSUMER_TIMEOUT,
            lambda: supervisor.count_in_logs(TIMED_OUT) > before,
            meanwhile,
        )


@contextmanager
def _away(front: Forwarder) -> Iterator[Callable[[], object]]:
    """Within this block a server is unavailable; call the result to cut what is connected."""
    front.refuse(True)
    try:
        yield front.cut
    finally:
        front.refuse(False)


def _fill_disk(fault: ScheduledFault, targets: FaultTargets) -> bool:
    """The disk of the state refuses a commit, and each attempt until it has room again."""
    supervisor = targets.supervisor
    before = supervisor.count_in_logs(TRIED_AGAIN)
    with disk_full(supervisor.pids) as fill:
        happened = _within(
            STARTED_WITHIN, lambda: supervisor.count_in_logs(TRIED_AGAIN) > before, fill
        )
        time.sleep(fault.lasts)
    return happened


def _kill_in_commit(fault: ScheduledFault, targets: FaultTargets) -> bool:
    """Kill the job while it writes a commit."""
    if not wait_for_commit(targets.state, STARTED_WITHIN):
        return False
    targets.supervisor.kill(fault.draw)
    return True


def _within(
    seconds: float, happened: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None
) -> bool:
    """Wait until it has happened; return whether it has within so many seconds."""
    deadline = time.monotonic() + seconds
    while not happened():
        meanwhile()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


_FAULTS: dict[str, Callable[[ScheduledFault, FaultTargets], int | None]] = {
    "kill -9": _kill,
    "SIGTERM": _terminate,
    "broker restarted": _restart_broker,
    "broker connections cut": lambda fault, v: _cut(v.world.broker_front, fault),
    "broker connections slow": lambda fault, v: _slow(v.world.broker_front, fault),
    "broker connections half-open": lambda fault, v: _swallow(v.world.broker_front, fault),
    "broker short of memory": _starve_broker,
    "store restarted": _restart_store,
    "store kill -9": _kill_store,
    "store connections cut": lambda fault, v: _cut(v.world.store_front, fault),
    "store connections slow": lambda fault, v: _slow(v.world.store_front, fault),
    "store connections half-open": lambda fault, v: _swallow(v.world.store_front, fault),
    "429 for items": _many_requests,
    "429 for requests": _large_requests,
    "index closed for writing": lambda f, v: _block("index.blocks.write", f, v),
    "disk full": lambda f, v: _block("index.blocks.read_only_allow_delete", f, v),
    "larger than a request": _send_large,
    "processor fails": _fail_processor,
    "refused by a proxy": _send_marked,
    "consumer timeout": _exceed_consumer_timeout,
    "disk of the state full": _fill_disk,
    "kill -9 in a commit": _kill_in_commit,
}
