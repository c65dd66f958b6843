"""Aligned windows after a restart: what is late for a window of the process before is not lost."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from connectors.memory.source import Delivery
from connectors.message import Properties
from flows.spec import Pipeline
from flows.summaries.fingerprint import count_in
from tests.examples import Play

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
    """Messages that tell the time `of`, at the time of day `at`."""
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
    """A process has written the window of 1 and 2, and another one knows nothing of it."""
    some = play()
    send(some, "10:00:30", 1, 2)
    send(some, "10:01:01", 3, of="10:01:01")
    send(some, "10:02:01", 9, of="10:02:01")
    restart(some, "10:05:00")
    return some


def come_again(some: Play, *numbers: int, of: str = "10:00:30") -> None:
    """They were delivered to the process before, which has not acknowledged them.

    They arrive with what is sent next.
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
    """Members by fingerprint, and numbers, by `_id`, as they were written last."""
    return {
        event["_id"]: (
            count_in(event["_source"].get("fingerprint")),
            event["_source"]["numbers"],
        )
        for event in some.told
        if "_id" in event
    }


def parked(some: Play) -> list[tuple[list[int], str]]:
    """Numbers in what is parked, and the reason."""
    return [
        (event["parked"]["numbers"], event["reason"]) for event in some.told if "parked" in event
    ]


def ambiguous(members: int) -> str:
    return (
        f"ambiguous_window: its window is already written, with {members} messages, "
        'and it may be one of them, key "a"'
    )


def test_a_window_is_named_and_counted_although_the_process_is_new() -> None:
    """It was not written before: so it is the whole."""
    some = play()
    send(some, "10:00:30", 1, 2)
    send(some, "10:01:01", 3, of="10:01:01")

    assert documents(some) == {WHOLE: (2, [1, 2])}


@pytest.mark.parametrize("late", [[4], [4, 5], [4, 5, 6, 7]])
def test_what_is_late_after_a_restart_is_written_apart(late: list[int]) -> None:
    """Be it less than there was, or more: neither is lost, nor takes the other's place."""
    some = written_and_restarted()
    send(some, "10:05:01", *late)
    send(some, "10:05:02", 10, of="10:05:02")

    found = documents(some)
    apart = [id for id in found if id and id.startswith(f"{WHOLE}#")]
    assert found[WHOLE] == (2, [1, 2])
    assert [found[id] for id in apart] == [(len(late), late)]
    assert parked(some) == []


@pytest.mark.parametrize("late", [[4], [4, 5], [4, 5, 6, 7]])
def test_what_was_late_and_delivered_before_is_parked(late: list[int]) -> None:
    """The process before has died with it: perhaps it had counted it, and that is unknown."""
    some = written_and_restarted()
    come_again(some, *late)
    send(some, "10:05:02", 10, of="10:05:02")

    assert documents(some)[WHOLE] == (2, [1, 2])
    assert parked(some) == [(late, ambiguous(2))]


@pytest.mark.parametrize("late", ["park", "amend", "new"])
def test_a_window_that_is_not_the_first_one_heard_of_was_written_before_too(late: str) -> None:
    """What the first message tells may be earlier than what the process before has written."""
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
    lateness = [event["parked"]["n"] for event in some.told if "parked" in event]
    assert sorted(everywhere + lateness) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found['"a"@2026-01-02T10:01:00.000Z'] == (1, [2])
    assert found['"a"@2026-01-02T10:02:00.000Z'] == (1, [3])


def test_what_is_late_for_that_amends_its_own_part() -> None:
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


def test_what_amends_a_window_in_doubt_is_parked_with_it() -> None:
    """It cannot be told apart any more from what may be counted already."""
    some = play(late="amend")
    send(some, "10:00:30", 1, 2)
    send(some, "10:02:01", 9, of="10:02:01")
    restart(some, "10:05:00")
    come_again(some, 4)
    send(some, "10:05:02", 10, of="10:05:02")
    send(some, "10:05:03", 5)

    assert documents(some)[WHOLE] == (2, [1, 2])
    assert parked(some) == [([4], ambiguous(2)), ([4, 5], ambiguous(2))]


def test_a_window_that_comes_again_whole_is_recognised_in_whatever_order() -> None:
    """It was stored, and the broker has never heard of it: it is the same document."""
    some = play()
    send(some, "10:00:30", 1, 2, 3)
    restart(some, "10:05:00")  # the clock has ended the window
    come_again(some, 3, 1, 2)
    send(some, "10:05:02", 9, of="10:02:01")

    assert [id for id in documents(some) if id and id.startswith(WHOLE)] == [WHOLE]
    assert documents(some)[WHOLE] == (3, [1, 2, 3])
    assert parked(some) == []


def test_a_part_that_comes_again_after_a_crash_is_parked_although_it_is_stored() -> None:
    """For all that is known it may be what came late: better parked in vain than lost."""
    some = play()
    send(some, "10:00:30", 1, 2, 3)
    restart(some, "10:05:00")  # the clock has ended the window
    come_again(some, 2, 3)
    send(some, "10:05:02", 9, of="10:02:01")

    assert documents(some)[WHOLE] == (3, [1, 2, 3])
    assert parked(some) == [([2, 3], ambiguous(3))]


def test_where_new_ones_meet_those_that_come_again_all_are_parked() -> None:
    """There is no summary of either alone; and nothing is counted twice."""
    some = play()
    send(some, "10:00:30", 1, 2, 3)
    restart(some, "10:05:00")
    come_again(some, 3)
    send(some, "10:05:01", 4)
    send(some, "10:05:02", 9, of="10:02:01")

    assert documents(some)[WHOLE] == (3, [1, 2, 3])
    assert parked(some) == [([3, 4], ambiguous(3))]
