"""Bulk bodies: which actions, documents and indices are allowed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.messages.bulk_bodies import cut, document_reader, join
from flows.messages.formats import Document, Unreadable
from tests.flows.addressing import ADDRESSING

read = document_reader(ADDRESSING, ["events-*", "audit"])


def lines(*texts: str) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def to(index: str) -> bytes:
    return b'{"index":{"_index":"%b"}}\n{}\n' % index.encode()


BODY = lines(
    '{"index":{"_index":"audit","_id":"1"}}',
    '{"n":1}',
    '{"delete":{"_index":"audit","_id":"2"}}',
    '{"create":{}}',
    '{"n":3}',
    '{"update":{"_id":"4"}}',
    '{"doc":{"n":4}}',
)


def test_a_body_is_split_at_its_actions() -> None:
    """Only a deletion has no document on the next line."""
    assert [len(piece.splitlines()) for piece in cut(BODY)] == [2, 1, 2, 2]


def test_the_joined_parts_are_the_body() -> None:
    """A part of it is a body too, which can be published again."""
    pieces = cut(BODY)
    assert join(pieces) == BODY
    assert cut(join(pieces[1:3])) == pieces[1:3]


def test_each_document_has_its_action_index_and_id() -> None:
    assert [read(piece) for piece in cut(BODY)] == [
        Document(b'{"n":1}', "audit", "1", "index"),
        Document(b"{}", "audit", "2", "delete"),
        Document(b'{"n":3}', None, None, "create"),
        Document(b'{"n":4}', None, "4", "update"),
    ]


def test_the_last_newline_may_be_missing_and_blank_lines_are_ignored() -> None:
    """Carriage returns too."""
    body = b'\n{"index":{}}\r\n{"n":1}\r\n\r\n{"delete":{"_id":"1"}}'
    assert [read(piece) for piece in cut(body)] == [
        Document(b'{"n":1}', action="index"),
        Document(b"{}", id="1", action="delete"),
    ]


def test_a_body_without_lines_has_no_documents() -> None:
    assert cut(b"") == cut(b"\n \n") == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lines('{"n":1}'), "line 1: no action: Invalid enum value 'n'"),
        (lines('{"index":{}}', '{"n":1}', '{"n":2}'), "line 3: no action: "),
        (lines('{"index":{}}', '{"n":1}', '{"index":{}'), "line 3: no action: "),
        (lines('{"index":{}}'), "line 1: cut off: no document follows the action"),
        (lines('{"index":{},"create":{}}', "{}"), "line 1: no action: it has 2 names"),
        (lines("{}"), "line 1: no action: it has 0 names"),
        (lines('{"index":1}', "{}"), "line 1: no action: Expected `object`"),
        (b"\xff\n", "line 1: no action: "),
    ],
)
def test_a_line_that_is_no_action_makes_the_whole_body_unreadable(body: bytes, reason: str) -> None:
    """It is unknown which of the following lines are actions. The reason names the line."""
    with pytest.raises(Unreadable) as caught:
        cut(body)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("action", "document"),
    [
        ('{"index":{"_id":7,"routing":8}}', Document(b'{"n":1}', None, "7", "index", "8")),
        ('{"index":{"_type":"old"}}', Document(b'{"n":1}', action="index")),
        ('{"index":{"_index":null}}', Document(b'{"n":1}', action="index")),
        ('{"index":{"routing":"a"}}', Document(b'{"n":1}', action="index", routing="a")),
    ],
)
def test_the_allowed_options_of_an_action(action: str, document: Document) -> None:
    """Numbers are texts, as in Elasticsearch; document types no longer exist."""
    assert read(lines(action, '{"n":1}')) == document


@pytest.mark.parametrize(
    "action",
    [
        '{"index":{"version":3}}',
        '{"index":{"if_seq_no":3,"if_primary_term":1}}',
        '{"index":{"pipeline":"p"}}',
        '{"index":{"_parent":"p"}}',
        '{"index":{"_id":true}}',
        '{"index":{"_id":["a"]}}',
        '{"index":{"_index":7}}',
        '{"index":{"_id":"\\ud800"}}',
    ],
)
def test_an_unsupported_option_is_refused(action: str) -> None:
    """Ignoring it would store something else than the sender asked for."""
    with pytest.raises(Unreadable, match="unknown action: "):
        read(lines(action, '{"n":1}'))


def test_a_reason_is_one_short_line() -> None:
    """Also with any content in the names that it quotes."""
    field = "x\\n" * 1000
    for piece in (f'{{"index":{{"{field}":1}}}}', f'{{"{field}":1}}'):
        with pytest.raises(Unreadable) as caught:
            read(lines(piece, "{}"))
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("action", ["update", "delete"])
def test_a_change_of_a_document_needs_its_id(action: str) -> None:
    for id in ("", '"_id":""', '"_id":null'):
        with pytest.raises(Unreadable, match="the action has no _id"):
            read(lines(f'{{"{action}":{{{id}}}}}', '{"doc":{}}'))


def test_an_id_that_is_too_long_is_refused() -> None:
    """Elasticsearch would refuse the whole request."""
    longest = "é" * 256
    assert read(lines(f'{{"index":{{"_id":"{longest}"}}}}', "{}")).id == longest
    with pytest.raises(Unreadable, match="long_id"):
        read(lines(f'{{"index":{{"_id":"{longest}x"}}}}', "{}"))


def test_an_update_is_its_document() -> None:
    """As with other formats when the spec says `update`; a script is not supported."""
    update = '{"update":{"_id":"1","retry_on_conflict":3}}'
    assert read(lines(update, '{"doc": {"n": 1.0}}')).source == b'{"n": 1.0}'
    assert read(lines(update, '{"doc":{},"doc_as_upsert":true}')).action == "upsert"
    assert read(lines(update, '{"doc":{},"doc_as_upsert":false}')).action == "update"
    for refused in ('{"script":"x"}', '{"doc":{},"upsert":{}}', "{}", '{"doc":[1]}', '{"n":1}'):
        with pytest.raises(Unreadable):
            read(lines(update, refused))


@pytest.mark.parametrize("source", ["", "[1]", "null", '{"n":', '{"n":1}{"n":2}'])
def test_an_invalid_document_is_refused(source: str) -> None:
    with pytest.raises(Unreadable, match="not a JSON object"):
        read(lines('{"index":{}}', source))


@pytest.mark.parametrize("index", ["events-1", "events-", "audit"])
def test_a_document_may_name_an_index_that_the_spec_allows(index: str) -> None:
    assert read(to(index)).index == index


@pytest.mark.parametrize(
    "index", ["events", "audit2", "my-audit", "users", ".security", "", "EVENTS-1", "events-1\\n"]
)
def test_a_document_may_not_name_another_index(index: str) -> None:
    """Not by a part of a name either: a publisher must not reach every index."""
    with pytest.raises(Unreadable, match="the spec does not allow this index"):
        read(to(index))


@pytest.mark.parametrize("index", ["events-a,users", "events-a/_doc", "events-*", "events-A"])
def test_a_document_names_one_index_and_not_several(index: str) -> None:
    """An invalid name is refused by Elasticsearch's rules, even if a pattern allows it."""
    with pytest.raises(Unreadable, match="the name of an index"):
        read(to(index))


def test_a_star_does_not_include_system_indices() -> None:
    """Only a pattern that begins with a dot includes such an index."""
    named = to(".kibana")
    with pytest.raises(Unreadable, match="the spec does not allow this index"):
        document_reader(ADDRESSING, ["*"])(named)
    assert document_reader(ADDRESSING, [".kib*"])(named).index == ".kibana"


def test_without_indices_in_the_spec_a_document_may_name_none() -> None:
    with pytest.raises(Unreadable, match="the spec does not allow this index"):
        document_reader(ADDRESSING, [])(to("events"))


def test_if_the_spec_decides_the_index_any_name_is_accepted() -> None:
    """Documents go to the index of the spec."""
    assert document_reader(ADDRESSING, None)(to(".X")).index is None


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            *(b'{"index":{', b'{"delete":{', b'{"update":{"_id":"1"}}', b'{"doc":', b"{}", b"}}"),
            *(b'"_id":', b'"1"', b'"_index":"audit"', b'"\\ud800"', b"\n", b" ", b"\xff"),
            b'{"a":' * 2000,
        ]
    ),
)


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_only_unreadable_is_raised(body: bytes) -> None:
    """For any body; and each part of a splittable body can be taken out."""
    with contextlib.suppress(Unreadable):
        for piece in cut(body):
            assert cut(join([piece])) == [piece.rstrip()]
            with contextlib.suppress(Unreadable):
                assert b"\n" not in read(piece).source
