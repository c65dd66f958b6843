"""Version and routing of documents, and documents that lack them."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.elasticsearch.document_metadata import MAX_VERSION, DocumentMetadata, select
from connectors.elasticsearch.spec import ElasticsearchSink, FieldOfDocument
from connectors.message import Documents


def columns(**spec: Any) -> DocumentMetadata:
    return DocumentMetadata(
        ElasticsearchSink(url=("http://localhost:9200",), index="events", **spec)
    )


VERSION = FieldOfDocument(field="meta.version")
ROUTING = FieldOfDocument(field="customer")


def test_documents_that_need_no_metadata_pass_unchanged() -> None:
    documents = Documents([b"{}"], None, None, [7])

    filled = columns().fill(documents)

    assert filled.documents is documents
    assert (filled.positions, filled.rejected) == (range(1), [])


@pytest.mark.parametrize(
    ("source", "version"),
    [
        (b'{"meta":{"version":7}}', 7),
        (b'{"meta.version":7}', 7),
        (b'{"a":[1,{"meta":2}],"meta":{"a":1,"version":"12"}}', 12),
        (b'{"meta":{"version":0}}', 0),
        (b'{"meta":{"version":%d}}' % MAX_VERSION, MAX_VERSION),
    ],
)
def test_a_field_can_be_the_version(source: bytes, version: int) -> None:
    filled = columns(version=VERSION).fill(Documents([source], None, ["a"]))

    assert filled.documents.versions == [version]


@pytest.mark.parametrize(
    "version",
    [
        "-1",
        "1.5",
        "true",
        "null",
        '""',
        '"1e3"',
        '"\u0667"',
        '"seven"',
        str(MAX_VERSION + 1),
        "[1]",
    ],
)
def test_a_document_without_its_version_is_rejected(version: str) -> None:
    """The other documents are not."""
    sources = [b'{"meta":{"version":%s}}' % text.encode() for text in ("1", version, "3")]

    filled = columns(version=VERSION).fill(Documents(sources, ["x", "y", "z"], ["a", "b", "c"]))

    assert filled.positions == [0, 2]
    assert filled.documents == Documents(
        [sources[0], sources[2]], ["x", "z"], ["a", "c"], versions=[1, 3]
    )
    ((position, why),) = filled.rejected
    assert (position, why.index, why.id) == (1, "y", "b")
    assert why.reason.startswith("missing_version: ")


def test_a_given_version_is_kept() -> None:
    filled = columns(version=VERSION).fill(Documents([b"{}"], None, ["a"], [9]))

    assert filled.documents.versions == [9]


@pytest.mark.parametrize("action", ["create", "update", "upsert"])
def test_a_document_whose_action_takes_no_version_needs_none(action: str) -> None:
    documents = Documents([b"{}"], None, ["a"], actions=[action])

    assert columns(version=VERSION).fill(documents).documents.versions is None


def test_a_routing_is_a_text_or_a_number() -> None:
    sources = [b'{"customer":"acme"}', b'{"customer":7}', b"{}"]

    filled = columns(routing=ROUTING).fill(Documents(sources, None, None))

    assert filled.documents.routings == ["acme", "7"]
    assert [(position, why.reason) for position, why in filled.rejected] == [
        (2, "missing_routing: no text or number in the field customer")
    ]


def test_a_given_routing_is_kept() -> None:
    documents = Documents([b"{}"], None, None, actions=[None], routings=["r"])

    assert columns(routing=ROUTING).fill(documents).documents.routings == ["r"]


def test_half_a_character_is_no_routing() -> None:
    filled = columns(routing=ROUTING).fill(Documents([rb'{"customer":"\ud83d"}'], None, None))

    assert [why.reason.partition(":")[0] for _, why in filled.rejected] == ["missing_routing"]


@pytest.mark.parametrize("action", ["update", "delete"])
def test_a_document_to_update_or_delete_needs_an_id(action: str) -> None:
    """Without it Elasticsearch would refuse the whole request."""
    filled = columns(action=action).fill(Documents([b"{}"] * 2, None, ["a", None]))

    assert filled.positions == [0]
    assert filled.rejected[0][1].reason.startswith("missing_id: ")


def test_a_document_with_a_version_needs_an_id() -> None:
    filled = columns(version=VERSION).fill(Documents([b'{"meta":{"version":1}}'], None, None))

    assert filled.rejected[0][1].reason.startswith("missing_id: a version")


def test_an_upsert_is_an_update() -> None:
    filled = columns(action="update", upsert=True).fill(Documents([b"{}"], None, None))

    assert "upsert" in filled.rejected[0][1].reason


def test_columns_can_be_selected() -> None:
    documents = Documents([b"1", b"2"], None, ["a", "b"], [1, 2], ["index", None], None)

    assert select(documents, [1]) == Documents([b"2"], None, ["b"], [2], [None], None)
