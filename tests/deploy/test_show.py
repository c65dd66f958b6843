"""The parts of the demo that need no service."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from deploy.show import counters, report, shop
from deploy.show.counters import Counters
from deploy.show.progress import ProgressLine

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def readable(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def test_a_day_has_as_many_events_as_one_asks_for_in_order_and_in_time() -> None:
    day = list(shop.day(2000, 10, MORNING))

    assert len({event.id for event in day}) == 2000
    assert day == sorted(day, key=lambda event: event.due_at)
    assert day[-1].due_at < 10


def test_each_day_is_the_same() -> None:
    assert list(shop.day(500, 5, MORNING)) == list(shop.day(500, 5, MORNING))


def test_five_events_of_a_day_cannot_be_stored() -> None:
    """Three have a text where the index wants a number, two are not JSON."""
    bodies = [event.body for event in shop.day(2000, 10, MORNING)]

    unreadable = [body for body in bodies if not readable(body)]
    events = [json.loads(body) for body in bodies if readable(body)]
    totals = [event["order"]["total"] for event in events if event["type"] == "order"]

    assert len(unreadable) == 2
    assert sum(isinstance(total, str) for total in totals) == 3


def test_counters_are_read_from_what_prometheus_is_told() -> None:
    """Each bucket by itself, though Prometheus adds the smaller ones to it."""
    text = """
# TYPE hopper_received_total counter
hopper_received_total 1510.0
# TYPE hopper_stored_total counter
hopper_stored_total 1500.0
# TYPE hopper_parked_total counter
hopper_parked_total 2.0
# TYPE hopper_unsettled gauge
hopper_unsettled 8.0
# TYPE hopper_groups_total counter
hopper_groups_total{completed_by="count"} 2.0
hopper_groups_total{completed_by="time"} 1.0
# TYPE hopper_bulk_documents histogram
hopper_bulk_documents_bucket{le="1.0"} 1.0
hopper_bulk_documents_bucket{le="10.0"} 1.0
hopper_bulk_documents_bucket{le="500.0"} 3.0
hopper_bulk_documents_bucket{le="+Inf"} 4.0
hopper_bulk_documents_count 4.0
hopper_bulk_documents_sum 2000.0
"""

    seen = counters.read(text)

    assert seen == Counters(
        received=1510,
        stored=1500,
        parked=2,
        open=8,
        bulks=4,
        bulks_by_size=[("1", 1), ("11 to 500", 2), ("over 500", 1)],
        windows=[("count", 2), ("time", 1)],
    )
    assert seen.settled == 1502


def test_on_a_terminal_progress_is_one_line() -> None:
    out = Terminal()

    with ProgressLine(out) as progress:
        for second in range(3):
            progress.show(Counters(stored=100 * second), now=second)

    assert out.getvalue().count("\n") == 1
    assert out.getvalue().count("\r") == 3
    last = out.getvalue().split("\r")[-1]
    assert "stored    200" in last
    assert "rate   100/s" in last


def test_elsewhere_it_is_a_line_a_second_and_the_last_one() -> None:
    out = io.StringIO()

    with ProgressLine(out) as progress:
        for half in range(6):
            progress.show(Counters(received=half), now=half / 2)

    lines = out.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["0", "2", "4", "5"]
    assert "\r" not in out.getvalue()


def test_what_is_said_meanwhile_stands_above_the_line() -> None:
    out = Terminal()

    with ProgressLine(out) as progress:
        progress.show(Counters(), now=0)
        progress.say("WARNING")

    above, line, _ = out.getvalue().split("\n")
    assert above.endswith("  WARNING")
    assert "stored" in line


def test_a_wrong_sum_is_called_wrong() -> None:
    assert "nothing is lost" in " ".join(report.conclusion(10, stored=9, parked=1))
    assert "WRONG by -1" in " ".join(report.conclusion(10, stored=8, parked=1))
