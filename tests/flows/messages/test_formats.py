"""A body is passed on unchanged, printed on one line, wrapped as text, or refused."""

from __future__ import annotations

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.messages.formats import (
    MAX_DOCUMENTS,
    Unreadable,
    decode,
    decoder,
    kind_of,
    lines_of,
    read_json,
    read_msgpack,
    read_text,
)

NOW = 1767225600.5


def test_a_json_object_on_one_line_is_passed_on_unchanged() -> None:
    """The same object: nothing is copied, and no digit or blank changes."""
    body = b' {"a": 1.0, "b": 12345678901234567890123, "c": "\xc3\xa9"} '

    assert read_json(body, NOW) is body


def test_a_json_object_on_several_lines_is_put_on_one() -> None:
    """A newline would end the document in the middle of a bulk request."""
    body = b'{\n  "a": 1.0,\n  "b": 12345678901234567890123\r\n}\n'

    document = read_json(body, NOW)

    assert b"\n" not in document
    assert document == b'{"a":1.0,"b":12345678901234567890123}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1} {"b":2}',
        b'{"a":1}\n{"index":{"_index":"other"}}\n{"b":2}',
        b'{"a":"x\ny"}',
        b'{"a":NaN}',
        b'{"a":"\xff"}',
        b"[1,2]",
        b'"text"',
        b"17",
        b"null",
        b"Hello World!",
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    """Any such body is recognised here, and cannot break a bulk request."""
    with pytest.raises(Unreadable, match="not a JSON object"):
        read_json(body, NOW)


def test_text_becomes_a_document_with_the_time_of_arrival() -> None:
    assert json.loads(read_text(b"Hello World!", NOW)) == {
        "message": "Hello World!",
        "@timestamp": "2026-01-01T00:00:00.500Z",
    }


def test_text_may_contain_any_characters_of_utf_8() -> None:
    """Quotes, newlines and zeros are escaped, not lost."""
    text = 'a "quoted"\nline \\ \x00 é'

    document = read_text(text.encode(), NOW)

    assert b"\n" not in document
    assert json.loads(document)["message"] == text


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(Unreadable, match="not text in UTF-8"):
        read_text(b"\xff\xfe", NOW)


def test_a_messagepack_map_is_printed_as_json() -> None:
    body = msgspec.msgpack.encode({"a": [1, 2.5, None], "b": {"c": "é"}})

    assert json.loads(read_msgpack(body, NOW)) == {"a": [1, 2.5, None], "b": {"c": "é"}}


@pytest.mark.parametrize(
    "body",
    [b"", b"\x93\x01\x02\x03", b"\x81\x01\x02", b"\x81\xa1\xff\x01", b"\x81\xa1a\xd4\x01\x02"],
)
def test_a_body_that_is_no_messagepack_map_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable, match="not a MessagePack map"):
        read_msgpack(body, NOW)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", "json"),
        ("application/json; charset=utf-8", "json"),
        ("Application/JSON", "json"),
        ("application/cloudevents+json", "json"),
        ("application/msgpack", "msgpack"),
        ("application/x-msgpack", "msgpack"),
        ("application/x-ndjson", "ndjson"),
        ("application/ndjson;charset=utf-8", "ndjson"),
        ("application/jsonl", "ndjson"),
        ("text/plain", "text"),
        (None, "unknown"),
        ("", "unknown"),
        ("application/octet-stream", "unknown"),
    ],
)
def test_auto_goes_by_the_content_type(content_type: str | None, expected: str) -> None:
    assert kind_of("auto", content_type) == expected


def test_a_format_in_the_spec_outranks_the_content_type() -> None:
    assert kind_of("text", "application/json") == "text"
    assert kind_of("json", None) == "json"
    assert kind_of("msgpack", "text/plain") == "msgpack"
    assert kind_of("es_bulk", "application/x-ndjson") == "es_bulk"


def test_the_fields_of_a_document_are_its_values() -> None:
    """Integers stay exact, however large."""
    body = b'{"a":[1,2.5,null],"b":{"c":"\xc3\xa9"},"d":12345678901234567890123}'
    assert decode(body) == {"a": [1, 2.5, None], "b": {"c": "é"}, "d": 12345678901234567890123}


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b'{"a":"\xff"}', b'{"\xff":1}', b'{"a":' * 100_000, b'{"a":1e400}']
)
def test_fields_without_a_value_are_refused(body: bytes) -> None:
    """A number too large for a float is valid JSON, but has no value."""
    with pytest.raises(Unreadable, match="not a JSON object"):
        decode(body)


def test_only_the_requested_fields_are_built() -> None:
    body = b'{"a":1,"b":{"a":2},"c":"\xc3\xa9","a":3,"":4,"x-y":[5]}'
    assert decoder(["a", "", "x-y", "z"])(body) == {"a": 3, "": 4, "x-y": [5]}
    assert decoder([])(body) == {}
    assert decoder(None)(body) == decode(body)


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b'{"a":"\xff"}', b'{"\xff":1}', b'{"a":' * 100_000, b'{"a":1}}']
)
def test_other_fields_are_checked_too(body: bytes) -> None:
    """But a number too large for a float is allowed there, as in any document."""
    with pytest.raises(Unreadable, match="not a JSON object"):
        decoder(["z"])(body)
    assert decoder(["z"])(b'{"a":1e400,"z":1}') == {"z": 1}


def test_a_body_of_many_lines_is_refused_before_it_takes_much_memory() -> None:
    assert lines_of(b"1\n2\n") == [b"1", b"2"]
    with pytest.raises(Unreadable, match="more than 200000 lines"):
        lines_of(b"\n" * (2 * MAX_DOCUMENTS + 1))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
BODIES = st.one_of(
    st.binary(),
    st.text(alphabet='{}[]",:\\\n 1eu-"é\ufeff').map(str.encode),
    JSON.map(msgspec.msgpack.encode),
    JSON.map(lambda value: json.dumps(value, indent=1).encode()),
    st.integers(0, 3000).map(lambda depth: b'{"a":\n' * depth + b"1" + b"}" * depth),
    st.integers(0, 3000).map(lambda depth: b"\x81\xa1a" * depth + b"\x01"),
)


@given(BODIES)
def test_only_unreadable_is_raised(body: bytes) -> None:
    """A body that is read is a JSON object on one line."""
    for read in (read_json, read_text, read_msgpack):
        try:
            document = read(body, NOW)
        except Unreadable:
            continue
        assert b"\n" not in document
        with contextlib.suppress(RecursionError):  # Python's own parser gives up sooner
            assert isinstance(json.loads(document), dict)
    with contextlib.suppress(Unreadable):
        assert isinstance(decode(body), dict)
