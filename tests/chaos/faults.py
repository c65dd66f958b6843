"""How each kind of fault is made, and repaired again; each function returns when it is over.

They return how often it has really happened, once if they return nothing: only that is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.chaos.aggregates import JobKind
from tests.chaos.messages import DOOMED
from tests.chaos.neighbour import LARGE, MANY, overload
from tests.chaos.producer import Producer
from tests.chaos.schedule import ScheduledFault
from tests.chaos.settling import settle
from tests.chaos.shared import Jobs
from tests.chaos.world import CONSUMER_TIMEOUT, ChaosWorld
from tests.live.forwarder import Forwarder

EMPTY_WITHIN = 30.0
"""Seconds for the job to settle all of a queue that is to be deleted."""
CONNECTED_WITHIN = 20.0
"""Seconds for the job to have a connection, again, with a server that just starts."""
DELETIONS = 3
"""In a row: it takes long until a queue is empty for the first time."""
BETWEEN_DELETIONS = 1.0
"""Seconds in which something is published."""
OUTWAIT = 2.5
"""Times the broker's patience: the job may have to begin anew in between."""
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
"""Fails where the field is there, and no object."""
TIMED_OUT = "(PRECONDITION_FAILED|requeued all messages before)"
"""In the log of the job, by whichever of the two was first."""


class Victims(NamedTuple):
    """Whom it may hit."""

    world: ChaosWorld
    producer: Producer
    supervisor: Jobs
    aggregate: JobKind


def make(fault: ScheduledFault, victims: Victims) -> int:
    """Let it happen, and repair it; return how often it has happened."""
    times = _FAULTS[fault.kind](fault, victims)
    return 1 if times is None else int(times)


def _kill(fault: ScheduledFault, victims: Victims) -> None:
    victims.supervisor.kill(fault.draw)


def _terminate(fault: ScheduledFault, victims: Victims) -> None:
    victims.supervisor.terminate(fault.draw)


def _restart_broker(_fault: ScheduledFault, victims: Victims) -> None:
    victims.world.broker.restart()
    victims.world.look_often()


def _restart_store(_fault: ScheduledFault, victims: Victims) -> None:
    victims.world.store.restart()


def _kill_store(_fault: ScheduledFault, victims: Victims) -> None:
    victims.world.store.kill()
    victims.world.store.start()


def _cut(front: Forwarder, fault: ScheduledFault) -> bool:
    """One time in two, new connections fail too, for a while."""
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
    """Hit all connections, as soon as there is one: servers may be away."""
    deadline = time.monotonic() + CONNECTED_WITHIN
    while not hit():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _starve_broker(fault: ScheduledFault, victims: Victims) -> None:
    """It takes no messages, neither from the producer nor to be parked."""
    victims.world.broker.ctl("set_vm_memory_high_watermark", "0.00001")
    time.sleep(fault.lasts)
    victims.world.broker.ctl("set_vm_memory_high_watermark", "0.4")


def _delete_queue(_fault: ScheduledFault, victims: Victims) -> int:
    """When there is nothing in it: what there is would be lost by the operator's own hand."""
    world = victims.world

    def delete(channel: Any) -> None:
        channel.queue_delete(world.queue)
        channel.queue_declare(world.queue, durable=True)

    for number in range(DELETIONS):
        with victims.producer.quiet():
            if settle(world, victims.supervisor, victims.aggregate, EMPTY_WITHIN):
                return number
            world.at_broker(delete)
        time.sleep(BETWEEN_DELETIONS)
    return DELETIONS


def _many_requests(fault: ScheduledFault, victims: Victims) -> bool:
    victims.world.ask("GET", "/")
    return overload(victims.world.store.url, MANY, fault.lasts)[0] > 0


def _large_requests(fault: ScheduledFault, victims: Victims) -> bool:
    victims.world.ask("GET", "/")
    return overload(victims.world.store.url, LARGE, fault.lasts)[1] > 0


def _block(setting: str, fault: ScheduledFault, victims: Victims) -> None:
    world, path = victims.world, f"/{victims.world.index}/_settings"
    world.ask("PUT", path, {setting: True})
    time.sleep(fault.lasts)
    world.ask("PUT", path, {setting: None})


def _fail_processor(fault: ScheduledFault, victims: Victims) -> bool:
    """An ingest processor fails for some documents, with status 500."""
    world, path = victims.world, f"/{victims.world.index}/_settings"
    world.ask("PUT", f"/_ingest/pipeline/{FAILING}", {"processors": FAILING_PROCESSORS})
    before = _failed(world)
    world.ask("PUT", path, {"index.default_pipeline": FAILING})
    time.sleep(fault.lasts)
    happened = _failed(world) != before
    world.ask("PUT", path, {"index.default_pipeline": None})
    return happened


def _failed(world: ChaosWorld) -> int:
    """Documents at which the processor has failed, since the store was started."""
    nodes = world.ask("GET", "/_nodes/stats/ingest")["nodes"].values()
    pipelines = [node["ingest"]["pipelines"] for node in nodes]
    return sum(each[FAILING]["failed"] for each in pipelines if FAILING in each)


def _send_large(_fault: ScheduledFault, victims: Victims) -> None:
    victims.producer.send_large(3)


def _send_marked(_fault: ScheduledFault, victims: Victims) -> None:
    victims.producer.send_marked(3)


def _outwait(_fault: ScheduledFault, victims: Victims) -> bool:
    """The store is away until the broker has lost its patience with who does not acknowledge.

    Or the job, since it knows the broker. When it was killed meanwhile, there was no process to
    wait for.
    """
    front, before = victims.world.store_front, victims.supervisor.said(TIMED_OUT)
    front.refuse(True)
    deadline = time.monotonic() + OUTWAIT * CONSUMER_TIMEOUT
    while not (happened := victims.supervisor.said(TIMED_OUT) > before):
        front.cut()
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    front.refuse(False)
    return happened


_FAULTS: dict[str, Callable[[ScheduledFault, Victims], int | None]] = {
    "kill -9": _kill,
    "SIGTERM": _terminate,
    "broker restarted": _restart_broker,
    "broker connections cut": lambda fault, v: _cut(v.world.broker_front, fault),
    "broker connections slow": lambda fault, v: _slow(v.world.broker_front, fault),
    "broker connections half-open": lambda fault, v: _swallow(v.world.broker_front, fault),
    "broker short of memory": _starve_broker,
    "queue deleted": _delete_queue,
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
    "consumer timeout": _outwait,
}
