"""The checker finds wrong outcomes; no servers are needed."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.chaos.aggregates import AGGREGATES
from tests.chaos.checker import RunVerdict, compare
from tests.chaos.messages import MessageMaker
from tests.chaos.schedule import KINDS, LANES, schedule

PUBLISHED = 2000
MESSAGES = MessageMaker(seed=1, keyed=False, reduced=False)
REJECTED = {n: [f"{MESSAGES.rejected(n)[0]}…"] for n in range(PUBLISHED) if MESSAGES.rejected(n)}
STORED = [n for n in range(PUBLISHED) if n not in REJECTED]
HEALTHY = STORED[:3]


def judge(
    stored: list[int],
    parked: dict[int, list[str]],
    aggregate: str = "documents",
    republished: tuple[int, ...] = (),
) -> RunVerdict:
    return compare(MESSAGES, PUBLISHED, republished, AGGREGATES[aggregate], stored, parked)


def test_correct_outcomes_are_accepted() -> None:
    assert len(REJECTED) > 10
    assert judge(STORED, REJECTED).good


def test_a_message_that_is_nowhere_is_lost() -> None:
    assert judge(STORED[1:], REJECTED).lost == STORED[:1]
    poison = next(iter(REJECTED))
    assert judge(STORED, {n: r for n, r in REJECTED.items() if n != poison}).lost == [poison]


def test_a_message_in_two_documents_is_stored_twice() -> None:
    verdict = judge([*STORED, *HEALTHY], REJECTED)
    assert (verdict.twice, verdict.good) == (HEALTHY, False)


def test_without_aligned_windows_a_message_may_be_counted_again() -> None:
    verdict = judge([*STORED, *HEALTHY], REJECTED, "reduce")
    assert (verdict.twice, verdict.counted_again, verdict.good) == ([], 3, True)


def test_a_message_that_was_published_twice_may_be_counted_twice() -> None:
    verdict = judge([*STORED, *HEALTHY], REJECTED, "windows", republished=tuple(HEALTHY))
    assert (verdict.twice, verdict.counted_again, verdict.good) == ([], 3, True)


def test_a_wrong_reason_is_found() -> None:
    assert not judge(STORED[1:], {**REJECTED, STORED[0]: ["unreadable: no"]}).good
    assert not judge([*STORED, min(REJECTED)], REJECTED).good
    assert not judge([*STORED, PUBLISHED], REJECTED).good


def test_exactly_the_refused_messages_must_be_parked() -> None:
    messages = MessageMaker(seed=1, keyed=False, reduced=False)
    messages.mark(HEALTHY[0])
    refused = {HEALTHY[0]: ["refused: alone in a request"]}
    others = {HEALTHY[1]: ["refused: alone in a request"]}

    def good(stored: list[int], parked: dict[int, list[str]]) -> bool:
        parked = {**REJECTED, **parked}
        return compare(messages, PUBLISHED, (), AGGREGATES["documents"], stored, parked).good

    assert good(STORED[1:], refused)
    assert not good(STORED, {})
    assert not good([STORED[0], *STORED[2:]], others)


def test_a_message_for_a_closed_index_may_be_parked_and_stored() -> None:
    reasons = ["cluster_block_exception: closed for a while"] * 2
    verdict = judge(STORED, {**REJECTED, STORED[0]: reasons})
    assert verdict.good
    assert (verdict.parked_though_stored, verdict.parked_again) == (1, 1)


def test_a_message_for_a_failing_processor_may_be_parked_and_stored() -> None:
    doomed = next(n for n in STORED if MESSAGES.may_fail(n))
    sound = next(n for n in STORED if not MESSAGES.may_fail(n))
    reasons = ["fail_processor_exception: a processor fails"]

    assert judge(STORED, {**REJECTED, doomed: reasons}).good
    assert not judge(STORED, {**REJECTED, sound: reasons}).good
    assert not judge(STORED, {**REJECTED, doomed: reasons}, "reduce").good


@pytest.mark.parametrize("lane", LANES)
def test_the_same_seed_gives_the_same_faults(lane: str) -> None:
    first = list(islice(schedule(7, lane), 40))

    assert first == list(islice(schedule(7, lane), 40))
    assert first != list(islice(schedule(8, lane), 40))
    kinds = LANES[lane]
    assert sorted(fault.kind for fault in first[: len(kinds)]) == sorted(kinds)
    assert set(kinds) <= set(KINDS)
