"""What the log says about an outage, and when."""

from __future__ import annotations

import logging

from connectors.elasticsearch.bulk_response import Items, Refusal, RefusedRequest, Retry
from connectors.elasticsearch.outage_log import (
    LOG_AFTER,
    FailureStoreLog,
    OutageLog,
    RefusedRequestLog,
)

DOWN = Retry(None, "refused")
WELL = Items(range(3))


def entry_for(
    outage: OutageLog, reading: Items | Retry | RefusedRequest, now: float
) -> tuple[int, str] | None:
    return outage.entry_for(reading, now, now + 1.5, lambda: 4000)


def test_the_log_says_what_is_wrong_and_what_follows() -> None:
    assert entry_for(OutageLog(), Retry(503, "no master"), 5.0) == (
        logging.WARNING,
        "Elasticsearch has not accepted all documents for 0.0 s: 503 no master; "
        "4000 wait, next attempt in 1.5 s",
    )


def test_a_reason_that_ends_with_a_semicolon_gets_no_second_one() -> None:
    entry = entry_for(OutageLog(), Retry(429, "the index has a block];"), 5.0)

    assert entry is not None
    assert "429 the index has a block]; 4000 wait" in entry[1]


def test_an_outage_is_logged_at_once_and_then_seldom() -> None:
    outage = OutageLog()

    entries = [entry_for(outage, DOWN, now) for now in (100.0, 101.0, 109.9, 110.0, 111.0, 120.5)]

    assert [line is not None for line in entries] == [True, False, False, True, False, True]
    assert entries[-1] is not None
    assert "for 20.5 s: refused" in entries[-1][1]


def test_the_end_of_an_outage_is_logged_once() -> None:
    outage = OutageLog()
    entry_for(outage, DOWN, 100.0)

    assert entry_for(outage, WELL, 103.5) == (
        logging.INFO,
        "Elasticsearch accepts documents again, after 3.5 s",
    )
    assert entry_for(outage, WELL, 104.0) is None


def test_without_an_outage_no_end_is_logged() -> None:
    assert entry_for(OutageLog(), WELL, 1.0) is None


def test_an_outage_that_comes_and_goes_is_logged_seldom_too() -> None:
    outage, lines = OutageLog(), 0
    for now in range(100):
        lines += entry_for(outage, DOWN, float(now)) is not None
        lines += entry_for(outage, WELL, now + 0.5) is not None

    assert lines == 2 * 100 / LOG_AFTER


def test_a_refused_login_is_an_error() -> None:
    for status in (301, 401, 403, 404, 405, 406):
        line = entry_for(OutageLog(), Retry(status, "security_exception"), 1.0)
        assert line is not None
        assert line[0] == logging.ERROR


def test_throttled_documents_are_an_outage_and_rejected_ones_are_not() -> None:
    """Rejected ones are logged where they are parked."""
    refusals = [Refusal(0, 429, "busy")]

    assert entry_for(OutageLog(), Items([], throttled=refusals), 1.0) is not None
    assert entry_for(OutageLog(), Items([], failed=refusals), 1.0) is not None
    assert entry_for(OutageLog(), Items([], rejected=refusals), 1.0) is None
    assert entry_for(OutageLog(), RefusedRequest(413, "too large"), 1.0) is None


def test_documents_in_a_failure_store_are_all_counted_in_the_log() -> None:
    failure_store, some = FailureStoreLog(), WELL._replace(in_failure_store=2)
    readings: list[Items | Retry] = [WELL, some, some, DOWN, some, WELL]

    entries = [
        failure_store.entry_for(reading, 6.0 * when) for when, reading in enumerate(readings)
    ]

    assert [line is not None for line in entries] == [False, True, False, False, True, False]
    assert entries[1] is not None
    assert entries[1][0] == logging.WARNING
    assert entries[4] is not None
    assert "6 so far" in entries[4][1]


def test_a_refused_document_is_logged_at_once_and_then_seldom() -> None:
    refused, page = RefusedRequestLog(), Retry(403, "a page")

    entries = [refused.entry_for(page, 200, now) for now in (1.0, 2.0, 1.0 + LOG_AFTER)]

    assert [line is not None for line in entries] == [True, False, True]
    assert entries[0] is not None
    assert entries[0][0] == logging.WARNING
    assert entries[0][1].startswith(
        "a request of 200 documents is refused while others pass: 403 a p"
    )
