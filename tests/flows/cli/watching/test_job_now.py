"""The view of a job, from the snapshots of its processes."""

from __future__ import annotations

from typing import Any

import pytest

from flows.cli.watching.job_now import SILENT_AFTER, JobNow, Rates, job_now
from flows.cli.watching.snapshot import Followed
from tests.flows.cli.watching.snapshots import SECOND_URL, SYMPTOM, URL, followed, snapshot

SECOND = {"process": "host, process id 2"}


def view(*processes: Followed, now: float = 50.0) -> JobNow:
    return job_now("orders", processes, now)


def test_one_process_is_the_job() -> None:
    now = view(followed(snapshot()))

    assert (now.unacknowledged, now.prefetch, now.held_bytes) == (90, 500, 2048)
    assert (now.open_groups, now.members, now.documents) == (2, 40, 50)
    assert (now.queues, now.retries, now.dead_letters) == (
        {"orders": 7},
        {"429": 20},
        {"unreadable": 10},
    )
    assert (now.healthy, now.ready) == (True, True)
    assert now.limit is not None
    assert (now.limit.by, now.limit.why) == ("nothing", "no message waits in the queue")


def test_two_snapshots_make_a_rate() -> None:
    later = snapshot(
        at=102.0, messages={"received": 3000, "stored": 2500, "parked": 11, "left_to_broker": 3}
    )

    assert view(followed(snapshot())).rates == Rates(None, None, None, None)
    assert view(followed(snapshot(), later)).rates == Rates(1000.0, 800.0, 2.0, 0.0)


def test_counters_that_begin_anew_make_no_rate() -> None:
    """The process has started again."""
    anew = snapshot(at=102.0, messages={"received": 5, "stored": 0, "parked": 0}, retries={})

    assert view(followed(snapshot(), anew)).rates.received is None


def test_a_snapshot_that_is_sent_twice_makes_no_rate() -> None:
    """A new stream may begin with the last one."""
    assert view(followed(snapshot(), snapshot())).rates.received is None


def test_processes_add_up() -> None:
    """But each of them reports all that waits in a queue."""
    one = followed(snapshot(), snapshot(at=101.0, messages={"received": 1100}))
    two = followed(
        snapshot(**SECOND),
        snapshot(
            **SECOND,
            at=101.0,
            messages={"received": 1050},
            queues={"orders": 9, "more": 20},
            retries={"429": 1, "none": 30},
            groups={"open": 1, "members": 2, "oldest": [{"key": "7", "seconds": 9, "members": 2}]},
        ),
        url=SECOND_URL,
    )

    now = view(one, two)

    assert now.rates.received == pytest.approx(150.0)
    assert (now.unacknowledged, now.prefetch, now.open_groups) == (180, 1000, 3)
    assert [*now.queues.items()] == [("more", 20), ("orders", 9)]
    assert [*now.retries.items()] == [("none", 30), ("429", 21)]
    assert [group.key for group in now.oldest_groups] == ["7", '"a"']


def test_the_process_with_the_worst_limit_limits_the_job() -> None:
    limited = snapshot(**SECOND, limit={"by": "cpu", "why": "95% of a core"})

    now = view(followed(snapshot()), followed(limited, url=SECOND_URL))

    assert now.limit is not None
    assert (now.limit.by, now.limit.why) == ("cpu", "95% of a core (host, process id 2)")


@pytest.mark.parametrize(
    ("second", "missing", "silent"),
    [
        (Followed(SECOND_URL), f"{SECOND_URL} does not answer", None),
        (Followed(SECOND_URL, problem="refused"), "refused", None),
        (
            followed(snapshot(**SECOND), url=SECOND_URL, received_at=49.0 - SILENT_AFTER),
            f"{SECOND_URL} does not answer",
            SILENT_AFTER + 1,
        ),
        (followed(snapshot(**SECOND), url=SECOND_URL)._replace(problem="gone"), "gone", 0.0),
    ],
)
def test_a_process_that_does_not_answer_is_missing(
    second: Followed, missing: str, silent: float | None
) -> None:
    """Its numbers do not count, and the job is not healthy."""
    now = view(followed(snapshot()), second)

    assert [one.missing for one in now.processes] == [None, missing]
    assert now.processes[1].silent_seconds == silent
    assert (now.unacknowledged, now.healthy, now.ready) == (90, False, False)


def test_a_process_that_answers_anew_is_not_missing() -> None:
    gone = followed(snapshot())._replace(problem="gone")

    assert view(gone).limit is None
    back = view(gone.receive(snapshot(at=105.0), 50.0))
    assert (back.processes[0].missing, back.healthy) == (None, True)


def test_reasons_come_before_warnings_and_name_their_process() -> None:
    health: dict[str, Any] = {"ready": False, "warnings": [SYMPTOM]}
    ill = followed(
        snapshot(**SECOND, health={"ready": False, "reasons": [SYMPTOM]}), url=SECOND_URL
    )

    now = view(followed(snapshot(health=health)), ill)

    assert [(one.url, one.warning) for one in now.problems] == [(SECOND_URL, False), (URL, True)]
    assert now.problems[0].remedy == "Look at the broker."
    assert not now.healthy


def test_a_pause_and_a_drain_are_shown() -> None:
    now = view(followed(snapshot(paused=True, draining="SIGTERM")))

    assert (now.paused, now.draining) == (True, "SIGTERM")
