"""What limits a job, rule by rule: each situation has the signs of all later rules too."""

from __future__ import annotations

import pytest

from connectors.connector import Load
from connectors.message import SinkPace, SinkState
from flows.audit.limit import Situation, limit, most_limiting

MEMORY = 64 * 1024**2
FULL = Load(held=500, prefetch=500, is_full=True, bytes=1000, memory=MEMORY)
WAITING = Situation(waiting={"orders": 9})
PREFETCH = WAITING._replace(loads=[FULL], members=300, documents=200)
OUT_OF_MEMORY = PREFETCH._replace(loads=[FULL._replace(bytes=MEMORY - 1)])
BACKLOG = OUT_OF_MEMORY._replace(sink=SinkState(has_backlog=True), pace=SinkPace(8, 8, 1))
BUSY = BACKLOG._replace(cores=0.97)
REFUSED = BUSY._replace(sink=SinkState(refusal="429 es_rejected_execution_exception"))
SILENT = BUSY._replace(sink=SinkState(answers=False))
NOT_DURABLE = SILENT._replace(refused_commits="shard-0.sqlite: disk I/O error")
STOPPED = NOT_DURABLE._replace(stopped=["orders/000: too many messages are rejected"])
AWAY = STOPPED._replace(disconnected={"orders/000": "connection refused"})
PAUSED = AWAY._replace(paused=True)
DRAINING = PAUSED._replace(draining="SIGTERM")


@pytest.mark.parametrize(
    ("situation", "by", "why"),
    [
        (DRAINING, "drain", "the job drains: SIGTERM"),
        (PAUSED, "pause", "the job is paused: consumers receive nothing until hopper resume"),
        (AWAY, "broker", "orders/000 is not connected: connection refused"),
        (STOPPED, "reject_limit", "orders/000: too many messages are rejected"),
        (NOT_DURABLE, "state", "shard-0.sqlite: disk I/O error"),
        (SILENT, "sink", "the sink does not answer; 200 documents wait for it"),
        (REFUSED, "sink", "the sink refuses documents: 429 es_rejected_execution_exception"),
        (BUSY, "cpu", "the process takes 97% of a core: more processes share the work"),
        (BACKLOG, "sink", "8 of 8 requests are in flight, and 200 documents wait for an answer"),
        (
            OUT_OF_MEMORY,
            "memory",
            "64MiB of memory hold 500 messages: 300 in open groups, 200 documents at the sink",
        ),
        (
            PREFETCH,
            "prefetch",
            "500 messages are in flight, the prefetch is 500: 300 in open groups, 200 documents at "
            "the sink",
        ),
        (
            WAITING,
            "broker",
            "9 messages wait, and the consumers have room: the broker delivers no faster",
        ),
        (
            Situation(waiting={"orders": 0}),
            "nothing",
            "no message waits in the queue: the job keeps up with publishers",
        ),
    ],
)
def test_the_first_rule_that_holds_names_the_limit(situation: Situation, by: str, why: str) -> None:
    assert limit(situation) == (by, why)


def test_a_consumer_without_a_reason_is_named_all_the_same() -> None:
    away = Situation(disconnected={"orders/000": ""})

    assert limit(away).why == "orders/000 is not connected"


def test_consumers_with_room_do_not_limit_the_job() -> None:
    """Only those that are full count."""
    room = FULL._replace(is_full=False, bytes=MEMORY)

    assert limit(Situation(loads=[room, FULL], members=3, waiting={"q": 1})).by == "prefetch"
    assert limit(Situation(loads=[room, room], waiting={"q": 1})).by == "broker"


def test_the_worst_of_several_processes_limits_the_job() -> None:
    assert most_limiting(["nothing", "prefetch", "cpu"]) == "cpu"
    assert most_limiting(["nothing", "nothing"]) == "nothing"
