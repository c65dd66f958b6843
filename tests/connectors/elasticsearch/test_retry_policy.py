"""What happens to each document of a request, once its answer has been read."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis
import pytest
from hypothesis import strategies as st

from connectors.elasticsearch.bulk_response import Items, Refusal, RefusedRequest, Retry
from connectors.elasticsearch.indexer import DOCUMENTS
from connectors.elasticsearch.isolate import Verdict
from connectors.elasticsearch.request import Batch, Request, RequestPart
from connectors.elasticsearch.retry_policy import (
    ATTEMPTS_TO_HALVE,
    MAX_ERRORS,
    halve,
    is_overload,
    reject_id_collisions,
    reject_single,
    settle,
)
from connectors.elasticsearch.size_limit import MIN_CUT_BYTES
from connectors.message import Answer, Documents, Rejection


def batch(documents: int, size: int = 2) -> Batch:
    sources = [b"x" * size] * documents
    ids: list[str | None] = [f"id-{n}" for n in range(documents)]
    return Batch(Documents(sources, ["own", *[None] * (documents - 1)], ids), None, 0)


def part(batch: Batch, positions: Sequence[int], attempts: int = 1) -> RequestPart:
    some = RequestPart(batch, positions)
    some.attempts = attempts
    return some


def condemned(
    request: Request, reading: Retry | RefusedRequest, verdict: Verdict = Verdict.WAIT
) -> Items:
    items = reject_single(request, reading, verdict)
    assert isinstance(items, Items)
    return items


def test_an_answer_that_stores_all_documents_names_them_as_submitted() -> None:
    one, other = batch(3), batch(2)
    request = Request([RequestPart(one, range(3)), RequestPart(other, [1])])

    settlement = settle(request, Items(range(4)), "events")

    assert settlement == ([(one, Answer(range(3), [])), (other, Answer([1], []))], [])


def test_positions_are_those_of_the_batch() -> None:
    one, other = batch(9), batch(9)
    request = Request([part(one, [2, 4, 8], attempts=3), part(other, [0, 7])])
    items = Items(
        [0],
        throttled=[Refusal(1, 429, "busy")],
        rejected=[Refusal(2, 400, "bad"), Refusal(3, 404, "gone")],
        failed_claims={4: "there"},
    )

    settlement = settle(request, items, "events")

    assert settlement.answers == [
        (one, Answer([2], [(8, Rejection("bad", 400, "events", "id-8", 3))])),
        (other, Answer([], [(0, Rejection("gone", 404, "own", "id-0", 1))], {7: "there"})),
    ]
    (retry,) = settlement.retries
    assert (retry.batch, retry.positions, retry.attempts) == (one, [4], 3)


def test_throttled_documents_are_retried_for_ever() -> None:
    tired = part(batch(1), [0], attempts=10**6)
    tired.refusals, tired.errors = 1000, MAX_ERRORS - 1

    settlement = settle(Request([tired]), Items([], throttled=[Refusal(0, 503, "no")]), None)

    assert settlement.answers == []
    (retry,) = settlement.retries
    assert (retry.attempts, retry.refusals, retry.errors) == (10**6, 1001, MAX_ERRORS - 1)


def answer(documents: int, throttled: Sequence[int]) -> Items:
    """Some documents are throttled, and all others are stored."""
    stored = [position for position in range(documents) if position not in throttled]
    return Items(stored, throttled=[Refusal(position, 429, "busy") for position in throttled])


@hypothesis.given(st.lists(st.sets(st.integers(0, 19)), max_size=12))
def test_each_document_is_stored_or_retried_and_waits_only_if_most_were_throttled(
    answers: list[set[int]],
) -> None:
    """Of 20 documents, each answer throttles these; it says nothing of the others."""
    some, stored = part(batch(20), range(20)), list[int]()
    for throttled in answers:
        refused = [n for n, position in enumerate(some.positions) if position in throttled]
        settlement = settle(Request([some]), answer(len(some.positions), refused), None)
        stored += [position for _, each in settlement.answers for position in each.stored]
        if not settlement.retries:
            break
        (retry,) = settlement.retries
        assert sorted([*stored, *retry.positions]) == [*range(20)]
        if 2 * len(retry.positions) > len(some.positions):
            assert retry.refusals == some.refusals + 1
        assert retry.may_join == (2 * len(retry.positions) <= len(some.positions))
        some = retry


@hypothesis.given(
    shares=st.lists(st.integers(51, 100), min_size=200, max_size=200), documents=st.integers(1, 50)
)
def test_if_most_documents_are_throttled_requests_become_rarer(
    shares: list[int], documents: int
) -> None:
    """At most a dozen in a minute, however many documents wait; with the longest delays."""
    some, now, sent = part(batch(documents), range(documents)), 0.0, 0
    for share in shares:
        sent += 1
        size = len(some.positions)
        refused = range(min(size, -(-size * share // 100)))
        retries = settle(Request([some]), answer(size, refused), None).retries
        if not retries or now > 60:
            break
        (some,) = retries
        now += DOCUMENTS.delay(some.refusals - 1, 1.0)

    assert sent <= 14


@hypothesis.given(st.integers(1, 100), st.data())
def test_a_request_counts_as_throttled_when_most_of_it_is(
    documents: int, data: st.DataObject
) -> None:
    throttled = data.draw(st.integers(0, documents))

    assert is_overload(answer(documents, range(throttled)), documents) == (
        throttled > documents - throttled
    )


def test_a_missing_index_is_no_overload() -> None:
    assert not is_overload(Items([], throttled=[Refusal(0, 404, "no such index")]), 1)


def test_a_document_at_which_elasticsearch_fails_is_rejected_in_the_end() -> None:
    some, times = part(batch(2), [1]), 1
    items = Items([], failed=[Refusal(0, 500, "null_pointer_exception")])

    while (settlement := settle(Request([some]), items, "events")).retries:
        assert settlement.answers == []
        (some,) = settlement.retries
        times += 1

    assert times == MAX_ERRORS
    ((_, answer),) = settlement.answers
    assert answer.rejected[0][0] == 1
    assert answer.rejected[0][1].reason == "null_pointer_exception"


def test_an_invalid_request_is_halved_until_the_bad_document_is_alone() -> None:
    indigestible = RefusedRequest(400, "malformed")
    halves = halve(Request([RequestPart(batch(5), range(5))]), indigestible)

    assert halves is not None
    assert [half.documents for half in halves] == [2, 3]
    guilty = Request([part(batch(5), [3], attempts=4)])
    assert halve(guilty, indigestible) is None
    ((_, answer),) = settle(guilty, condemned(guilty, indigestible), "events").answers
    assert answer.rejected == [(3, Rejection("malformed", 400, "events", "id-3", 4))]


@pytest.mark.parametrize("status", [None, 401, 403, 404, 500, 502, 503, 504])
def test_a_failure_unrelated_to_the_request_does_not_halve_it(status: int | None) -> None:
    request = Request([part(batch(1000, size=1000), range(1000), attempts=3)])

    assert halve(request, Retry(status, "")) is None


def test_a_request_that_always_exceeds_the_memory_is_halved() -> None:
    """Each size is tried three times: `indexing_pressure.memory.limit` may be below it."""
    window, halved_at = batch(4), []
    request = Request([part(window, range(4), attempts=0)])

    for attempt in range(1, 10):
        request.parts[0].attempts = attempt
        halves = halve(request, Retry(429, "es_rejected_execution_exception"))
        if halves is not None:
            halved_at.append(attempt)
            request = halves[0]

    assert halved_at == [ATTEMPTS_TO_HALVE, 2 * ATTEMPTS_TO_HALVE]
    assert request.documents == 1


CUT = Retry(None, "ConnectionError: reset", cut=True)


@pytest.mark.parametrize("verdict", [Verdict.HALVE, Verdict.TOO_LARGE])
def test_a_request_whose_content_or_size_is_at_fault_is_halved(verdict: Verdict) -> None:
    request = Request([part(batch(2), range(2))])

    assert halve(request, CUT, verdict) is not None


@pytest.mark.parametrize("attempts", range(1, 10))
def test_a_broken_connection_alone_halves_no_request(attempts: int) -> None:
    """However large the request is, and however often it was sent: it may be an outage."""
    request = Request([part(batch(2, 10**6), range(2), attempts=attempts)])

    assert halve(request, CUT) is None


def test_a_document_whose_size_is_at_fault_is_rejected() -> None:
    huge = Request([part(batch(1, 2 * MIN_CUT_BYTES), [0], attempts=1)])

    assert condemned(huge, CUT, Verdict.TOO_LARGE).rejected == [
        Refusal(0, 413, f"too large: {CUT.reason}")
    ]
    assert reject_single(huge, CUT) is CUT


def test_a_small_document_is_retried_for_ever() -> None:
    request = Request([part(batch(1, MIN_CUT_BYTES), [0], attempts=1000)])

    assert reject_single(request, CUT) is CUT


def test_a_document_that_met_another_is_rejected_unless_it_may_be_the_same() -> None:
    """It may be if its `_id` is ours, its answer was lost, or its message was delivered before."""
    documents = Documents(
        [b"{}"] * 4, None, [None, "ours", None, None], redelivered=[False, False, True, False]
    )
    lost = RequestPart(Batch(Documents([b"{}"], None, None), None, 0), [0])
    lost.maybe_stored = True
    parts = [RequestPart(Batch(documents, None, 0), range(4)), lost]
    create_conflicts = [
        Refusal(position, 409, "version_conflict_engine_exception") for position in range(5)
    ]
    items = Items(range(5), conflicts=range(5), create_conflicts=create_conflicts)

    parked = reject_id_collisions(parts, items)

    assert parked.stored == [1, 2, 4]
    assert [refusal.position for refusal in parked.rejected] == [0, 3]
    assert parked.rejected[0].status == 409
    assert parked.rejected[0].reason.startswith("version_conflict: another document has the _id ")
    assert parked.conflicts == [1, 2, 4]


@pytest.mark.parametrize(
    ("reading", "may_be"),
    [
        (CUT, True),
        (CUT._replace(cut=False, late=True), True),
        (CUT._replace(cut=False), False),
        (Retry(504, "a page"), True),
        (Retry(200, "half an answer"), True),
        (Retry(403, "a page"), False),
        (Retry(429, "busy", own=True), False),
        (Retry(503, "no master", own=True), False),
    ],
)
def test_a_request_without_an_answer_may_have_been_executed(reading: Retry, may_be: bool) -> None:
    assert reading.may_be_stored is may_be
