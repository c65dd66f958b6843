"""What the log says about trouble, and when."""

from __future__ import annotations

import logging

from connectors.elasticsearch.bulk_response import Items, Refusal, RefusedRequest, Retry
from connectors.elasticsearch.outage_log import EVERY, Culprits, FailureStoreLog, OutageLog

DOWN = Retry(None, "refused")
WELL = Items(range(3))


def hear(
    trouble: OutageLog, reading: Items | Retry | RefusedRequest, now: float
) -> tuple[int, str] | None:
    return trouble.hear(reading, now, now + 1.5, lambda: 4000)


def test_it_says_what_is_wrong_and_what_that_means() -> None:
    assert hear(OutageLog(), Retry(503, "no master"), 5.0) == (
        logging.WARNING,
        "Elasticsearch has not taken all documents for 0.0 s: 503 no master; "
        "4000 wait, next try in 1.5 s",
    )


def test_trouble_is_spoken_of_at_once_and_then_seldom() -> None:
    trouble = OutageLog()

    said = [hear(trouble, DOWN, now) for now in (100.0, 101.0, 109.9, 110.0, 111.0, 120.5)]

    assert [line is not None for line in said] == [True, False, False, True, False, True]
    assert said[-1] is not None
    assert "for 20.5 s: refused" in said[-1][1]


def test_its_end_is_told_once() -> None:
    trouble = OutageLog()
    hear(trouble, DOWN, 100.0)

    assert hear(trouble, WELL, 103.5) == (
        logging.INFO,
        "Elasticsearch takes documents again, after 3.5 s",
    )
    assert hear(trouble, WELL, 104.0) is None


def test_no_trouble_has_no_end() -> None:
    assert hear(OutageLog(), WELL, 1.0) is None


def test_trouble_that_comes_and_goes_is_spoken_of_seldom_too() -> None:
    trouble, lines = OutageLog(), 0
    for now in range(100):
        lines += hear(trouble, DOWN, float(now)) is not None
        lines += hear(trouble, WELL, now + 0.5) is not None

    assert lines == 2 * 100 / EVERY


def test_to_be_shut_out_is_an_error() -> None:
    for status in (301, 401, 403, 404, 405, 406):
        line = hear(OutageLog(), Retry(status, "security_exception"), 1.0)
        assert line is not None
        assert line[0] == logging.ERROR


def test_throttled_documents_are_trouble_and_rejected_ones_are_not() -> None:
    """Those are told of where they are parked."""
    refusals = [Refusal(0, 429, "busy")]

    assert hear(OutageLog(), Items([], throttled=refusals), 1.0) is not None
    assert hear(OutageLog(), Items([], failed=refusals), 1.0) is not None
    assert hear(OutageLog(), Items([], rejected=refusals), 1.0) is None
    assert hear(OutageLog(), RefusedRequest(413, "too large"), 1.0) is None


def test_documents_in_a_failure_store_are_told_at_once_then_seldom_and_all_of_them() -> None:
    misfits, some = FailureStoreLog(), WELL._replace(in_failure_store=2)
    readings: list[Items | Retry] = [WELL, some, some, DOWN, some, WELL]

    said = [misfits.hear(reading, 6.0 * when) for when, reading in enumerate(readings)]

    assert [line is not None for line in said] == [False, True, False, False, True, False]
    assert said[1] is not None
    assert said[1][0] == logging.WARNING
    assert said[4] is not None
    assert "6 so far" in said[4][1]


def test_who_is_refused_while_others_pass_is_told_at_once_and_then_seldom() -> None:
    culprits, page = Culprits(), Retry(403, "a page")

    said = [culprits.hear(page, 200, now) for now in (1.0, 2.0, 1.0 + EVERY)]

    assert [line is not None for line in said] == [True, False, True]
    assert said[0] is not None
    assert said[0][0] == logging.WARNING
    assert said[0][1].startswith("a request of 200 documents is refused while others pass: 403 a p")
