"""What an action line may ask for, what it may not, and where it may reach."""

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


def test_a_body_is_cut_where_its_actions_begin() -> None:
    """Only a deletion has no document on the next line."""
    assert [len(piece.splitlines()) for piece in cut(BODY)] == [2, 1, 2, 2]


def test_what_is_joined_again_is_the_body() -> None:
    """And a part of it is a body as well, which a person can publish again."""
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


def test_the_last_newline_may_be_missing_and_blank_lines_do_not_count() -> None:
    """Nor does a carriage return."""
    body = b'\n{"index":{}}\r\n{"n":1}\r\n\r\n{"delete":{"_id":"1"}}'
    assert [read(piece) for piece in cut(body)] == [
        Document(b'{"n":1}', action="index"),
        Document(b"{}", id="1", action="delete"),
    ]


def test_no_lines_are_no_documents() -> None:
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
    """It is unknown which of the lines that follow are actions. The line is named."""
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
def test_what_an_action_may_say(action: str, document: Document) -> None:
    """Numbers are text, as in Elasticsearch; types are gone."""
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
def test_what_cannot_be_done_is_refused(action: str) -> None:
    """To leave it out would store something else than was asked for."""
    with pytest.raises(Unreadable, match="unknown action: "):
        read(lines(action, '{"n":1}'))


def test_a_reason_is_one_short_line() -> None:
    """With anything in what the reason names."""
    field = "x\\n" * 1000
    for piece in (f'{{"index":{{"{field}":1}}}}', f'{{"{field}":1}}'):
        with pytest.raises(Unreadable) as caught:
            read(lines(piece, "{}"))
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("action", ["update", "delete"])
def test_what_changes_a_document_names_it(action: str) -> None:
    for id in ("", '"_id":""', '"_id":null'):
        with pytest.raises(Unreadable, match="the action has no _id"):
            read(lines(f'{{"{action}":{{{id}}}}}', '{"doc":{}}'))


def test_an_id_that_is_too_long_is_refused() -> None:
    """Elasticsearch would refuse the whole request with it."""
    longest = "é" * 256
    assert read(lines(f'{{"index":{{"_id":"{longest}"}}}}', "{}")).id == longest
    with pytest.raises(Unreadable, match="long_id"):
        read(lines(f'{{"index":{{"_id":"{longest}x"}}}}', "{}"))


def test_an_update_is_its_document() -> None:
    """As the documents of other formats are when the spec says `update`; a script is none."""
    update = '{"update":{"_id":"1","retry_on_conflict":3}}'
    assert read(lines(update, '{"doc": {"n": 1.0}}')).source == b'{"n": 1.0}'
    assert read(lines(update, '{"doc":{},"doc_as_upsert":true}')).action == "upsert"
    assert read(lines(update, '{"doc":{},"doc_as_upsert":false}')).action == "update"
    for refused in ('{"script":"x"}', '{"doc":{},"upsert":{}}', "{}", '{"doc":[1]}', '{"n":1}'):
        with pytest.raises(Unreadable):
            read(lines(update, refused))


@pytest.mark.parametrize("source", ["", "[1]", "null", '{"n":', '{"n":1}{"n":2}'])
def test_a_document_that_is_none_is_refused(source: str) -> None:
    with pytest.raises(Unreadable, match="not a JSON object"):
        read(lines('{"index":{}}', source))


@pytest.mark.parametrize("index", ["events-1", "events-", "audit"])
def test_a_document_may_name_an_index_that_the_spec_allows(index: str) -> None:
    assert read(to(index)).index == index


@pytest.mark.parametrize(
    "index", ["events", "audit2", "my-audit", "users", ".security", "", "EVENTS-1", "events-1\\n"]
)
def test_it_may_name_no_other(index: str) -> None:
    """Not by a part of a name, either: a publisher must not reach every index."""
    with pytest.raises(Unreadable, match="the spec does not allow this index"):
        read(to(index))


@pytest.mark.parametrize("index", ["events-a,users", "events-a/_doc", "events-*", "events-A"])
def test_it_names_one_index_and_not_several(index: str) -> None:
    """What is no name is refused by Elasticsearch's rules, also where a pattern allows it."""
    with pytest.raises(Unreadable, match="the name of an index"):
        read(to(index))


def test_a_star_does_not_stand_for_what_is_elasticsearchs_own() -> None:
    """Only a pattern that begins with a dot means such an index."""
    named = to(".kibana")
    with pytest.raises(Unreadable, match="the spec does not allow this index"):
        document_reader(ADDRESSING, ["*"])(named)
    assert document_reader(ADDRESSING, [".kib*"])(named).index == ".kibana"


def test_without_indices_a_document_may_name_none() -> None:
    with pytest.raises(Unreadable, match="the spec does not allow this index"):
        document_reader(ADDRESSING, [])(to("events"))


def test_where_it_makes_no_difference_any_index_may_be_named() -> None:
    """Documents go where the spec says."""
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
def test_nothing_but_unreadable_is_raised(body: bytes) -> None:
    """For any body; and of what can be cut, each piece can be cut out."""
    with contextlib.suppress(Unreadable):
        for piece in cut(body):
            assert cut(join([piece])) == [piece.rstrip()]
            with contextlib.suppress(Unreadable):
                assert b"\n" not in read(piece).source
