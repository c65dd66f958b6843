"""Documents that claim an existing `_id`: what is read of the stored one, and the result."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.elasticsearch.bulk_request import BulkLines
from connectors.elasticsearch.bulk_response import Items, Refusal, RefusedRequest, Reply, Retry
from connectors.elasticsearch.claims import (
    FoundDocument,
    Resolution,
    failed_claims,
    question,
    replaced,
    resolve,
)
from connectors.elasticsearch.request import Batch, RequestPart
from connectors.message import Claim, Documents


def part(*claims: Claim | None) -> RequestPart:
    count = len(claims)
    documents = Documents([b"{}"] * count, None, [*"abcdefgh"[:count]], claims=[*claims])
    return RequestPart(Batch(documents, BulkLines("index").heads(documents), 0), range(count))


def conflict(replaces: str | None = None, field: str | None = "f") -> Any:
    """A document whose `_id` another document has."""
    items = Items([0], conflicts=[0])
    return failed_claims([part(Claim(field, "mine", replaces))], items, "events"), items


def answer(*documents: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps({"docs": documents}).encode())


def found(**source: Any) -> dict[str, Any]:
    return {"found": True, "_seq_no": 7, "_primary_term": 2, "_source": source}


def summary_of(
    verdicts: Resolution,
) -> tuple[list[int], dict[int, str | None], list[FoundDocument]]:
    """Stored documents, existing other ones, and those to replace: verdicts have no more."""
    items = verdicts.items
    assert [*items.throttled, *items.failed, *items.rejected, *items.conflicts] == []
    return [*items.stored], {**items.failed_claims}, [found for _, found in verdicts.replace]


def test_only_claims_that_conflict_are_looked_up() -> None:
    """A plain document that existed before counts as stored."""
    parts = [part(None, Claim("f", "one")), part(Claim("f", "two"), Claim("f", "three"))]

    failed = failed_claims(parts, Items(range(4), conflicts=[0, 3]), "events")

    assert [(one.place, one.position, one.id) for one in failed] == [(3, 1, "b")]
    assert failed_claims(parts, Items(range(4)), "events") == []


def test_the_existing_document_is_requested_by_its_address() -> None:
    documents = Documents(
        [b"{}"] * 2,
        ["own", None],
        ["a", "b"],
        routings=["r", None],
        claims=[Claim("f.g", "one"), Claim(None, "two")],
    )
    batch = Batch(documents, BulkLines("index").heads(documents), 0)

    failed = failed_claims(
        [RequestPart(batch, range(2))], Items(range(2), conflicts=[0, 1]), "events"
    )

    assert json.loads(question(failed)) == {
        "docs": [
            {"_index": "own", "_id": "a", "_source": ["f.g"], "routing": "r"},
            {"_index": "events", "_id": "b", "_source": False},
        ]
    }


def test_a_claim_that_finds_its_own_document_is_stored() -> None:
    failed, items = conflict(replaces="before")

    assert summary_of(resolve(failed, items, answer(found(f="mine")))) == ([0], {}, [])


def test_a_claim_that_finds_the_version_it_replaces_is_sent_conditionally() -> None:
    failed, items = conflict(replaces="before")

    verdicts = resolve(failed, items, answer(found(f="before")))

    assert summary_of(verdicts) == ([], {}, [FoundDocument("before", 7, 2)])


@pytest.mark.parametrize(
    ("source", "there"), [({"f": "other"}, "other"), ({}, None), ({"f": 5}, None)]
)
def test_a_claim_that_finds_another_document_gets_its_fingerprint(
    source: dict[str, Any], there: str | None
) -> None:
    for replaces in (None, "before"):
        failed, items = conflict(replaces)
        assert summary_of(resolve(failed, items, answer(found(**source)))) == ([], {0: there}, [])


def test_a_claim_that_finds_an_early_document_replaces_it() -> None:
    failed, items = conflict(None)

    there = summary_of(resolve(failed, items, answer(found(f="early:3:ab"))))

    assert there == ([], {}, [FoundDocument("early:3:ab", 7, 2)])


def test_a_field_is_found_with_dots_or_with_objects() -> None:
    claim = Claim("f.g", "mine")
    failed = failed_claims([part(claim, claim)], Items(range(2), conflicts=[0, 1]), "events")
    reply = answer(found(f={"g": "mine"}), found(**{"f.g": "mine"}))

    assert summary_of(resolve(failed, Items(range(2), conflicts=[0, 1]), reply)) == ([0, 1], {}, [])


@pytest.mark.parametrize(
    "there", [{"found": False}, {"error": {"type": "index_not_found_exception"}}]
)
def test_a_claim_whose_document_vanished_is_retried(there: dict[str, Any]) -> None:
    failed, items = conflict()

    assert [one.status for one in resolve(failed, items, answer(there)).items.throttled] == [409]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(403, b'{"error":{"type":"security_exception","reason":"no read"}}'),
        answer({"error": {"type": "security_exception", "reason": "no read"}}),
    ],
)
def test_a_document_that_must_not_be_read_is_rejected(reply: Reply) -> None:
    """A retry would not help; this document or another one may be stored."""
    failed, items = conflict()

    [refusal] = resolve(failed, items, reply).items.rejected

    assert refusal.reason == (
        "ambiguous_window: another document has this _id, and it cannot be read: "
        "security_exception: no read"
    )


@pytest.mark.parametrize(
    "reply",
    [Reply(None, b"no answer"), Reply(429, b"{}"), Reply(503, b""), Reply(200, b"{}"), answer()],
)
def test_a_document_that_cannot_be_read_now_is_retried(reply: Reply) -> None:
    failed, items = conflict()

    made = resolve(failed, items, reply).items

    assert (len(made.throttled), made.stored, made.rejected) == (1, [], [])


def test_a_shard_that_does_not_answer_is_a_failure() -> None:
    """It is retried a limited number of times, since its cause is unknown."""
    failed, items = conflict()

    made = resolve(failed, items, answer({"error": {"type": "no_shard", "reason": None}})).items

    assert [refusal.status for refusal in made.failed] == [500]


def test_a_retry_goes_to_the_place_that_its_item_names() -> None:
    claim = Claim("f", "mine", "before")
    items = Items([0], conflicts=[])
    failed = failed_claims([part(*[claim] * 5)], Items(range(5), conflicts=[1, 2, 3, 4]), None)

    reading = Items([0, 1], [Refusal(2, 429, "busy")], (), [Refusal(3, 400, "bad")], [1])
    made = replaced(failed, items, reading)

    assert made.stored == [0, 1]
    assert [(one.position, one.status) for one in made.throttled] == [(2, 409), (3, 429)]
    assert [(one.position, one.status) for one in made.rejected] == [(4, 400)]


@pytest.mark.parametrize("reading", [Retry(None, "cut"), RefusedRequest(413, "too large")])
def test_a_failed_look_up_retries_all_claims(
    reading: Retry | RefusedRequest,
) -> None:
    failed, _ = conflict("before")

    made = replaced(failed, Items([]), reading)

    assert [one.position for one in [*made.throttled, *made.failed]] == [0]
