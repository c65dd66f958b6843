"""Compressed bodies, byte order marks and charsets are recognised."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import json
import zlib
from typing import Any

import msgspec
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from connectors.message import Properties
from connectors.spec import Format
from flows.messages.formats import Document, TooLarge, Unreadable
from flows.messages.splitter import Reading, Splitter
from tests.flows.addressing import ADDRESSING

NOW = 1767225600.5
OBJECT, ARRAY = '{"name":"é€"}', '[{"name":"é€"},{"n":2}]'
LINES = '{"name":"é€"}\n{"n":2}\n'
BULK = '{"index":{}}\n{"name":"é€"}\n{"index":{}}\n{"n":2}\n'
SOURCES = ['{"name":"é€"}'.encode(), b'{"n":2}']
WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


def reading(
    format: Format = "auto",
    content_type: str | None = None,
    content_encoding: str | None = None,
    headers: dict[str, Any] | None = None,
    most: int = 10_000,
) -> Reading:
    properties = Properties(
        content_type=content_type, content_encoding=content_encoding, headers=headers
    )
    return Splitter(format, most, ADDRESSING, ["*"]).reading(properties)


def sources(how: Reading, body: bytes) -> list[bytes]:
    """The documents of a body, which are the same with their fields and without."""
    found = how.read(body, NOW)
    with_fields = how.read_fields(body, NOW)
    assert (with_fields if isinstance(with_fields, list) else with_fields[0]) == found
    if isinstance(found, bytes):
        return [found]
    return [piece.source for piece in found if isinstance(piece, Document)]


def message(how: Reading, body: bytes) -> object:
    [document] = sources(how, body)
    return json.loads(document)["message"]


SEVERAL: list[tuple[Format, str]] = [("json", ARRAY), ("ndjson", LINES), ("es_bulk", BULK)]
CONTENT_TYPES = ["application/json", None, "application/json; charset=utf-8"]


# Byte order marks.


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize("codec", ["utf-8", *WIDE])
def test_a_byte_order_mark_before_json_is_skipped(content_type: str | None, codec: str) -> None:
    body = f"\ufeff{OBJECT}".encode(codec)

    assert sources(reading("auto", content_type), body) == [OBJECT.encode()]
    packed = reading("auto", content_type, "gzip")
    assert sources(packed, gzip.compress(body)) == [OBJECT.encode()]
    assert sources(reading("auto", content_type), gzip.compress(body)) == [OBJECT.encode()]


@pytest.mark.parametrize(("format", "body"), SEVERAL)
@pytest.mark.parametrize("codec", ["utf-8", *WIDE])
def test_a_mark_before_several_documents_is_skipped(format: Format, body: str, codec: str) -> None:
    marked = f"\ufeff{body}".encode(codec)

    assert sources(reading(format), marked) == SOURCES
    assert sources(reading(format, None, "gzip"), gzip.compress(marked)) == SOURCES


@pytest.mark.parametrize("codec", ["utf-8", *WIDE])
@pytest.mark.parametrize("content_type", ["text/plain", None, "text/plain; charset=utf-8"])
def test_a_mark_before_text_is_no_part_of_it(codec: str, content_type: str | None) -> None:
    how = reading("auto", content_type)

    assert message(how, "\ufeffHello €".encode(codec)) == "Hello €"


def test_lines_of_concatenated_files_may_each_have_a_mark() -> None:
    body = codecs.BOM_UTF8.join([b"", b'{"a":1}\n', b'{"b":2}'])

    assert sources(reading("ndjson"), body) == [b'{"a":1}', b'{"b":2}']


def test_a_body_of_many_marks_is_refused() -> None:
    with pytest.raises(Unreadable, match="not a JSON object"):
        reading("json").read(codecs.BOM_UTF8 * 3000 + b"{}", NOW)


# Charsets.


@pytest.mark.parametrize("charset", ["iso-8859-15", "windows-1252", "utf-16", "UTF-16LE", "cp850"])
def test_the_charset_of_the_content_type_is_used(charset: str) -> None:
    text = OBJECT.replace("€", "") if charset == "cp850" else OBJECT
    for how in (
        reading("auto", f"application/json; charset={charset}"),
        reading("json", f'text/plain; charset="{charset}"'),
        reading("auto", f"application/octet-stream; charset={charset}"),
        reading("auto", "application/json", charset),
    ):
        assert sources(how, text.encode(charset)) == [text.encode()]
    packed = reading("auto", f"application/json; charset={charset}", "gzip")
    assert sources(packed, gzip.compress(text.encode(charset))) == [text.encode()]


CHARSETS = ["latin1", "windows-1252", "utf-16", "utf-32", "koi8-r", "shift_jis", "gb18030", "utf-8"]


@given(st.sampled_from(CHARSETS), st.text(st.characters(exclude_characters="\ufeff"), max_size=20))
def test_any_text_is_converted(charset: str, text: str) -> None:
    try:
        body = text.encode(charset)
    except UnicodeEncodeError:
        return
    looks_otherwise = body.startswith((b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff"))
    if body.decode(charset) != text or (looks_otherwise and not charset.startswith("utf")):
        return
    assert message(reading("text", f"text/plain; charset={charset}"), body) == text
    [document] = sources(
        reading("auto", f"application/json; charset={charset}"),
        json.dumps({"message": text}, ensure_ascii=False).encode(charset),
    )
    assert json.loads(document) == {"message": text}


@pytest.mark.parametrize("charset", [None, "utf-8"])
def test_a_charset_of_the_content_type_outranks_one_of_the_encoding(charset: str | None) -> None:
    content_type = "text/plain" if charset is None else f"text/plain; charset={charset}"
    body = "é".encode(charset or "latin1")

    assert message(reading("auto", content_type, "latin1"), body) == "é"


def test_a_mark_outranks_a_charset() -> None:
    how = reading("auto", "application/json; charset=iso-8859-1")

    assert sources(how, f"\ufeff{OBJECT}".encode()) == [OBJECT.encode()]
    assert sources(how, f"\ufeff{OBJECT}".encode("utf-16-be")) == [OBJECT.encode()]


def test_bytes_that_the_charset_does_not_have_are_refused_with_their_position() -> None:
    how = reading("auto", "application/json; charset=windows-1252")
    for read in (how.read, how.read_fields):
        with pytest.raises(Unreadable, match=r"^not text in cp1252: .* in position 6"):
            read(b'{"a":"\x81"}', NOW)


def test_an_unknown_charset_is_refused_before_a_body_is_read() -> None:
    with pytest.raises(Unreadable, match=r"^charset 'x-mine' of the content type is not known$"):
        reading("auto", "text/plain; charset=x-mine")


def test_messagepack_has_no_charset() -> None:
    body = msgspec.msgpack.encode({"a": "é"})
    for charset in ("x-mine", "latin1"):
        how = reading("auto", f"application/msgpack; charset={charset}")
        assert sources(how, body) == ['{"a":"é"}'.encode()]


# Compressed without a header.


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, zstd.compress])
@pytest.mark.parametrize("content_type", ["application/json", None, "text/plain", "a/b"])
def test_a_compressed_body_is_recognised(pack: object, content_type: str | None) -> None:
    """Such as those of GELF."""
    assert callable(pack)
    how = reading("auto", content_type)

    document = sources(how, pack(OBJECT.encode()))[0]
    if content_type == "text/plain":
        assert json.loads(document)["message"] == OBJECT
    else:
        assert document == OBJECT.encode()


@pytest.mark.parametrize(("format", "body"), SEVERAL)
def test_a_compressed_body_of_several_documents_is_recognised(format: Format, body: str) -> None:
    assert sources(reading(format), gzip.compress(body.encode())) == SOURCES
    assert sources(reading(format), zlib.compress(body.encode())) == SOURCES


def test_compressed_messagepack_and_text_in_a_charset_are_recognised() -> None:
    packed = gzip.compress(msgspec.msgpack.encode({"a": 1}))
    assert sources(reading("msgpack"), packed) == [b'{"a":1}']
    latin = reading("auto", "text/plain; charset=latin1")
    assert message(latin, gzip.compress("é".encode("latin1"))) == "é"


@pytest.mark.parametrize("text", ["x^2 = y", "x\x01", "(\xb5/", "\x1f"])
def test_a_text_that_begins_like_a_compressed_body_is_a_text(text: str) -> None:
    assert message(reading("auto"), text.encode()) == text
    with pytest.raises(Unreadable, match="not a JSON object: JSON is malformed"):
        reading("json").read(text.encode(), NOW)


def test_a_recognised_but_broken_body_is_refused() -> None:
    for format, reason in (("json", "not gzip: cut off"), ("auto", "not gzip: cut off")):
        with pytest.raises(Unreadable, match=f"^{reason}"):
            reading(format).read(gzip.compress(OBJECT.encode())[:-1], NOW)  # type: ignore[arg-type]


def test_a_recognised_body_is_decompressed_within_the_limit() -> None:
    for pack in (gzip.compress, zlib.compress, zstd.compress):
        with pytest.raises(TooLarge, match="unpacks to more than max_message"):
            reading("auto", most=1000).read(pack(bytes(1001)), NOW)


# The header `compression`.


@pytest.mark.parametrize(
    ("compression", "pack"),
    [
        ("application/x-gzip", zlib.compress),
        ("application/x-gzip", gzip.compress),
        ("application/x-bz2", bz2.compress),
        ("application/zstd", zstd.compress),
    ],
)
def test_the_header_of_kombu_is_used(compression: str, pack: object) -> None:
    assert callable(pack)
    how = reading("auto", "application/json", "utf-8", {"compression": compression})

    assert sources(how, pack(OBJECT.encode())) == [OBJECT.encode()]


@pytest.mark.parametrize("compression", ["fast", "lz4", "none", "", 3, None, ["gzip"], "x" * 10**6])
def test_a_header_of_that_name_with_another_meaning_changes_nothing(
    compression: object,
) -> None:
    how = reading("auto", "application/json", None, {"compression": compression})

    assert sources(how, OBJECT.encode()) == [OBJECT.encode()]


@pytest.mark.parametrize("format", ["json", "text", "msgpack", "auto"])
def test_the_reason_names_it_when_the_body_cannot_be_read(format: Format) -> None:
    how = reading(format, None, None, {"compression": "lz4"})
    for read in (how.read, how.read_fields):
        with pytest.raises(Unreadable, match=r"\(compression 'lz4' is not undone: known are app"):
            read(b"\x04\x22\x4d\x18\xff", NOW)


# Bodies that are parked in part.


@pytest.mark.parametrize(("format", "body"), SEVERAL)
@pytest.mark.parametrize(
    ("content_type", "content_encoding", "compression", "wrap"),
    [
        ("a/b", None, None, codecs.BOM_UTF8.__add__),
        ("a/b", None, None, gzip.compress),
        ("a/b", None, None, lambda body: zlib.compress(codecs.BOM_UTF8 + body)),
        ("a/b", None, None, lambda body: f"\ufeff{body.decode()}".encode("utf-16-le")),
        ("a/b", None, None, lambda b: gzip.compress(f"\ufeff{b.decode()}".encode("utf-16-be"))),
        ("a/b; charset=utf-16", None, None, lambda body: body.decode().encode("utf-16")),
        ("a/b; charset=cp1252", "gzip", None, lambda b: gzip.compress(b.decode().encode("cp1252"))),
        ("a/b; charset=cp1252", None, None, lambda b: gzip.compress(b.decode().encode("cp1252"))),
        ("a/b", "latin9", "application/x-bz2", lambda b: bz2.compress(b.decode().encode("latin9"))),
    ],
)
def test_the_parked_part_of_a_message_is_read_like_the_whole(
    format: Format,
    body: str,
    content_type: str,
    content_encoding: str | None,
    compression: str | None,
    wrap: object,
) -> None:
    """It is published with the same properties."""
    assert callable(wrap)
    headers = {} if compression is None else {"compression": compression}
    how = reading(format, content_type, content_encoding, headers)

    assert sources(how, how.only(wrap(body.encode()), [0])) == SOURCES[:1]
    assert sources(how, how.only(wrap(body.encode()), [1, 0])) == SOURCES[::-1]


@given(
    st.sampled_from(["auto", "json", "text", "msgpack", "ndjson", "es_bulk"]),
    st.sampled_from([None, "text/plain; charset=utf-16", "a/b; charset=shift_jis"]),
    st.sampled_from([None, "gzip", "latin1"]),
    st.sampled_from([None, "zlib", "bzip2", "odd"]),
    st.sampled_from([b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b"\x1f\x8b\x08", b"x\x9c"]),
    st.binary(max_size=40),
)
def test_only_unreadable_is_raised(
    format: Format,
    content_type: str | None,
    content_encoding: str | None,
    compression: str | None,
    start: bytes,
    noise: bytes,
) -> None:
    headers = {} if compression is None else {"compression": compression}
    how = reading(format, content_type, content_encoding, headers)
    for body in (start + noise, gzip.compress(start + noise)):
        with contextlib.suppress(Unreadable):
            for source in sources(how, body):
                assert isinstance(json.loads(source), dict)
