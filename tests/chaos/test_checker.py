"""The checker finds wrong outcomes; no servers are needed."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.chaos.aggregates import AGGREGATES
from tests.chaos.checker import RunVerdict, compare, compare_durable
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
    unconfirmed: tuple[int, ...] = (),
) -> RunVerdict:
    return compare(MESSAGES, PUBLISHED, unconfirmed, AGGREGATES[aggregate], stored, parked)


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


def test_a_message_without_confirmation_may_be_missing_but_not_twice() -> None:
    assert judge(STORED[3:], REJECTED, "windows", unconfirmed=tuple(HEALTHY)).good
    verdict = judge([*STORED, *HEALTHY], REJECTED, "windows", unconfirmed=tuple(HEALTHY))
    assert (verdict.twice, verdict.counted_again, verdict.good) == (HEALTHY, 0, False)


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


REDUCED = MessageMaker(seed=1, keyed=True, reduced=True)
FAULTY = {n: [*REDUCED.rejected(n)] for n in range(PUBLISHED) if REDUCED.rejected(n)}
SOUND = [n for n in range(PUBLISHED) if n not in FAULTY]
SUMMARIES = [tuple(SOUND[at : at + 50]) for at in range(0, len(SOUND), 50)]
CLOSED = "cluster_block_exception: closed for a while"


def judge_durable(
    stored: list[tuple[int, ...]],
    parked: dict[int, list[str]] = FAULTY,
    refused: list[tuple[tuple[int, ...], str]] | None = None,
    unconfirmed: tuple[int, ...] = (),
) -> RunVerdict:
    return compare_durable(REDUCED, PUBLISHED, unconfirmed, stored, parked, refused or [])


def test_each_message_of_a_durable_job_is_in_exactly_one_summary() -> None:
    first, *others = SUMMARIES
    assert judge_durable(SUMMARIES).good
    assert judge_durable(others).lost == [*first]
    assert judge_durable([*SUMMARIES, first]).twice == [*first]
    assert judge_durable([*SUMMARIES, (PUBLISHED,)]).wrong
    assert judge_durable([*SUMMARIES, (min(FAULTY),)]).wrong
    assert judge_durable([first[1:], *others], unconfirmed=first[:1]).good
    assert judge_durable([*SUMMARIES, first[:1]], unconfirmed=first[:1]).twice == [first[0]]


def test_a_durable_summary_that_is_refused_is_parked_as_it_is() -> None:
    first, *others = SUMMARIES
    verdict = judge_durable(others, refused=[(first, CLOSED)] * 2)
    assert verdict.good
    assert (verdict.parked_again, verdict.parked) == (1, len(FAULTY) + 50)
    verdict = judge_durable(SUMMARIES, refused=[(first, CLOSED)])
    assert (verdict.good, verdict.parked_though_stored) == (True, 50)
    assert judge_durable(SUMMARIES, refused=[(first[1:], CLOSED)]).twice == [*first[1:]]
    assert not judge_durable(others, refused=[(first, "too large")]).good


@pytest.mark.parametrize("reason", ["late", "ambiguous_window", "duplicate", CLOSED])
def test_a_durable_job_parks_messages_only_for_their_own_fault(reason: str) -> None:
    [first, *rest], *others = SUMMARIES
    verdict = judge_durable([tuple(rest), *others], {**FAULTY, first: [reason]})
    assert (len(verdict.wrong), verdict.good) == (1, False)
    assert judge_durable(SUMMARIES, {**FAULTY, first: ["late"]}).late == 1


@pytest.mark.parametrize("lane", LANES)
def test_the_same_seed_gives_the_same_faults(lane: str) -> None:
    first = list(islice(schedule(7, lane), 40))

    assert first == list(islice(schedule(7, lane), 40))
    assert first != list(islice(schedule(8, lane), 40))
    kinds = LANES[lane]
    assert sorted(fault.kind for fault in first[: len(kinds)]) == sorted(kinds)
    assert set(kinds) <= set(KINDS)
