"""Refused documents and outages are distinguished: only a refused document is ever parked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.elasticsearch.bulk_response import Retry
from connectors.elasticsearch.isolate import (
    BROKEN,
    LATE,
    REFUSED,
    RefusalRecord,
    Thresholds,
    Verdict,
    judge,
    probes_needed,
    reject,
    thresholds_of,
)

PAGE = Retry(403, "not an answer of Elasticsearch (text/html: Forbidden)")
CUT = Retry(None, "reset", cut=True)
TIMEOUT = Retry(None, "timed out", late=True)
REFUSALS = {REFUSED: PAGE, BROKEN: CUT, LATE: TIMEOUT}


@pytest.mark.parametrize(
    ("reading", "thresholds"),
    [
        (PAGE, REFUSED),
        (Retry(400, "a page"), REFUSED),
        (Retry(406, "Content-Type", own=True), REFUSED),
        (Retry(500, "null_pointer_exception", own=True), REFUSED),
        (Retry(200, "a page"), REFUSED),
        (Retry(302, "a redirect"), REFUSED),
        (CUT, BROKEN),
        (Retry(502, "a page"), BROKEN),
        (Retry(503, "a page"), BROKEN),
        (TIMEOUT, LATE),
        (Retry(504, "a page"), LATE),
        (Retry(None, "connection refused"), None),
        (Retry(401, "security_exception", own=True), None),
        (Retry(403, "security_exception", own=True), None),
        (Retry(429, "a page"), None),
        (Retry(503, "cluster_block_exception", own=True), None),
    ],
)
def test_a_failure_with_another_cause_is_no_evidence(
    reading: Retry, thresholds: Thresholds | None
) -> None:
    assert thresholds_of(reading) is thresholds


def tries(reading: Retry, documents: int, *, passed: Sequence[int], probed: bool | None) -> int:
    """How often a request is sent until there is a verdict; 0: there is none."""
    record = RefusalRecord()
    for number, others in enumerate(passed, start=1):
        if judge(record, reading, documents, others, probed) in (Verdict.HALVE, Verdict.REJECT):
            return number
    return 0


@pytest.mark.parametrize(("documents", "after"), [(2, 2), (1, 4)])
@pytest.mark.parametrize(("probed", "passed"), [(True, [0] * 20), (None, [*range(20)])])
def test_while_others_pass_a_refused_request_is_halved_and_a_document_rejected(
    documents: int, after: int, probed: bool | None, passed: list[int]
) -> None:
    """Others are requests with documents, or probes."""
    assert tries(PAGE, documents, passed=passed, probed=probed) == after


@pytest.mark.parametrize(("reading", "after"), [(PAGE, 4), (CUT, 6), (TIMEOUT, 13)])
def test_a_failure_that_may_be_chance_must_repeat(reading: Retry, after: int) -> None:
    assert tries(reading, 1, passed=range(20), probed=True) == after


def test_a_passed_probe_is_no_evidence_after_a_timeout() -> None:
    """A probe needs no shard."""
    assert tries(TIMEOUT, 1, passed=[0] * 100, probed=True) == 0


@pytest.mark.parametrize("probed", [False, None])
@pytest.mark.parametrize("reading", REFUSALS.values())
def test_when_nothing_passes_nothing_is_rejected(reading: Retry, probed: bool | None) -> None:
    assert tries(reading, 1, passed=[7] * 1000, probed=probed) == 0


def test_a_first_refusal_pauses_all_requests_unless_a_probe_passes() -> None:
    assert judge(RefusalRecord(), PAGE, 10, 5, None) is Verdict.WAIT
    assert judge(RefusalRecord(), PAGE, 10, 5, False) is Verdict.WAIT
    assert judge(RefusalRecord(), PAGE, 10, 5, True) is Verdict.RETRY


def test_an_outage_in_between_resets_the_count() -> None:
    record = RefusalRecord()
    for _ in range(3):
        judge(record, PAGE, 1, 0, True)
    assert record.counted == 2

    assert judge(record, PAGE, 1, 100, False) is Verdict.WAIT

    assert record.counted == 0
    assert judge(record, PAGE, 1, 100, True) is Verdict.RETRY
    assert record.counted == 0


@pytest.mark.parametrize("servers", range(2, 8))
@pytest.mark.parametrize("first", range(7))
def test_one_faulty_server_behind_a_load_balancer_rejects_nothing(servers: int, first: int) -> None:
    """The load balancer takes its servers in turn; the first of them is faulty."""
    record, turn = RefusalRecord(), first
    for _ in range(100):
        turn += 1
        if (turn - 1) % servers:
            return  # stored
        probed = True
        for _ in range(probes_needed(record, PAGE)):
            turn += 1
            probed = probed and bool((turn - 1) % servers)
        assert judge(record, PAGE, 1, 0, probed) is not Verdict.REJECT


def test_the_reason_quotes_the_refusal() -> None:
    [refusal] = reject(PAGE).rejected
    assert refusal.status == 403
    assert refusal.reason.endswith("while other requests passed: 403, " + PAGE.reason)
    assert reject(CUT).rejected[0].status is None


class ProxyAttempt(NamedTuple):
    """What happens at one moment: to which request, and whether requests pass then."""

    which: int
    """0: another request; otherwise a request that waits, and the probe after it."""
    is_open: bool
    probe_is_open: bool


MOMENTS = st.lists(
    st.builds(ProxyAttempt, st.integers(0, 3), st.booleans(), st.booleans()),
    min_size=20,
    max_size=200,
)


@given(
    moments=MOMENTS,
    refused=st.sets(st.integers(0, 7)),
    thresholds=st.sampled_from([REFUSED, BROKEN, LATE]),
    can_probe=st.booleans(),
)
def test_only_a_document_that_was_refused_alone_while_others_passed_is_rejected(
    moments: list[ProxyAttempt], refused: set[int], thresholds: Thresholds, can_probe: bool
) -> None:
    """Others passed before and after; in the end all others are stored, and these are rejected."""
    reading = REFUSALS[thresholds]
    waiting = [([*range(8)], RefusalRecord())]
    story: dict[int, list[str]] = {number: [] for number in range(8)}
    passed, stored, parked = 0, set[int](), set[int]()
    well = [ProxyAttempt(turn % 2, True, True) for turn in range(2000)]
    for which, is_open, probe_is_open in [*moments, *well]:
        if which == 0 or not waiting:
            if is_open:
                passed += 1
                for events in story.values():
                    events.append("passed")
            continue
        documents, record = waiting.pop(which % len(waiting))
        if is_open and not refused.intersection(documents):
            stored.update(documents)
            passed += 1
            continue
        if len(documents) == 1:
            story[documents[0]].append("refused")
        probed = probe_is_open if can_probe and probes_needed(record, reading) else None
        if probed and thresholds.probes:
            for events in story.values():
                events.append("passed")
        verdict = judge(record, reading, len(documents), passed, probed)
        if verdict is Verdict.REJECT:
            parked.update(documents)
            happened = story[documents[0]]
            pairs = set(pairwise(happened))
            assert ("passed", "refused") in pairs
            assert ("refused", "passed") in pairs
        elif verdict is Verdict.HALVE:
            middle = len(documents) // 2
            waiting += [
                (documents[:middle], RefusalRecord()),
                (documents[middle:], RefusalRecord()),
            ]
        else:
            waiting.append((documents, record))
    assert not waiting
    assert refused <= parked
    assert stored | parked == set(range(8))
    assert all(story[number].count("refused") > 2 for number in parked)
