"""Documents whose index does not exist are left out of requests."""

from __future__ import annotations

import pytest

from connectors.elasticsearch.bulk_response import Items, Refusal, Retry
from connectors.elasticsearch.existence import (
    ABSENT_FOR,
    KNOWN_FOR,
    Existence,
    parts_without,
    remaining,
)
from connectors.elasticsearch.request import Batch, Request, RequestPart
from connectors.message import Documents


def request(*indices: str | None) -> Request:
    """Two parts: one with these indices, and two documents of a batch without an index."""
    named = Batch(Documents([b"{}"] * len(indices), [*indices], None), None, 0)
    plain = Batch(Documents([b"{}"] * 5, None, None), None, 0)
    return Request([RequestPart(named, range(len(indices))), RequestPart(plain, [2, 4])])


def learned(wait: bool = False, **exists: bool) -> Existence:
    some = Existence("events", wait)
    for name, there in {"events": True, **exists}.items():
        some.learn(name, there, 0.0)
    return some


def test_each_index_is_looked_up_once_and_again_after_a_while() -> None:
    some = Existence("events", wait=False)
    documents = request("a", None, "a", "b")
    assert sorted(some.unknown(documents, 0.0)) == ["a", "b", "events"]

    some.learn("a", True, 0.0)
    some.learn("b", False, 0.0)
    some.learn("events", True, 0.5)

    assert some.unknown(documents, 0.9) == []
    assert some.unknown(documents, ABSENT_FOR) == ["b"]
    assert sorted(some.unknown(documents, KNOWN_FOR)) == ["a", "b"]


def test_the_number_of_remembered_indices_is_bounded() -> None:
    some = Existence(None, wait=False)
    for number in range(20_000):
        some.learn(f"tenant-{number}", False, float(number))

    assert some.unknown(request("tenant-0"), 20_000.0) == ["tenant-0"]
    assert len(some._known) <= 1


def test_documents_of_a_missing_index_are_left_out() -> None:
    some, documents = learned(a=False, b=True), request("b", "a", None, "a")

    absent = some.absent(documents)

    assert [(refusal.position, refusal.status) for refusal in absent] == [(1, 404), (3, 404)]
    assert absent[0].reason == "index_not_found_exception: no such index [a]"
    parts = parts_without(documents, absent)
    assert [list(part.positions) for part in parts] == [[0, 2], [2, 4]]
    assert remaining(absent, documents.documents) == [0, 2, 4, 5]


def test_if_no_index_is_missing_nothing_is_copied() -> None:
    some, documents = learned(a=True), request("a")

    assert some.absent(documents) == []
    assert parts_without(documents, []) is documents.parts


def test_answers_have_the_positions_of_their_documents() -> None:
    some, documents = learned(a=False), request("events", "a", "events")
    reading = Items([0, 3], [Refusal(1, 429, "busy")], [], [Refusal(2, 400, "bad")])

    joined = some.join(reading, some.absent(documents), documents.documents)

    assert isinstance(joined, Items)
    assert joined.stored == [0, 4]
    assert joined.throttled == [Refusal(2, 429, "busy")]
    assert [(refusal.position, refusal.status) for refusal in joined.rejected] == [
        (1, 404),
        (3, 400),
    ]


def test_documents_wait_for_their_index() -> None:
    """Also where the name exists as an index and has to be an alias."""
    some, documents = learned(wait=True, a=False), request("a", "events")
    alias = Refusal(0, 404, "index_not_found_exception: no such index [events] and [require_alias]")

    joined = some.join(Items([1, 2], rejected=[alias]), some.absent(documents), 4)

    assert isinstance(joined, Items)
    assert [refusal.position for refusal in joined.throttled] == [0, 1]
    assert joined.rejected == []


@pytest.mark.parametrize("reading", [Retry(503, "down")])
def test_a_failed_request_fails_for_all_documents(reading: Retry) -> None:
    some = learned(a=False)

    assert some.join(reading, some.absent(request("a")), 3) is reading
