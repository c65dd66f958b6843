"""Documents that claim an `_id` which another one has: what is read of it, and what follows."""

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
    """A document that was to be stored, whose `_id` another one has."""
    items = Items([0], conflicts=[0])
    return failed_claims([part(Claim(field, "mine", replaces))], items, "events"), items


def answer(*documents: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps({"docs": documents}).encode())


def found(**source: Any) -> dict[str, Any]:
    return {"found": True, "_seq_no": 7, "_primary_term": 2, "_source": source}


def told(verdicts: Resolution) -> tuple[list[int], dict[int, str | None], list[FoundDocument]]:
    """What is stored, which others are there, and what is to be replaced; no more is said."""
    items = verdicts.items
    assert [*items.throttled, *items.failed, *items.rejected, *items.conflicts] == []
    return [*items.stored], {**items.failed_claims}, [found for _, found in verdicts.replace]


def test_only_those_are_looked_at_that_claimed_in_vain() -> None:
    """A plain document that was there before is stored, as ever."""
    parts = [part(None, Claim("f", "one")), part(Claim("f", "two"), Claim("f", "three"))]

    failed = failed_claims(parts, Items(range(4), conflicts=[0, 3]), "events")

    assert [(one.place, one.position, one.id) for one in failed] == [(3, 1, "b")]
    assert failed_claims(parts, Items(range(4)), "events") == []


def test_what_is_there_is_asked_for_by_its_address() -> None:
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


def test_what_finds_itself_is_stored() -> None:
    failed, items = conflict(replaces="before")

    assert told(resolve(failed, items, answer(found(f="mine")))) == ([0], {}, [])


def test_what_finds_what_it_replaces_is_sent_in_place_of_just_that() -> None:
    failed, items = conflict(replaces="before")

    verdicts = resolve(failed, items, answer(found(f="before")))

    assert told(verdicts) == ([], {}, [FoundDocument("before", 7, 2)])


@pytest.mark.parametrize(
    ("source", "there"), [({"f": "other"}, "other"), ({}, None), ({"f": 5}, None)]
)
def test_what_finds_another_document_is_told_of_it(
    source: dict[str, Any], there: str | None
) -> None:
    for replaces in (None, "before"):
        failed, items = conflict(replaces)
        assert told(resolve(failed, items, answer(found(**source)))) == ([], {0: there}, [])


def test_a_field_is_found_whether_its_dots_are_objects_or_not() -> None:
    claim = Claim("f.g", "mine")
    failed = failed_claims([part(claim, claim)], Items(range(2), conflicts=[0, 1]), "events")
    reply = answer(found(f={"g": "mine"}), found(**{"f.g": "mine"}))

    assert told(resolve(failed, Items(range(2), conflicts=[0, 1]), reply)) == ([0, 1], {}, [])


@pytest.mark.parametrize(
    "there", [{"found": False}, {"error": {"type": "index_not_found_exception"}}]
)
def test_what_finds_nothing_is_sent_again(there: dict[str, Any]) -> None:
    failed, items = conflict()

    assert [one.status for one in resolve(failed, items, answer(there)).items.throttled] == [409]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(403, b'{"error":{"type":"security_exception","reason":"no read"}}'),
        answer({"error": {"type": "security_exception", "reason": "no read"}}),
    ],
)
def test_what_must_not_be_read_is_rejected_and_told(reply: Reply) -> None:
    """To send it again would not help; it may be stored, or another document may be."""
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
def test_what_cannot_be_read_now_is_sent_again(reply: Reply) -> None:
    failed, items = conflict()

    made = resolve(failed, items, reply).items

    assert (len(made.throttled), made.stored, made.rejected) == (1, [], [])


def test_a_shard_that_does_not_answer_is_a_failure() -> None:
    """Tried a number of times, and no longer: its cause is unknown."""
    failed, items = conflict()

    made = resolve(failed, items, answer({"error": {"type": "no_shard", "reason": None}})).items

    assert [refusal.status for refusal in made.failed] == [500]


def test_what_is_sent_once_more_is_where_its_item_says() -> None:
    claim = Claim("f", "mine", "before")
    items = Items([0], conflicts=[])
    failed = failed_claims([part(*[claim] * 5)], Items(range(5), conflicts=[1, 2, 3, 4]), None)

    reading = Items([0, 1], [Refusal(2, 429, "busy")], (), [Refusal(3, 400, "bad")], [1])
    made = replaced(failed, items, reading)

    assert made.stored == [0, 1]
    assert [(one.position, one.status) for one in made.throttled] == [(2, 409), (3, 429)]
    assert [(one.position, one.status) for one in made.rejected] == [(4, 400)]


@pytest.mark.parametrize("reading", [Retry(None, "cut"), RefusedRequest(413, "too large")])
def test_a_request_that_fails_as_a_whole_leaves_them_to_be_sent_again(
    reading: Retry | RefusedRequest,
) -> None:
    failed, _ = conflict("before")

    made = replaced(failed, Items([]), reading)

    assert [one.position for one in [*made.throttled, *made.failed]] == [0]
