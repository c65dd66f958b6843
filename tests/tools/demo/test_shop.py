"""The events of the demo."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tools.demo import shop

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


def readable(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def test_a_day_has_the_given_number_of_events_in_order_and_in_time() -> None:
    day = list(shop.day(2000, 10, MORNING))

    assert len({event.id for event in day}) == 2000
    assert day == sorted(day, key=lambda event: event.due_at)
    assert day[-1].due_at < 10


def test_each_day_is_the_same() -> None:
    assert list(shop.day(500, 5, MORNING)) == list(shop.day(500, 5, MORNING))


def test_five_events_of_a_day_cannot_be_stored() -> None:
    """Three have a text where the index expects a number, two are not JSON."""
    bodies = [event.body for event in shop.day(2000, 10, MORNING)]

    unreadable = [body for body in bodies if not readable(body)]
    events = [json.loads(body) for body in bodies if readable(body)]
    totals = [event["order"]["total"] for event in events if event["type"] == "order"]

    assert len(unreadable) == 2
    assert sum(isinstance(total, str) for total in totals) == 3
