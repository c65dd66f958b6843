"""Aligned windows after a restart: what is late for a window of the process before is not lost."""

from __future__ import annotations

import itertools
import json
from typing import Any

from connectors.memory.source import Delivery
from connectors.message import Properties
from flows.spec import Pipeline
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


def documents(some: Play) -> dict[str | None, tuple[int | None, list[int]]]:
    """Version and numbers, by `_id`, as they were written last."""
    return {
        event["_id"]: (event["_version"], event["_source"]["numbers"])
        for event in some.told
        if "_id" in event
    }


def test_a_window_is_named_and_counted_although_the_process_is_new() -> None:
    """Nobody has written it before: so it is the whole."""
    some = play()
    send(some, "10:00:30", 1, 2)
    send(some, "10:01:01", 3, of="10:01:01")

    assert documents(some) == {WHOLE: (2, [1, 2])}


def test_what_is_late_after_a_restart_is_written_apart() -> None:
    """Be it less than there was, or more: neither is lost, nor takes the other's place."""
    for late in ([4], [4, 5, 6, 7]):
        some = play()
        send(some, "10:00:30", 1, 2)
        send(some, "10:01:01", 3, of="10:01:01")
        send(some, "10:02:01", 9, of="10:02:01")
        restart(some, "10:05:00")
        send(some, "10:05:01", *late)
        send(some, "10:05:02", 10, of="10:05:02")

        found = documents(some)
        apart = [id for id in found if id and id.startswith(f"{WHOLE}#")]
        assert found[WHOLE] == (2, [1, 2])
        assert [found[id] for id in apart] == [(None, late)]
        assert [e for e in some.told if "parked" in e] == []


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


def come_again(some: Play, *numbers: int) -> None:
    """They were stored with the others, and the broker has never heard of it."""
    for n in numbers:
        body = {"host": "a", "n": n, "at": "2026-01-02T10:00:30Z"}
        some.queue.waiting.append(
            Delivery(
                json.dumps(body).encode(),
                Properties(message_id=f"m{n}", content_type="application/json"),
                redelivered=True,
            )
        )


def test_a_part_that_comes_again_after_a_crash_is_in_the_whole_already() -> None:
    some = play()
    send(some, "10:00:30", 1, 2, 3)
    send(some, "10:01:01", 8, of="10:01:01")
    restart(some, "10:01:10")
    come_again(some, 2, 3)
    send(some, "10:02:01", 9, of="10:02:01")

    assert [id for id in documents(some) if id and id.startswith(WHOLE)] == [WHOLE]
    assert documents(some)[WHOLE] == (3, [1, 2, 3])


def test_what_is_late_is_not_taken_for_what_comes_again() -> None:
    """Where both meet, what was counted before is counted twice; but nothing is nowhere."""
    some = play()
    send(some, "10:00:30", 1, 2, 3)
    restart(some, "10:05:00")  # the clock has ended the window
    come_again(some, 3)
    send(some, "10:05:01", 4)
    send(some, "10:05:02", 9, of="10:02:01")

    found = documents(some)
    assert found[WHOLE] == (3, [1, 2, 3])
    assert [4 in numbers for id, (_, numbers) in found.items() if id != WHOLE].count(True) == 1
