"""The answers of `/livez`, `/readyz` and `/health`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.memory import source as memory_source
from connectors.memory.spec import MemorySource
from connectors.message import (
    Arrived,
    Lost,
    Message,
    Opened,
    Origin,
    Outcomes,
    Rejected,
    Rejection,
    SinkState,
)
from flows.audit import symptoms
from flows.audit.backpressure import Blocked, HeldBy
from flows.audit.counters import ConsumerAccount
from flows.audit.health import Health
from flows.audit.reconcile import Accounts
from flows.audit.symptoms import timestamp
from flows.values.stop import Stop
from tests.documents import ROOT
from tests.flows.settling import SettlingStub

ORIGIN = Origin("q/0", 1)
NOON = 1796040000.0
"""2026-11-30, 12:00 UTC."""


class StoppedSource(memory_source.MemoryQueueSource):
    """A source whose consumers may stop."""

    def __init__(self) -> None:
        super().__init__(MemorySource(name=("health",)), workers=1)
        self.reasons: list[str] = []
        self.causes: dict[str, str] = {}

    def stopped_because(self) -> list[str]:
        return self.reasons

    def other_consumers(self) -> dict[str, int]:
        return {}

    def disconnected_because(self) -> dict[str, str]:
        return self.causes


class WatchedJob:
    """A process that is checked each second."""

    def __init__(self, *, alone: bool = True) -> None:
        self.accounts = Accounts(alone=alone)
        self.stop, self.source = Stop(), StoppedSource()
        self.sink_state = SinkState()
        self.missing: list[str] = []
        self.blocked: list[Blocked] = []
        self.health = Health(
            "orders",
            self.accounts,
            self.source,
            self.stop,
            patience=30,
            sink=lambda: self.sink_state,
            blocked=self._blocked,
            missing=lambda: self.missing,
            state=lambda: self.refused_commits,
        )
        self.refused_commits: list[str] = []
        self.sink = self.accounts.of_sink()
        self.now = 0.0
        self.runs = True
        self.logged: list[str] = []

    def _blocked(self, now: float) -> list[Blocked]:
        """The blocked consumers, each for so long."""
        return [one._replace(seconds=one.seconds + now) for one in self.blocked]

    def open(self) -> ConsumerAccount:
        return self.accounts.open("q/0", SettlingStub())

    def connect(self) -> None:
        self.open().take([Opened(ORIGIN)])

    def submit(self, count: int) -> None:
        self.accounts.of_consumer("q/0").sent += count
        self.sink.note(entered=count, open=self.sink.counts.open + count)

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            if self.runs:
                for consumer in self.accounts.consumers.values():
                    consumer.take([])
            self.logged += self.health.check(self.now, NOON + self.now)

    def reasons(self) -> list[str]:
        healthy, page = self.health.health()
        assert healthy == page["healthy"] == (not page["reasons"])
        return causes(page["reasons"])

    def unready(self) -> list[str]:
        healthy, page = self.health.ready()
        assert healthy == page["ready"] == (not page["reasons"])
        return causes(page["reasons"])

    def warnings(self) -> list[str]:
        return causes(self.health.health()[1]["warnings"])


def causes(symptoms: list[dict[str, Any]]) -> list[str]:
    return [symptom["cause"] for symptom in symptoms]


def test_a_job_is_not_ready_before_its_consumers_are() -> None:
    watched = WatchedJob()
    watched.pass_time(1)
    assert watched.unready() == ["no consumer has started"]
    watched.open()
    watched.pass_time(1)
    assert watched.unready() == ["q/0 is not connected"]

    watched.connect()
    watched.pass_time(1)

    assert watched.unready() == []
    assert watched.reasons() == []


def test_a_lost_connection_is_tolerated_for_a_while() -> None:
    """But meanwhile the job is not ready."""
    watched = WatchedJob()
    watched.connect()
    watched.pass_time(100)
    watched.accounts.of_consumer("q/0").take([Lost(ORIGIN)])

    watched.pass_time(30)
    assert watched.reasons() == []
    assert watched.unready() == ["q/0 is not connected"]
    watched.pass_time(1)

    assert watched.reasons() == ["q/0 has not been connected for 30 s"]
    watched.connect()
    watched.pass_time(1)
    assert watched.reasons() == watched.unready() == []


def test_a_sink_that_does_not_answer_is_a_warning_while_no_document_waits() -> None:
    """The address may be wrong; but there is nothing that is not stored."""
    watched = WatchedJob()
    watched.connect()
    watched.sink_state = SinkState(False, "refused")
    watched.pass_time(30)
    assert watched.warnings() == []
    watched.pass_time(1)
    assert watched.warnings() == ["the sink has not answered for 30 s, no document waits: refused"]
    assert watched.reasons() == watched.unready() == []

    watched.sink_state = SinkState()
    watched.pass_time(1)
    assert watched.warnings() == []


def test_a_sink_that_does_not_answer_is_tolerated_for_a_while() -> None:
    """More documents are no answer; a sink without documents is healthy."""
    watched = WatchedJob()
    watched.connect()
    watched.pass_time(100)
    watched.submit(5)
    watched.pass_time(20)
    watched.submit(5)
    watched.pass_time(10)
    assert watched.reasons() == []

    watched.pass_time(1)
    assert watched.reasons() == ["the sink has not answered for 30 s, 10 documents wait"]

    watched.sink.note(left=1, open=9)
    watched.accounts.of_consumer("q/0").answered += 1
    watched.pass_time(1)
    assert watched.reasons() == []


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (SinkState(True, "429 busy"), "stored nothing for 30 s, 5 documents wait: 429 busy"),
        (SinkState(True, "401 wrong"), "stored nothing for 30 s, 5 documents wait: 401 wrong"),
        (SinkState(False, "reset"), "not answered for 30 s, 5 documents wait: reset"),
    ],
)
def test_a_refusing_sink_differs_from_a_silent_one(state: SinkState, cause: str) -> None:
    """Its refusal is shown at once among the numbers, and later as a cause."""
    watched = WatchedJob()
    watched.connect()
    watched.submit(5)
    watched.sink_state = state
    watched.pass_time(1)
    assert watched.reasons() == []
    assert watched.health.health()[1]["sink"] == state._asdict()

    watched.pass_time(30)

    assert watched.reasons() == [f"the sink has {cause}"]


def test_a_dataflow_that_hangs_is_reported() -> None:
    """A drain may hang: it waits for the sink's last answers, and ends by itself."""
    watched = WatchedJob()
    watched.connect()
    watched.pass_time(10)
    watched.runs = False
    watched.pass_time(31)
    assert watched.reasons() == ["the dataflow has not polled q/0 for 31 s"]

    watched.stop.request("SIGTERM")
    watched.pass_time(1)

    assert watched.reasons() == []
    assert watched.unready() == ["draining: SIGTERM"]


def test_a_stopped_consumer_is_unhealthy_at_once() -> None:
    watched = WatchedJob()
    watched.connect()
    watched.source.reasons = ["q/0: too many messages are rejected"]
    watched.pass_time(1)

    assert watched.reasons() == watched.unready() == ["q/0: too many messages are rejected"]


def test_an_accounting_mismatch_is_reported_and_logged_once() -> None:
    watched = WatchedJob()
    watched.connect()
    watched.sink.note(entered=5, open=4)
    watched.pass_time(10)

    [reason] = watched.reasons()
    assert reason.startswith(
        "message accounting mismatch: sink of a shard: of 5 messages that entered, 0"
    )
    assert len(watched.logged) == 1


def test_the_numbers_have_the_names_of_the_metrics() -> None:
    watched = WatchedJob()
    watched.accounts.of_groups().note(entered=3, open=3, groups=2)
    watched.connect()

    _, page = watched.health.health()

    assert page["connected"] == {"q/0": True}
    assert page["job"] == "orders"
    assert page["draining"] is None
    assert page["messages"]["unacknowledged"] == 0
    assert page["open"] == {"groups": 2, "members": 3, "sink_documents": 0}


def test_the_last_error_of_the_broker_is_shown() -> None:
    """At once in `/readyz`, and in `/health` when it lasts."""
    watched = WatchedJob()
    watched.open()
    watched.source.causes = {"q/0": "broker:5672: ACCESS_REFUSED (403)"}

    watched.pass_time(31)

    assert watched.unready()[1:] == ["q/0 is not connected: broker:5672: ACCESS_REFUSED (403)"]
    assert watched.reasons() == [
        "q/0 has not been connected for 30 s: broker:5672: ACCESS_REFUSED (403)"
    ]


def test_an_incomplete_cluster_is_tolerated_for_a_while() -> None:
    """It is not ready, and names the missing processes; later it is not healthy."""
    watched = WatchedJob(alone=False)
    watched.missing = ["b:2101", "c:2101"]

    watched.pass_time(30)
    assert watched.reasons() == []
    assert watched.unready() == ["the dataflow has not begun: the cluster waits for b:2101, c:2101"]
    watched.pass_time(1)

    assert watched.reasons() == [
        "the dataflow has not begun for 30 s: the cluster waits for b:2101, c:2101"
    ]
    watched.stop.begun = True
    watched.connect()
    watched.pass_time(1)
    assert watched.reasons() == watched.unready() == []


def test_a_warning_changes_no_status() -> None:
    watched = WatchedJob()
    watched.connect()
    watched.health.warn_of_sharing(lambda: ["two jobs share the queue"])
    watched.health.warn_of_sharing(list)
    watched.pass_time(1)

    assert watched.health.health()[0]
    assert watched.warnings() == ["two jobs share the queue"]
    assert watched.unready() == []


def blocked(held_by: HeldBy, seconds: float, *, is_stuck: bool = False) -> Blocked:
    return Blocked("q/0", seconds, 200, 200, 1024, 2048, held_by, is_stuck, "raise prefetch")


@pytest.mark.parametrize(("held_by", "is_stuck"), [("open_groups", True), ("dead_letter", False)])
def test_a_stuck_consumer_is_a_warning_at_once_and_unhealthy_after_a_while(
    held_by: HeldBy, is_stuck: bool
) -> None:
    """And it is healthy again as soon as a message arrives."""
    watched = WatchedJob()
    watched.connect()
    watched.blocked = [blocked(held_by, 0.0, is_stuck=is_stuck)]
    watched.pass_time(29)
    assert watched.reasons() == []
    [warning] = watched.warnings()
    assert warning.startswith("q/0 has been full for 29 s: ")

    watched.pass_time(1)
    [reason] = watched.reasons()
    assert reason.startswith("q/0 has been full for 30 s: it holds 200 messages, its prefetch is ")
    assert reason.endswith("; raise prefetch")
    assert watched.warnings() == []
    watched.blocked = []
    watched.pass_time(1)

    assert watched.reasons() == watched.warnings() == []


@pytest.mark.parametrize("held_by", ["open_groups", "sink"])
def test_a_consumer_that_waits_for_the_clock_or_the_sink_stays_healthy(held_by: HeldBy) -> None:
    watched = WatchedJob()
    watched.connect()
    watched.blocked = [blocked(held_by, 0.0)]
    watched.pass_time(100)

    assert watched.reasons() == []


def test_a_drain_waits_for_no_message() -> None:
    watched = WatchedJob()
    watched.connect()
    watched.blocked = [blocked("open_groups", 0.0, is_stuck=True)]
    watched.stop.request("SIGTERM")
    watched.pass_time(100)

    assert watched.reasons() == []


def test_a_reason_says_since_when_what_it_means_and_what_helps() -> None:
    watched = WatchedJob()
    watched.connect()
    watched.pass_time(10)
    watched.accounts.of_consumer("q/0").take([Lost(ORIGIN)])
    watched.pass_time(40)

    [reason] = watched.health.health()[1]["reasons"]

    assert reason == {
        "kind": "broker_not_connected",
        "cause": "q/0 has not been connected for 39 s",
        "since": "2026-11-30T12:00:11Z",
        "data": symptoms.NOT_CONNECTED.data,
        "remedy": symptoms.NOT_CONNECTED.remedy,
        "runbook": "docs/operations.md#the-broker-is-away",
    }


def test_only_a_dataflow_that_stands_still_asks_for_a_restart() -> None:
    watched = WatchedJob()
    watched.connect()
    watched.submit(5)
    watched.pass_time(100)
    assert watched.reasons() != []
    assert watched.health.live() == (True, {"live": True, "reasons": []})

    watched.runs = False
    watched.pass_time(31)

    is_live, page = watched.health.live()
    assert not is_live
    assert causes(page["reasons"]) == ["the dataflow has not polled q/0 for 31 s"]


def test_the_last_error_of_each_side_stays_after_it_is_over() -> None:
    watched = WatchedJob()
    watched.connect()
    watched.pass_time(1)
    assert watched.health.health()[1]["last_errors"] == {}
    watched.source.causes = {"q/0": "broker:5672: CONNECTION_FORCED (320)"}
    watched.sink_state = SinkState(True, "429 busy")
    watched.pass_time(1)
    watched.source.causes, watched.sink_state = {}, SinkState()
    watched.pass_time(60)

    assert watched.health.health()[1]["last_errors"] == {
        "broker": {"error": "broker:5672: CONNECTION_FORCED (320)", "at": "2026-11-30T12:00:02Z"},
        "sink": {"error": "429 busy", "at": "2026-11-30T12:00:02Z"},
    }


def test_the_share_of_rejections_is_that_of_the_last_minute() -> None:
    watched = WatchedJob()
    watched.connect()
    account = watched.accounts.of_consumer("q/0")
    watched.pass_time(1)
    assert watched.health.health()[1]["rejected_share"] is None
    messages = [Message(tag, False, b"", b"", b"{}") for tag in range(1, 5)]
    account.take([Arrived(ORIGIN, messages)])
    rejected = Rejected(messages[0], Rejection("late: too late"))
    account.settle(Outcomes(ORIGIN, [2, 3, 4], [rejected]))
    watched.pass_time(1)
    assert watched.health.health()[1]["rejected_share"] == 0.25

    watched.pass_time(60)

    assert watched.health.health()[1]["rejected_share"] is None


def test_each_kind_of_finding_has_a_runbook() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert {kind.runbook for kind in symptoms.KINDS} <= anchors


def test_a_paused_job_is_healthy_and_not_ready() -> None:
    watched = WatchedJob()
    watched.connect()
    watched.blocked = [blocked("open_groups", 0.0, is_stuck=True)]
    watched.stop.paused = True
    watched.pass_time(100)

    assert watched.reasons() == []
    assert watched.warnings() == watched.unready() == ["paused: consumers receive nothing"]
    assert watched.health.health()[1]["paused"]


@pytest.mark.parametrize(
    ("state", "kind", "runbook"),
    [
        (SinkState(False, "refused"), "sink_silent", "elasticsearch-does-not-answer"),
        (SinkState(True, "429 busy"), "sink_refuses", "elasticsearch-is-overloaded"),
        (
            SinkState(True, "401 security_exception: wrong password"),
            "sink_refuses_login",
            "a-password-is-refused-after-its-rotation",
        ),
        (
            SinkState(True, "403 security_exception: not authorized"),
            "sink_refuses_login",
            "a-password-is-refused-after-its-rotation",
        ),
        (
            SinkState(
                True, "429 cluster_block_exception: disk usage exceeded flood-stage watermark"
            ),
            "sink_is_full",
            "the-disk-of-elasticsearch-is-full",
        ),
    ],
)
def test_the_state_of_a_sink_names_the_runbook_that_helps(
    state: SinkState, kind: str, runbook: str
) -> None:
    watched = WatchedJob()
    watched.connect()
    watched.submit(5)
    watched.sink_state = state
    watched.pass_time(31)

    [reason] = watched.health.health()[1]["reasons"]

    assert (reason["kind"], reason["runbook"]) == (kind, f"docs/operations.md#{runbook}")


def test_a_disk_that_refuses_commits_is_reported_at_once_and_as_long_as_it_does() -> None:
    job = WatchedJob()
    job.connect()
    job.pass_time(1)
    job.refused_commits = ["/state/shard-0.sqlite: database or disk is full"]
    job.pass_time(1)

    assert job.reasons() == [
        "the state is not durable: /state/shard-0.sqlite: database or disk is full"
    ]
    [reason] = job.health.health()[1]["reasons"]
    assert (reason["kind"], reason["since"]) == ("state_not_durable", timestamp(NOON + 2))
    job.refused_commits += ["/state/shard-1.sqlite: database or disk is full"] * 2
    job.pass_time(1)
    assert job.reasons() == [
        "the state is not durable: /state/shard-0.sqlite: database or disk is full (and 2 more "
        "shards)"
    ]
    job.refused_commits = []
    job.pass_time(1)
    assert job.reasons() == []


def test_a_silent_sink_is_reported_though_its_messages_are_acknowledged() -> None:
    """With a state, only groups wait for the sink."""
    job = WatchedJob()
    job.connect()
    job.sink.note(entered=3, open=3, kept=3)
    job.pass_time(31)

    assert job.reasons() == ["the sink has not answered for 30 s, 3 documents wait"]
    assert job.logged == []
