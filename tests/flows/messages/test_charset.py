"""Text in any charset is converted to UTF-8 and back."""

from __future__ import annotations

import codecs
import contextlib
import encodings.aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.messages.charset import (
    charset_of,
    codec_of,
    from_utf_8,
    is_marked_otherwise,
    mark_of,
    to_utf_8,
)
from flows.messages.formats import Unreadable

CODECS = sorted({codec for codec in map(codec_of, encodings.aliases.aliases) if codec})


@pytest.mark.parametrize(
    ("content_type", "codec"),
    [
        (None, None),
        ("", None),
        ("text/plain", None),
        ("application/json; charset=utf-8", "utf_8"),
        ("application/json;charset=UTF8", "utf_8"),
        ("application/json; charset=us-ascii", "utf_8"),
        ("text/plain; charset=iso-8859-1", "latin_1"),
        ('text/plain; Charset = "ISO-8859-15" ; format=flowed', "iso8859_15"),
        ("text/plain; charset='windows-1252'", "cp1252"),
        ("text/plain; format=flowed; charset=UTF-16", "utf_16"),
        ('text/plain; boundary="; charset=x"; charset=utf-16le', "utf_16_le"),
        ("text/plain; charset=Shift_JIS", "shift_jis"),
        ("text/plain; charset=binary", None),
        ("text/plain; charset=", None),
        ("text/plain; xcharset=latin1", None),
    ],
)
def test_a_content_type_may_name_a_charset(content_type: str | None, codec: str | None) -> None:
    assert charset_of(content_type) == codec


@pytest.mark.parametrize(
    "name",
    [
        "klingon",
        "base64",
        "rot13",
        "zlib",
        "hex",
        "idna",
        "punycode",
        "unicode_escape",
        "undefined",
    ],
)
def test_an_unknown_charset_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(Unreadable, match=f"^charset '{name}' of the content type is not known$"):
        charset_of(f"text/plain; charset={name}")


def test_invented_names_of_charsets_are_not_cached() -> None:
    """Python caches each name that it looks up."""
    kept = len(encodings._cache)
    for number in range(100):
        assert codec_of(f"x-{number}") is None
    assert len(encodings._cache) == kept


@given(st.sampled_from(CODECS), st.text(st.characters(exclude_characters="\ufeff"), max_size=20))
def test_any_text_in_any_charset_is_converted(codec: str, text: str) -> None:
    try:
        body = text.encode(codec)
    except UnicodeEncodeError:
        return
    if body.decode(codec) == text and not is_marked_otherwise(body, codec):
        assert to_utf_8(body, codec).decode() == text


@given(st.sampled_from(CODECS), st.binary(max_size=20))
def test_converted_text_can_be_converted_back(codec: str, body: bytes) -> None:
    """To the same charset, or to UTF-8 with its byte order mark; no bytes raise an error."""
    with contextlib.suppress(Unreadable):
        text = to_utf_8(body, codec)
        again = from_utf_8(text, codec)
        if again == codecs.BOM_UTF8 + text:
            assert mark_of(again) == (codecs.BOM_UTF8, "utf_8")
        else:
            assert to_utf_8(again, codec) == text


@pytest.mark.parametrize("codec", ["utf_16", "utf_32"])
@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_byte_order_is_that_of_the_mark_or_of_the_first_character(
    codec: str, order: str, mark: str
) -> None:
    body = f'{mark}{{"a":"\u20ac"}}'.encode(f"{codec}_{order}")

    assert to_utf_8(body, codec).decode() == '{"a":"\u20ac"}'


@pytest.mark.parametrize(
    ("body", "codec", "place"),
    [
        (b"abc\x81", "cp1252", "position 3"),
        (b"abc", "utf_16", "position 2"),
        (b"a\xff\xff", "shift_jis", "position 1"),
    ],
)
def test_bytes_that_the_charset_does_not_have_are_refused_with_their_position(
    body: bytes, codec: str, place: str
) -> None:
    with pytest.raises(Unreadable, match=f"^not text in {codec.replace('_', '-')}: .*{place}"):
        to_utf_8(body, codec)
