"""The lines of a bulk request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.elasticsearch.bulk_request import PIECE_BYTES, BulkBody, BulkLines, check
from connectors.elasticsearch.request import Batch
from connectors.message import Documents


def bulk_body(documents: Documents, action: str = "index") -> BulkBody:
    lines = BulkLines(action)
    sent = documents._replace(sources=lines.sources(documents))
    batch = Batch(sent, lines.heads(documents), lines.overhead)
    positions = range(len(sent.sources))
    return BulkBody(lines, [batch.columns(positions)], batch.size(positions))


def body_of(documents: Documents, action: str = "index") -> bytes:
    body = bulk_body(documents, action)
    made = b"".join(body)
    assert body.size == len(made), "the size is announced before the body is made"
    assert b"".join(body) == made, "a body may be sent several times"
    return made


def lines_of(documents: Documents, action: str = "index") -> list[Any]:
    return [json.loads(line) for line in body_of(documents, action).split(b"\n")[:-1]]


def test_documents_without_an_address_get_the_shortest_action_lines() -> None:
    documents = Documents([b'{"n":1}', b'{"n":2}'], None, None)

    assert body_of(documents) == b'{"index":{}}\n{"n":1}\n{"index":{}}\n{"n":2}\n'
    assert body_of(documents, "create") == b'{"create":{}}\n{"n":1}\n{"create":{}}\n{"n":2}\n'


def test_columns_without_values_are_omitted() -> None:
    assert BulkLines("index").heads(Documents([b"{}", b"{}"], [None, None], [None, None])) is None


def test_the_overhead_is_the_size_of_a_document_without_its_source() -> None:
    body = body_of(Documents([b"{}"] * 7, None, None), "create")

    assert len(body) == 7 * (2 + BulkLines("create").overhead)


@pytest.mark.parametrize("ids", [None, [str(n) for n in range(100)]], ids=["alike", "ids"])
@pytest.mark.parametrize("size", [100, 20_000, PIECE_BYTES + 1])
def test_a_body_is_made_in_pieces(size: int, ids: list[str | None] | None) -> None:
    """No piece copies a large document, nor many documents at a time."""
    sources = [b'"%s"' % (b"x" * size)] * 100
    documents = Documents(sources, None, ids)

    lines = body_of(documents).split(b"\n")
    pieces = [*bulk_body(documents)]

    assert lines[1::2] == sources
    if size > PIECE_BYTES:
        assert sum(piece is sources[0] for piece in pieces) == 100
    else:
        assert max(map(len, pieces)) <= PIECE_BYTES
        assert len(pieces) <= 2 + 100 * size // (PIECE_BYTES - size)


texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.lists(st.tuples(st.dictionaries(st.text("ab\n"), st.integers()), texts, texts), min_size=1),
    st.sampled_from(["index", "create"]),
)
def test_elasticsearch_reads_the_address_and_the_source(
    rows: list[tuple[dict[str, int], str | None, str | None]], action: str
) -> None:
    sources = [json.dumps(source).encode() for source, _, _ in rows]
    documents = Documents(sources, [index for _, index, _ in rows], [name for _, _, name in rows])

    lines = [json.loads(line) for line in body_of(documents, action).split(b"\n")[:-1]]

    assert lines[1::2] == [source for source, _, _ in rows]
    addresses = [line[action] for line in lines[0::2]]
    assert [(a.get("_index"), a.get("_id")) for a in addresses] == [row[1:] for row in rows]


def test_documents_without_an_address_are_not_copied() -> None:
    documents = Documents([b"{}"], None, None)

    assert BulkLines("index").sources(documents) is documents.sources


@pytest.mark.parametrize(("action", "more"), [("update", {}), ("upsert", {"doc_as_upsert": True})])
def test_an_update_wraps_the_document_as_a_part(action: str, more: dict[str, bool]) -> None:
    head, source = lines_of(Documents([b'{"n":1}'], None, ["a"]), action)

    assert head == {"update": {"_id": "a", "retry_on_conflict": 3}}
    assert source == {"doc": {"n": 1}} | more


def test_a_deletion_has_no_source_line() -> None:
    documents = Documents([b'{"n":1}', b'{"n":2}'], None, ["a", "b"])

    assert lines_of(documents, "delete") == [{"delete": {"_id": "a"}}, {"delete": {"_id": "b"}}]


def test_each_document_may_have_its_own_action() -> None:
    """A document without one has the action of the sink."""
    actions: list[str | None] = [None, "create", "update", "delete"]
    documents = Documents([b"{}", b"{}", b"{}", b"{}"], None, [*"abcd"], actions=actions)

    lines = lines_of(documents)

    assert [*lines[0]] == ["index"]
    assert [*lines[2]] == ["create"]
    assert [*lines[4]] == ["update"]
    assert lines[5] == {"doc": {}}
    assert [*lines[6]] == ["delete"]
    assert len(lines) == 7


def test_routing_and_version_are_in_the_action_line() -> None:
    documents = Documents([b"{}"] * 2, ["x", None], ["a", "b"], [7, None], None, [None, "r"])

    assert body_of(documents).split(b"\n")[0::2] == [
        b'{"index":{"_index":"x","_id":"a","version":7,"version_type":"external_gte"}}',
        b'{"index":{"_index":null,"_id":"b","routing":"r"}}',
        b"",
    ]


@pytest.mark.parametrize(
    ("action", "name", "has_version"),
    [
        ("index", "a", True),
        ("delete", "a", True),
        ("create", "a", False),
        ("update", "a", False),
        ("index", None, False),
    ],
)
def test_a_version_is_sent_only_with_actions_that_accept_one(
    action: str, name: str | None, has_version: bool
) -> None:
    """With another action Elasticsearch would refuse the whole request."""
    head = lines_of(Documents([b"{}"], None, [name], [7]), action)[0]

    assert ("version" in head[action]) is has_version


@pytest.mark.parametrize("position", [0, 255, 256, 999])
@pytest.mark.parametrize("size", [2000, 2**30], ids=["small", "large"])
def test_a_document_cannot_inject_an_action(position: int, size: int) -> None:
    sources = [b"{}"] * 1000
    check(sources, size)

    sources[position] = b'{}\n{"delete":{"_id":"1"}}'

    with pytest.raises(AssertionError, match="more than one line"):
        check(sources, size)
