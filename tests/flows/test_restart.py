"""Aligned windows after a restart: messages that are late for earlier windows are not lost."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from connectors.memory.delivery import Delivery
from connectors.message import Properties
from flows.spec import Pipeline
from flows.summaries.fingerprint import count_in
from tests.played import Play

_names = itertools.count()
WHOLE = '"a"@2026-01-02T10:00:00.000Z'


def play(**aggregate: Any) -> Play:
    name = f"restart-{next(_names)}"
    window = {"tumbling": {"every": "1m", "event_time": "at"}}
    spec = {
        "version": 1,
        "name": name,
        "source": {"memory": {"name": name, "consumers": 1}},
        "aggregate": {
            "by": "host",
            "window": window,
            "reduce": {"numbers": {"list": "n"}},
            **aggregate,
        },
        "sink": {"memory": {"name": name}},
    }
    return Play(Pipeline.model_validate(spec))


def send(some: Play, at: str, *numbers: int, of: str = "10:00:30") -> None:
    """Send messages with the event time `of`, at the time of day `at`."""
    some.happen(
        [
            {
                "at": at,
                "id": f"m{n}",
                "body": {"host": "a", "n": n, "at": f"2026-01-02T{of}Z"},
            }
            for n in numbers
        ]
    )


def restart(some: Play, at: str) -> None:
    some.happen([{"at": at, "killed": "kill -9"}])


def written_and_restarted() -> Play:
    """A process has written the window of 1 and 2, and a new process knows nothing of it."""
    some = play()
    send(some, "10:00:30", 1, 2)
    send(some, "10:01:01", 3, of="10:01:01")
    send(some, "10:02:01", 9, of="10:02:01")
    restart(some, "10:05:00")
    return some


def redeliver(some: Play, *numbers: int, of: str = "10:00:30") -> None:
    """The earlier process received them, and did not acknowledge them.

    They arrive with the next messages that are sent.
    """
    for n in numbers:
        body = {"host": "a", "n": n, "at": f"2026-01-02T{of}Z"}
        some.queue.waiting.append(
            Delivery(
                json.dumps(body).encode(),
                Properties(message_id=f"m{n}", content_type="application/json"),
                redelivered=True,
            )
        )


def documents(some: Play) -> dict[str | None, tuple[int | None, list[int]]]:
    """Members by fingerprint and numbers, by `_id`, as they were written last."""
    return {
        event["_id"]: (
            count_in(event["_source"].get("fingerprint")),
            event["_source"]["numbers"],
        )
        for event in some.outcomes
        if "_id" in event
    }


def parked(some: Play) -> list[tuple[list[int], str]]:
    """The numbers in parked messages, and the reason."""
    return [
        (event["parked"]["numbers"], event["reason"])
        for event in some.outcomes
        if "parked" in event
    ]


def ambiguous(members: int) -> str:
    return (
        f"ambiguous_window: its window is already written, with {members} messages, "
        'and it may be one of them, key "a"'
    )


def test_a_window_has_its_id_and_fingerprint_although_the_process_is_new() -> None:
    """It was not written before, so it is the whole window."""
    some = play()
    send(some, "10:00:30", 1, 2)
    send(some, "10:01:01", 3, of="10:01:01")

    assert documents(some) == {WHOLE: (2, [1, 2])}


@pytest.mark.parametrize("late", [[4], [4, 5], [4, 5, 6, 7]])
def test_a_late_message_after_a_restart_is_written_as_a_part(late: list[int]) -> None:
    """Fewer or more than before: no document is lost or replaced."""
    some = written_and_restarted()
    send(some, "10:05:01", *late)
    send(some, "10:05:02", 10, of="10:05:02")

    found = documents(some)
    apart = [id for id in found if id and id.startswith(f"{WHOLE}#")]
    assert found[WHOLE] == (2, [1, 2])
    assert [found[id] for id in apart] == [(len(late), late)]
    assert parked(some) == []


@pytest.mark.parametrize("late", [[4], [4, 5], [4, 5, 6, 7]])
def test_a_late_message_that_was_delivered_before_is_parked(late: list[int]) -> None:
    """It is unknown whether the earlier process had counted it."""
    some = written_and_restarted()
    redeliver(some, *late)
    send(some, "10:05:02", 10, of="10:05:02")

    assert documents(some)[WHOLE] == (2, [1, 2])
    assert parked(some) == [(late, ambiguous(2))]


@pytest.mark.parametrize("late", ["park", "amend", "new"])
def test_a_window_that_is_not_the_first_may_be_written_before_too(late: str) -> None:
    """The first event time may be earlier than those of windows that the earlier process wrote."""
    some = play(late=late)
    send(some, "10:00:30", 1)
    send(some, "10:01:30", 2, of="10:01:30")
    send(some, "10:02:30", 3, of="10:02:30")
    send(some, "10:03:30", 8, of="10:03:30")
    restart(some, "10:05:00")
    send(some, "10:05:01", 4)
    send(some, "10:05:02", 5, of="10:01:30")
    send(some, "10:05:03", 6, of="10:03:00")
    send(some, "10:05:04", 7, of="10:02:30")
    send(some, "10:05:05", 10, of="10:05:02")

    found = documents(some)
    everywhere = [n for _, numbers in found.values() for n in numbers]
    lateness = [event["parked"]["n"] for event in some.outcomes if "parked" in event]
    assert sorted(everywhere + lateness) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found['"a"@2026-01-02T10:01:00.000Z'] == (1, [2])
    assert found['"a"@2026-01-02T10:02:00.000Z'] == (1, [3])


def test_a_late_message_for_a_part_amends_the_part() -> None:
    some = play(late="amend")
    send(some, "10:00:30", 1, 2)
    send(some, "10:01:01", 3, of="10:01:01")
    send(some, "10:02:01", 9, of="10:02:01")
    restart(some, "10:05:00")
    send(some, "10:05:01", 4)
    send(some, "10:05:02", 10, of="10:05:02")
    send(some, "10:05:03", 5)
    send(some, "10:05:04", 6)

    found = documents(some)
    (apart,) = [id for id in found if id and id.startswith(f"{WHOLE}#")]
    assert found[WHOLE] == (2, [1, 2])
    assert found[apart] == (3, [4, 5, 6])


def test_an_amendment_of_an_ambiguous_window_is_parked() -> None:
    """It cannot be separated any more from members that may be counted already."""
    some = play(late="amend")
    send(some, "10:00:30", 1, 2)
    send(some, "10:02:01", 9, of="10:02:01")
    restart(some, "10:05:00")
    redeliver(some, 4)
    send(some, "10:05:02", 10, of="10:05:02")
    send(some, "10:05:03", 5)

    assert documents(some)[WHOLE] == (2, [1, 2])
    assert parked(some) == [([4], ambiguous(2)), ([4, 5], ambiguous(2))]


def test_a_window_that_is_redelivered_as_a_whole_is_recognised() -> None:
    """It was stored but not acknowledged, so it is the same document, in any order."""
    some = play()
    send(some, "10:00:30", 1, 2, 3)
    restart(some, "10:05:00")  # the clock has closed the window
    redeliver(some, 3, 1, 2)
    send(some, "10:05:02", 9, of="10:02:01")

    assert [id for id in documents(some) if id and id.startswith(WHOLE)] == [WHOLE]
    assert documents(some)[WHOLE] == (3, [1, 2, 3])
    assert parked(some) == []


def test_a_part_of_a_window_that_is_redelivered_after_a_crash_is_parked() -> None:
    """It may contain late messages: parking a stored message is better than losing one."""
    some = play()
    send(some, "10:00:30", 1, 2, 3)
    restart(some, "10:05:00")  # the clock has closed the window
    redeliver(some, 2, 3)
    send(some, "10:05:02", 9, of="10:02:01")

    assert documents(some)[WHOLE] == (3, [1, 2, 3])
    assert parked(some) == [([2, 3], ambiguous(3))]


def test_new_messages_in_a_group_with_redelivered_ones_are_parked_too() -> None:
    """There is no summary of either alone, and nothing is counted twice."""
    some = play()
    send(some, "10:00:30", 1, 2, 3)
    restart(some, "10:05:00")
    redeliver(some, 3)
    send(some, "10:05:01", 4)
    send(some, "10:05:02", 9, of="10:02:01")

    assert documents(some)[WHOLE] == (3, [1, 2, 3])
    assert parked(some) == [([3, 4], ambiguous(3))]
