"""Groups by event time do not depend on how messages arrive."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.flows.cases import BEGIN, CaseRun

IDLE = 10


def live(
    messages: list[tuple[str, int]], gaps: list[bool], lateness: int, reduced: bool, **more: Any
) -> list[dict[str, Any]]:
    """The groups of messages that arrive in batches; a gap starts the next batch."""
    steps, now = [], 100_000
    for (key, at), gap in zip(messages, gaps, strict=True):
        now += gap
        steps.append({"at": f"{now}ms", "body": {"k": key, "t": BEGIN + at}})
    steps.append({"at": "101s", "body": {"k": "end", "t": BEGIN + 160}})
    aggregate = {
        "by": "k",
        "window": {"idle": f"{IDLE}s", "event_time": "t", "lateness": f"{lateness}s", **more},
        **({"reduce": {"n": "count", "last": {"max": "t"}}} if reduced else {}),
    }
    case = {"aggregate": aggregate, "steps": steps, "until": "101s"}
    return sorted(
        [{name: one.get(name) for name in ("key", "by", "members", "window", "parked", "document")}
         for one in CaseRun(case).events],
        key=str,
    )  # fmt: skip


MESSAGES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60)), min_size=1, max_size=12)


@given(MESSAGES, st.data(), st.sampled_from([0, 3, 20]), st.booleans())
def test_groups_do_not_depend_on_which_messages_arrive_together(
    messages: list[tuple[str, int]], data: st.DataObject, lateness: int, reduced: bool
) -> None:
    gaps = st.lists(st.booleans(), min_size=len(messages), max_size=len(messages))

    alone = live(messages, [True] * len(messages), lateness, reduced)
    assert alone == live(messages, [False] * len(messages), lateness, reduced)
    assert alone == live(messages, data.draw(gaps), lateness, reduced)


@given(MESSAGES, st.booleans())
def test_without_late_messages_sessions_are_those_of_the_event_times(
    messages: list[tuple[str, int]], reduced: bool
) -> None:
    left = live(messages, [True] * len(messages), lateness=60, reduced=reduced)

    found = sorted([one["key"], *one["window"]] for one in left)
    assert found == sorted(
        s for key in {key for key, _ in messages} for s in sessions(messages, key)
    )
    assert {one["by"] for one in left} == {"idle"}
    assert sorted(n for one in left for n in one["members"]) == list(range(1, len(messages) + 1))


@given(MESSAGES, st.sampled_from([0, 3]))
def test_every_message_is_in_a_group_or_parked_once(
    messages: list[tuple[str, int]], lateness: int
) -> None:
    left = live(messages, [True] * len(messages), lateness, reduced=False, time="25s")

    found = [n for one in left for n in one["members"] or [one["parked"]]]
    assert sorted(found) == list(range(1, len(messages) + 1))
    for one in left:
        if one["window"] is not None:
            assert one["window"][1] - one["window"][0] <= 25


def sessions(messages: list[tuple[str, int]], key: str) -> list[list[Any]]:
    times = sorted(at for one, at in messages if one == key)
    cuts = [0, *(n for n, (a, b) in enumerate(pairwise(times), 1) if b - a >= IDLE), len(times)]
    return [[key, float(times[a]), float(times[b - 1])] for a, b in pairwise(cuts)]
