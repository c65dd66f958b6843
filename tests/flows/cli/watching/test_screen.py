"""What a terminal shows of a job."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from flows.cli.watching.job_now import job_now
from flows.cli.watching.screen import Fitted, age, rate, screen
from flows.cli.watching.snapshot import Followed
from tests.flows.cli.watching.snapshots import SECOND_URL, SYMPTOM, followed, snapshot


def shown(picture: RenderableType, width: int = 80, height: int = 24) -> str:
    out = StringIO()
    Console(file=out, width=width, height=height).print(picture)
    return out.getvalue()


def lines(*processes: Followed, width: int = 80) -> list[str]:
    picture = shown(screen(job_now("orders", processes, 50.0)), width)
    return [line.rstrip() for line in picture.splitlines()]


def test_the_first_line_says_what_limits_the_job() -> None:
    limit = {
        "by": "sink",
        "why": "8 of 8 requests are in flight, and 4000 documents wait for an answer",
    }

    shown = lines(followed(snapshot(limit=limit)))

    assert shown[:2] == [
        "Limited by Elasticsearch: 8 of 8 requests are in flight, and 4000 documents wait",
        "for an answer",
    ]
    assert shown[2].startswith("Healthy \N{MIDDLE DOT} orders \N{MIDDLE DOT} Hopper 1.2.3")


def test_each_number_has_its_line() -> None:
    later = snapshot(at=101.0, messages={"received": 21_000, "stored": 20_900}, retries={"429": 23})

    shown = lines(followed(snapshot(), later))

    assert shown[3:] == [
        "Messages      20,000/s in, 20,000/s stored",
        "In flight     90 unacknowledged of prefetch 500, the oldest is 3.0 s old",
        "Memory        2.0 KiB held of 1.0 MiB",
        "Queues        orders 7 wait",
        "Groups        2 open, with 40 messages",
        "Requests      1 of 4 in flight, 50 documents wait for an answer",
        "Retries       429 23, 3.0/s",
        "Dead letters  unreadable 10, 0/s",
        "CPU           40% of a core",
        "",
        "Oldest groups    Age  Messages",
        '"a"            8.0 s         3',
    ]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"paused": True}, "Paused"),
        ({"draining": "SIGTERM"}, "Drains"),
        ({"health": {"ready": False}}, "Not ready"),
        ({"health": {"reasons": [SYMPTOM]}}, "Not healthy: 1 reason"),
    ],
)
def test_the_state_is_in_words(changes: dict[str, Any], state: str) -> None:
    assert lines(followed(snapshot(**changes)))[1].startswith(f"{state} \N{MIDDLE DOT} orders")


def test_a_problem_has_its_meaning_and_its_remedy() -> None:
    assert lines(followed(snapshot(health={"reasons": [SYMPTOM]})))[2:6] == [
        "Problem: orders/000 is not connected (since 2026-11-30T12:00:11Z)",
        "  The messages: Nothing is lost.",
        "  What helps: Look at the broker.",
        "  More: docs/operations.md#the-broker-is-away",
    ]


def test_a_missing_process_is_named() -> None:
    gone = followed(
        snapshot(process="host, process id 2"), url=SECOND_URL, received_at=40.0
    )._replace(problem="it refuses")

    shown = lines(followed(snapshot()), gone)

    assert shown[1].startswith("Not healthy: 1 of 2 processes answer")
    assert shown[2] == "Missing: it refuses; host, process id 2 answered 10 s ago"
    assert shown[-1].split() == [SECOND_URL, "missing"]


def test_a_job_that_does_not_answer_has_no_numbers() -> None:
    shown = lines(followed(snapshot(), received_at=30.0))

    assert shown[0] == "No process answers: orders does not run, or its port is not reachable"
    assert shown[1] == "Missing \N{MIDDLE DOT} orders"
    assert len(shown) == 4


def test_a_message_controls_neither_terminal_nor_markup() -> None:
    key = '"[red]\x1b[2J"'
    oldest = [{"key": key, "seconds": 1.0, "members": 1}]

    picture = "\n".join(lines(followed(snapshot(groups={"oldest": oldest}))))

    assert '"[red]\\x1b[2J"' in picture
    assert "\x1b" not in picture


@pytest.mark.parametrize("width", [40, 60, 80])
def test_nothing_is_cut_off(width: int) -> None:
    """Long texts are folded; spaces apart, all characters are there."""
    key = "k" * 200
    oldest = [{"key": key, "seconds": 4000.0, "members": 123_456}]
    busy = snapshot(
        limit={"by": "sink", "why": "w" * 300},
        messages={"unacknowledged": 1_234_567},
        groups={"oldest": oldest, "open": 9_999_999},
        queues={f"orders.{number}": 1_000_000 for number in range(20)},
        health={"reasons": [SYMPTOM | {"remedy": "r" * 150}]},
    )

    picture = lines(followed(busy), followed(url=SECOND_URL), width=width)

    assert max(map(len, picture)) <= width
    together = "".join("".join(picture).split())
    for text in ("w" * 300, "r" * 150, "1,234,567", "123,456", "9,999,999", "orders.191,000,000"):
        assert text in together
    assert together.count("k") >= 200
    assert "\N{HORIZONTAL ELLIPSIS}" not in together


def test_a_low_terminal_says_how_much_is_missing() -> None:
    now = screen(job_now("orders", [followed(snapshot())], 50.0))
    whole = shown(now).splitlines()

    low = shown(Fitted(now), height=6).splitlines()

    assert low[:5] == whole[:5]
    assert low[5:] == [f"{len(whole) - 5} more lines: make the terminal higher"]
    assert shown(Fitted(now)).splitlines() == whole


def test_numbers_are_short() -> None:
    assert [age(one) for one in (0.04, 12.3, 75, 7500)] == [
        "0.0 s",
        "12 s",
        "1 min 15 s",
        "2 h 5 min",
    ]
    assert [rate(one) for one in (None, 0.0, 0.25, 12_345.6)] == ["?/s", "0/s", "0.2/s", "12,346/s"]
