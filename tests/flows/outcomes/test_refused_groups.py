"""When refused groups are withheld, and when they are sent again."""

from __future__ import annotations

import pytest

from connectors.message import Answer, Rejection
from connectors.reject_pace import MAX_PAUSE, MIN_RUN
from flows.outcomes.refused_groups import RefusedGroups, refusal

NO_DATE = Rejection("document_parsing_exception: no date", status=400)


def refuse(groups: RefusedGroups, *numbers: int, now: float = 0.0) -> list[bool]:
    """Whether each is withheld."""
    return [groups.answered(0, number, NO_DATE, now) for number in numbers]


def stopped() -> RefusedGroups:
    """Three of ten may be refused: the fourth and the fifth are withheld."""
    groups = RefusedGroups(3, 10)
    refuse(groups, *range(1, 6))
    return groups


def test_groups_are_withheld_when_more_than_the_limit_are_refused() -> None:
    groups = RefusedGroups(3, 10)

    assert refuse(groups, *range(1, 6)) == [False, False, False, True, True]

    assert groups.withheld(0) == 2
    assert groups.because == f"too many groups are refused, for example: {NO_DATE.reason}"


def test_only_the_last_groups_count() -> None:
    """Three of ten in a row, for ever, are not too many."""
    groups = RefusedGroups(3, 10)
    for number in range(1000):
        refused = NO_DATE if number % 10 < 3 else None

        assert not groups.answered(0, number, refused, now=0.0)


def test_a_few_groups_suffice_if_none_is_stored_for_ten_seconds() -> None:
    groups = RefusedGroups(500, 1000)

    assert not any(refuse(groups, *range(MIN_RUN - 1)))
    assert refuse(groups, MIN_RUN, now=9.9) == [False]
    assert refuse(groups, MIN_RUN + 1, now=10.0) == [True]


def test_one_that_is_stored_interrupts_the_few() -> None:
    groups = RefusedGroups(500, 1000)
    refuse(groups, *range(MIN_RUN))
    groups.answered(0, MIN_RUN, None, now=5.0)

    assert refuse(groups, *range(100, 100 + MIN_RUN), now=100.0) == [False] * MIN_RUN


def test_a_probe_follows_after_a_pause() -> None:
    groups = stopped()

    assert groups.due(0, now=0.9) == []
    assert groups.due(0, now=1.0) == [4]
    assert groups.due(0, now=9.0) == []  # until it has an answer


def test_a_probe_that_is_refused_is_withheld_again_and_the_next_pause_is_longer() -> None:
    groups, now = stopped(), 1.0
    [probe] = groups.due(0, now)

    assert refuse(groups, probe, now=now) == [True]
    assert groups.due(0, now=2.9) == []
    assert groups.due(0, now=3.0) == [5]
    refuse(groups, 5, now=3.0)
    assert groups.due(0, now=7.0) == [4]


def test_the_longest_pause_is_five_minutes() -> None:
    groups, now = stopped(), 0.0
    for _ in range(20):
        now += groups.pause
        [probe] = groups.due(0, now)
        refuse(groups, probe, now=now)

    assert groups.pause == MAX_PAUSE


@pytest.mark.parametrize("number", [4, 99], ids=["the probe", "another group"])
def test_all_are_sent_again_when_one_is_stored(number: int) -> None:
    groups = stopped()
    refuse(groups, 6)
    probe = groups.due(0, now=1.0)

    assert not groups.answered(0, number, None, now=1.0)

    assert probe + groups.due(0, now=1.0) == [4, 5, 6]
    assert (groups.because, groups.withheld(0)) == ("", 0)
    assert refuse(groups, 4, 5, 6, 7, now=1.0) == [False, False, False, True]  # counted anew


def test_all_shards_count_together() -> None:
    """A key whose groups are always refused stops no shard while others are stored."""
    groups = RefusedGroups(4, 10)
    for number in range(1000):
        assert not groups.answered(0, number, NO_DATE, now=0.0)
        for shard in (1, 2):
            groups.answered(shard, number, None, now=0.0)


def test_one_of_all_shards_sends_the_probe_and_each_sends_its_own_groups() -> None:
    groups = RefusedGroups(1, 10)
    found = [groups.answered(shard, 7, NO_DATE, now=0.0) for shard in (1, 2, 3)]
    assert found == [False, True, True]
    assert [groups.due(shard, now=1.0) for shard in (3, 2, 1)] == [[], [7], []]

    groups.answered(2, 7, None, now=1.0)

    assert [groups.withheld(shard) for shard in (1, 2, 3)] == [0, 0, 1]
    assert [groups.due(shard, now=1.0) for shard in (1, 2, 3)] == [[], [], [7]]
    assert groups.withheld(3) == 0


@pytest.mark.parametrize(
    ("rejected", "documents", "expected"),
    [
        ([NO_DATE], 1, NO_DATE),
        ([], 1, None),
        ([NO_DATE], 2, None),
        ([NO_DATE, Rejection("other", status=400)], 2, NO_DATE),
        ([Rejection("late", foreseen=True, status=400)], 1, None),
        ([Rejection("not sent")], 1, None),
    ],
)
def test_a_group_is_refused_if_the_sink_refuses_all_of_it(
    rejected: list[Rejection], documents: int, expected: Rejection | None
) -> None:
    answer = Answer([], [*enumerate(rejected)])

    assert refusal(answer, documents) == expected
