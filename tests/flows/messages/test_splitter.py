"""A body is one document or several, each of which is read by itself."""

from __future__ import annotations

import contextlib
import gzip
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.elasticsearch.address import MAX_ID_BYTES
from connectors.message import Properties
from connectors.spec import Format
from flows.messages.containers import Pieces, Refused
from flows.messages.encoding import codings, pack
from flows.messages.formats import MAX_DOCUMENTS, Document, TooLarge, Unreadable
from flows.messages.splitter import Reading, Splitter, name_of_part
from tests.flows.addressing import ADDRESSING

NOW = 1767225600.5
MOST = 16 * 1024 * 1024
NDJSON = "application/x-ndjson"
FORMATS: list[Format] = ["auto", "json", "text", "msgpack", "ndjson", "es_bulk"]


def reading(
    format: Format = "auto",
    content_type: str | None = None,
    content_encoding: str | None = None,
) -> Reading:
    properties = Properties(content_type=content_type, content_encoding=content_encoding)
    return Splitter(format, MOST, ADDRESSING, ["*"]).reading(properties)


def documents(*sources: bytes) -> list[Document]:
    return [Document(source) for source in sources]


@pytest.mark.parametrize("format", ["json", "auto"])
def test_a_json_object_is_one_unchanged_document(format: Format) -> None:
    body = b'{"a": [1, {"b": 2}]}'
    assert reading(format).read(body, NOW) is body


@pytest.mark.parametrize("format", ["json", "auto"])
def test_a_json_array_is_its_objects(format: Format) -> None:
    """Each unchanged, on one line."""
    body = b' [ {"a": 1.0},\n{"b":\n"\xc3\xa9,[{"}\r\n,{}]\n'
    assert reading(format).read(body, NOW) == documents(
        b'{"a": 1.0}', '{"b":"é,[{"}'.encode(), b"{}"
    )


@pytest.mark.parametrize(
    ("format", "content_type"), [("ndjson", None), ("auto", NDJSON), ("ndjson", "text/plain")]
)
def test_ndjson_is_its_lines(format: Format, content_type: str | None) -> None:
    """With a newline at the end or without; blank lines are ignored."""
    body = b'{"a": 1}\n\n{"b":2}\r\n  \n{"c":3}'
    expected = documents(b'{"a": 1}', b'{"b":2}', b'{"c":3}')
    assert reading(format, content_type).read(body, NOW) == expected
    assert reading(format, content_type).read(body + b"\n", NOW) == expected


def test_a_bulk_body_is_its_actions() -> None:
    body = b'{"index":{"_index":"i","_id":"1"}}\n{"a":1}\n{"delete":{"_id":"2"}}\n'
    assert reading("es_bulk").read(body, NOW) == [
        Document(b'{"a":1}', "i", "1", "index"),
        Document(b"{}", None, "2", "delete"),
    ]


def test_a_bulk_body_needs_the_format_of_the_spec() -> None:
    """No content type of a sender lets documents name their index."""
    body = b'{"index":{"_index":"i"}}\n{"a":1}\n'
    assert reading("auto", NDJSON).read(body, NOW) == documents(*body.splitlines())


@pytest.mark.parametrize(
    ("format", "body"), [("json", b'[{"a":1}]'), ("auto", b'[{"a":1}]'), ("ndjson", b'{"a":1}\n')]
)
def test_a_body_of_one_document_is_one_in_every_format(format: Format, body: bytes) -> None:
    """So its message is settled like any other."""
    assert reading(format).read(body, NOW) == b'{"a":1}'


def test_one_document_with_options_is_a_list_of_one() -> None:
    pieces = reading("es_bulk").read(b'{"index":{}}\n{"a":1}', NOW)
    assert pieces == [Document(b'{"a":1}', action="index")]


@pytest.mark.parametrize(
    ("format", "body", "reason"),
    [
        ("json", b'[{"a":1},{"c":"\xff"},{"b":2}]', "not a JSON object: 'utf-8' codec can't"),
        ("auto", b'[{"a":1},{"c":"\xff"},{"b":2}]', "not a JSON object: 'utf-8' codec can't"),
        ("ndjson", b'{"a":1}\n{"c":\n{"b":2}', "not a JSON object: Input data was truncated"),
        ("ndjson", b'{"a":1}\n[{}]\n{"b":2}', "not a JSON object: Expected `object`, got `array`"),
    ],
)
def test_an_unreadable_document_does_not_affect_others(
    format: Format, body: bytes, reason: str
) -> None:
    pieces = reading(format).read(body, NOW)

    assert isinstance(pieces, list)
    assert [pieces[0], pieces[2]] == documents(b'{"a":1}', b'{"b":2}')
    assert isinstance(pieces[1], Refused)
    assert pieces[1].reason.startswith(reason)


@pytest.mark.parametrize(
    ("format", "body", "reason"),
    [
        ("json", b'[{"a":1},{"b":}]', r"not a JSON array: .*\(byte 14\)"),
        ("json", b'[{"a":1}', "not a JSON array: Input data was truncated"),
        ("json", b'[{"a":1}] [{"b":2}]', "not a JSON array: .*trailing"),
        ("json", b"[" * 100_000, "not a JSON array: nested too deeply"),
        ("json", b"17", "not a JSON object: "),
        ("es_bulk", b'{"index":{}}\n{"a":1}\n{"a":2}\n{"b":3}\n', "line 3: no action: "),
    ],
)
def test_a_body_that_cannot_be_split_is_refused_whole(
    format: Format, body: bytes, reason: str
) -> None:
    with pytest.raises(Unreadable, match=f"^{reason}"):
        reading(format).read(body, NOW)


@pytest.mark.parametrize(
    ("format", "body"),
    [("json", b"[]"), ("json", b" [ ] "), ("ndjson", b""), ("ndjson", b"\n\n"), ("es_bulk", b"\n")],
)
def test_a_body_without_documents_is_refused(format: Format, body: bytes) -> None:
    """Otherwise it would be acknowledged, although nothing was stored."""
    with pytest.raises(Unreadable, match=r"^empty: the body has no document$"):
        reading(format).read(body, NOW)


@pytest.mark.parametrize(
    ("format", "body"),
    [
        ("json", b'[{"a":"\xff"},{"\xff":1}]'),
        ("ndjson", b"1\n2"),
        ("es_bulk", b'{"index":{}}\n1\n{"index":{}}\n2\n'),
    ],
)
def test_a_message_without_a_readable_document_is_unreadable(format: Format, body: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^document 1 of 2: not a JSON object: "):
        reading(format).read(body, NOW)


@pytest.mark.parametrize("body", [b"[1]", b"[]", b"[oops", b"{oops}", b"Hello World!", b""])
def test_without_a_content_type_an_array_without_objects_is_text(body: bytes) -> None:
    document = reading("auto").read(body, NOW)
    assert isinstance(document, bytes)
    assert json.loads(document)["message"] == body.decode()


def test_too_many_documents_are_refused_before_they_take_much_memory() -> None:
    """The shortest documents would take two hundred times the memory of their body."""
    bodies: dict[Format, bytes] = {
        "json": b"[" + b"{}," * MAX_DOCUMENTS + b"{}]",
        "ndjson": b"{}\n" * (MAX_DOCUMENTS + 1),
        "es_bulk": b'{"delete":{"_id":1}}\n' * (MAX_DOCUMENTS + 1),
    }
    for format, body in bodies.items():
        with pytest.raises(Unreadable, match="more than 100000 documents"):
            reading(format).read(body, NOW)


def test_many_commas_are_not_many_documents() -> None:
    body = b'[{"a":[' + b"1," * MAX_DOCUMENTS + b"1]},{}]"
    assert len(reading("json").read(body, NOW)) == 2


@pytest.mark.parametrize("content_encoding", ["gzip", "deflate, zstd", "utf-8, gzip"])
def test_a_body_is_decompressed_first(content_encoding: str) -> None:
    how, done = reading("json", None, content_encoding), codings(content_encoding)

    assert how.read(pack(b'{"a":1}', done), NOW) == b'{"a":1}'
    assert how.read_fields(pack(b'{"a":1}', done), NOW) == (b'{"a":1}', {"a": 1})
    assert how.read(pack(b"[{},{}]", done), NOW) == documents(b"{}", b"{}")


@pytest.mark.parametrize("content_encoding", ["gzip", None])
def test_a_body_that_decompresses_to_too_much_is_refused(content_encoding: str | None) -> None:
    properties = Properties(content_encoding=content_encoding)
    how = Splitter("text", max_message=100, names=ADDRESSING).reading(properties)
    assert how.read(gzip.compress(b"x" * 100), NOW)
    for read in (how.read, how.read_fields):
        with pytest.raises(TooLarge, match="unpacks to more than max_message"):
            read(gzip.compress(b"x" * 101), NOW)


@pytest.mark.parametrize("format", FORMATS)
def test_a_body_that_is_too_large_is_refused_before_it_is_parsed(format: Format) -> None:
    """Compressed or not: any body of that size is parked."""
    for body in (b'{"a":"' + b"x" * 92 + b'"}', b"[" * 100, b"x" * 100):
        how = Splitter(format, max_message=100, names=ADDRESSING).reading(Properties())
        with contextlib.suppress(Unreadable):
            how.read(body, NOW)
        for read in (how.read, how.read_fields):
            with pytest.raises(
                TooLarge, match=r"^has 101 bytes, which is more than max_message \(100B\)$"
            ):
                read(body + b" ", NOW)


def test_the_size_counts_in_its_charset_and_in_utf_8() -> None:
    splitter = Splitter("text", max_message=100, names=ADDRESSING)
    latin = splitter.reading(Properties(content_type="text/plain; charset=latin1"))
    assert latin.read("é".encode("latin1") * 50, NOW)
    with pytest.raises(TooLarge, match="has 102 bytes"):
        latin.read("é".encode("latin1") * 51, NOW)
    wide = splitter.reading(Properties(content_type="text/plain; charset=utf-16-le"))
    with pytest.raises(TooLarge, match="has 102 bytes"):
        wide.read(("x" * 51).encode("utf-16-le"), NOW)


CELERY = b'[[1,"two"],{"key":"v"},{"callbacks":null}]'


@pytest.mark.parametrize("content_type", ["application/json", None])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (CELERY, "number 1 of its 3 values is an array"),
        (b'[{"a":1}, 2]', "number 2 of its 2 values is a number"),
        (b'[{"a":1},{},null\n]', "number 3 of its 3 values is null"),
        (b'[{"a":1},"x",-1]', "number 2 of its 3 values is a text"),
        (b'\xef\xbb\xbf [true,{"a":1}]', "number 1 of its 2 values is true"),
        (b'[{"a":1},[{"a":1}]]', "number 2 of its 2 values is an array"),
    ],
)
def test_an_array_of_objects_and_other_values_is_refused_whole(
    content_type: str | None, body: bytes, reason: str
) -> None:
    """It is one value: its objects are no documents, with any content type."""
    how = reading("auto", content_type)
    for read in (how.read, how.read_fields):
        with pytest.raises(Unreadable, match=f"^not an array of objects: {reason}$"):
            read(body, NOW)


@pytest.mark.parametrize("body", [b"[1,2]", b'["a"]', b"[[{}]]"])
def test_an_array_without_objects_is_refused_if_the_content_type_is_json(body: bytes) -> None:
    for how in (reading("json"), reading("auto", "application/json")):
        with pytest.raises(Unreadable, match=r"^not an array of objects: number 1 of its"):
            how.read(body, NOW)


def test_an_unknown_coding_is_refused_before_a_body_is_read() -> None:
    with pytest.raises(Unreadable, match="content_encoding 'br'"):
        reading("json", None, "br")


def test_equal_properties_are_analysed_once() -> None:
    """The result is cached."""
    splitter = Splitter("auto", MOST, ADDRESSING)
    first = splitter.reading(Properties(content_type=NDJSON, message_id="1"))
    assert splitter.reading(Properties(content_type=NDJSON, message_id="2")) is first
    assert splitter.reading(Properties(content_type="text/plain")) is not first


@pytest.mark.parametrize(
    ("format", "body", "expected"),
    [
        ("json", b'{"a": 1}', {"a": 1}),
        ("auto", b'{"a":\n1}', {"a": 1}),
        ("msgpack", msgspec.msgpack.encode({"a": 1}), {"a": 1}),
        ("ndjson", b'{"a":1}\n', {"a": 1}),
        ("json", b'[{"a":1}]', {"a": 1}),
        ("text", b"hi", {"message": "hi", "@timestamp": "2026-01-01T00:00:00.500Z"}),
        ("auto", b"hi", {"message": "hi", "@timestamp": "2026-01-01T00:00:00.500Z"}),
    ],
)
def test_the_fields_are_returned_with_the_document(
    format: Format, body: bytes, expected: dict[str, object]
) -> None:
    how = reading(format)
    assert how.read_fields(body, NOW) == (how.read(body, NOW), expected)


def test_several_documents_are_returned_without_their_fields() -> None:
    body = b'[{"a":1},{"b":2}]'
    assert reading("json").read_fields(body, NOW) == documents(b'{"a":1}', b'{"b":2}')


def test_a_document_without_values_for_its_fields_is_refused_only_if_they_are_needed() -> None:
    """Without fields, it is a JSON object like others."""
    body = b'{"a":1e400}'
    assert reading("json").read(body, NOW) is body
    formats: list[Format] = ["json", "auto"]
    for format in formats:
        with pytest.raises(Unreadable, match="Number out of range"):
            reading(format).read_fields(body, NOW)


@pytest.mark.parametrize(
    ("format", "body", "expected"),
    [
        ("json", b' [{"a": 1},\n {"b":"\xff"} , {"c":3}]', b'[{"b":"\xff"},{"c":3}]'),
        ("auto", b'[{"a":1},{"b":"\xff"},{"c":3}]', b'[{"b":"\xff"},{"c":3}]'),
        ("ndjson", b'{"a":1}\n\n{"b":\n{"c":3}', b'{"b":\n{"c":3}\n'),
        (
            "es_bulk",
            b'{"index":{}}\n{"a":1}\n{"index":{}}\n2\n{"delete":{"_id":"3"}}\n',
            b'{"index":{}}\n2\n{"delete":{"_id":"3"}}\n',
        ),
    ],
)
def test_some_of_the_documents_make_a_body_of_the_same_form(
    format: Format, body: bytes, expected: bytes
) -> None:
    """Unchanged, unreadable ones included; and compressed like the whole body."""
    assert reading(format).only(body, [1, 2]) == expected
    packed = reading(format, None, "gzip").only(gzip.compress(body), [1, 2])
    assert gzip.decompress(packed) == expected


def test_the_ids_of_documents_are_derived_from_their_message() -> None:
    """Each is different, always the same, and never too long for an `_id`."""
    assert name_of_part("order-7", 0, b"{}", MAX_ID_BYTES).startswith("order-7#0#")
    for name in ("order-7", "é" * (MAX_ID_BYTES // 2)):
        names, same_names = (
            [name_of_part(name, position, b"{}", MAX_ID_BYTES) for position in range(20)]
            for _ in range(2)
        )
        assert len(set(names)) == 20
        assert all(len(name.encode()) <= MAX_ID_BYTES for name in names)
        assert names == same_names


def test_documents_published_again_have_other_ids_than_the_stored_ones() -> None:
    """The parked part has the id of the message, and begins at the first position."""
    body = b'[{"stored":1},{"parked":2},{"parked":3}]'
    sources = [b'{"stored":1}', b'{"parked":2}', b'{"parked":3}']
    again = reading("json").read(reading("json").only(body, [1, 2]), NOW)

    assert again == documents(*sources[1:])
    names = [name_of_part("m", at, source, None) for at, source in enumerate(sources)]
    names_again = [name_of_part("m", at, source, None) for at, source in enumerate(sources[1:])]
    assert not set(names) & set(names_again)


OBJECTS = [b'{"a":1}', b"{}", b'{"a":"\xff"}', b'{"\\n":[{}]}']
ELEMENTS = st.sampled_from([*OBJECTS, b"1", b"[]"])
SEVERAL: dict[Format, bytes] = {"json": b",", "ndjson": b"\n"}


@given(
    st.sampled_from(sorted(SEVERAL)),
    st.lists(st.sampled_from(OBJECTS), min_size=2, max_size=9),
    st.data(),
)
def test_a_document_that_is_taken_out_is_the_original(
    format: Format, elements: list[bytes], data: st.DataObject
) -> None:
    """Readable and unreadable documents keep their positions."""
    body = SEVERAL[format].join(elements)
    if format == "json":
        body = b"[" + body + b"]"
    chosen = data.draw(st.lists(st.integers(0, len(elements) - 1), min_size=1, unique=True))

    part = reading(format).only(body, chosen)

    expected = SEVERAL[format].join(elements[at] for at in chosen)
    assert part.strip(b"\n") == (b"[" + expected + b"]" if format == "json" else expected)


BODIES = st.one_of(
    st.binary(),
    st.text(alphabet='{}[]",:\\\n 1eu-"é').map(str.encode),
    st.lists(ELEMENTS).map(lambda elements: b"[" + b",\n".join(elements) + b"]"),
    st.lists(ELEMENTS | st.just(b'{"index":{}}')).map(b"\n".join),
    st.integers(0, 3000).map(lambda depth: b"[" * depth + b"{}" + b"]" * depth),
    st.integers(0, 3000).map(lambda depth: b'[{"a":\n' * depth + b"1" + b"}]" * depth),
    st.binary().map(gzip.compress),
)


@given(st.sampled_from(FORMATS), st.sampled_from([None, "gzip", "zstd"]), BODIES)
def test_only_unreadable_is_raised(
    format: Format, content_encoding: str | None, body: bytes
) -> None:
    """Each result is a JSON object on one line, or a reason."""
    how = reading(format, None, content_encoding)
    with contextlib.suppress(Unreadable):
        check(how, body, how.read(body, NOW))
    with contextlib.suppress(Unreadable):
        found = how.read_fields(body, NOW)
        assert (found if isinstance(found, list) else found[0]) == how.read(body, NOW)


def check(how: Reading, body: bytes, found: bytes | Pieces) -> None:
    pieces = [Document(found)] if isinstance(found, bytes) else found
    sources = [piece.source for piece in pieces if isinstance(piece, Document)]
    assert sources
    for source in sources:
        assert b"\n" not in source
        with contextlib.suppress(RecursionError):  # Python's own parser gives up sooner
            assert isinstance(json.loads(source), dict)
    if isinstance(found, list):
        assert how.read(how.only(body, range(len(found))), NOW) == found
