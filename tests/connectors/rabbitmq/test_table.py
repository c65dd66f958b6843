"""Each type of field, and bytes that are no field."""

from __future__ import annotations

import contextlib
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika.data import decode_table as decode_as_pika
from pika.data import encode_table

from connectors.rabbitmq.table import MAX_DEPTH, decode_table, fields_where


def table(*fields: bytes) -> bytes:
    """A table of encoded fields."""
    return long(b"".join(fields))


def everything(_name: bytes, _kind: int) -> bool:
    return True


def long(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


FIELDS: dict[bytes, Any] = {
    b"t\x01": True,
    b"t\x00": False,
    b"b\xff": -1,
    b"B\xff": 255,
    b"s\xff\xfe": -2,
    b"U\xff\xfe": -2,
    b"u\xff\xfe": 65534,
    b"I\xff\xff\xff\xfd": -3,
    b"i\xff\xff\xff\xfd": 4294967293,
    b"l" + b"\xff" * 8: -1,
    b"L" + b"\xff" * 8: -1,
    b"f" + struct.pack(">f", 0.5): 0.5,
    b"d" + struct.pack(">d", 0.1): 0.1,
    b"D\x02" + struct.pack(">i", -12345): Decimal("-123.45"),
    b"D\x00" + struct.pack(">i", 7): Decimal(7),
    b"S" + long("grün".encode()): "grün",
    b"S" + long(b"\xff"): "\N{REPLACEMENT CHARACTER}",
    b"x" + long(b"\x00\xff"): b"\x00\xff",
    b"T" + struct.pack(">Q", 1_700_000_000): datetime(2023, 11, 14, 22, 13, 20, 0, UTC),
    b"T" + struct.pack(">Q", 2**63): 2**63,
    b"V": None,
    b"A" + long(b""): [],
    b"A" + long(b"I\x00\x00\x00\x01V" + b"A" + long(b"t\x01")): [1, None, [True]],
    b"F" + table(): {},
    b"F" + table(b"\x01aB\x01", b"\x01bF" + table(b"\x00V")): {"a": 1, "b": {"": None}},
}


@pytest.mark.parametrize(("encoded", "value"), FIELDS.items(), ids=map(repr, FIELDS))
def test_every_type_of_field_is_decoded(encoded: bytes, value: object) -> None:
    whole = b"before" + table(b"\x04name" + encoded, b"\x04lastV") + b"after"

    decoded, end = decode_table(whole, 6)

    assert decoded == {"name": value, "last": None}
    assert whole[end:] == b"after"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=20), values, max_size=5))
def test_tables_that_pika_encodes_are_decoded(headers: dict[str, Any]) -> None:
    pieces: list[bytes] = []
    encode_table(pieces, headers)

    assert decode_table(b"".join(pieces), 0)[0] == headers


LOST_IN_PIKA = [
    *(field for field, value in FIELDS.items() if isinstance(value, float)),
    b"S" + long(b"\xff"),
    b"T" + struct.pack(">Q", 2**63),
]
"""It makes integers of floats, bytes of broken text, and an error of a late time."""


@pytest.mark.parametrize("encoded", [f for f in FIELDS if f not in LOST_IN_PIKA], ids=repr)
def test_other_tables_are_decoded_as_by_pika(encoded: bytes) -> None:
    whole = table(b"\x04name" + encoded)

    assert decode_table(whole, 0) == decode_as_pika(whole, 0)


@pytest.mark.parametrize("encoded", FIELDS, ids=repr)
def test_a_truncated_table_is_refused(encoded: bytes) -> None:
    """At any position, and by the end of the bytes or by the table's own length."""
    fields = b"\x04name" + encoded
    for at in range(1, len(fields)):
        for broken in (long(fields)[: 4 + at], long(fields[:at]), long(fields[:at]) + fields[at:]):
            with pytest.raises(ValueError, match="cut off"):
                decode_table(broken, 0)
            with pytest.raises(ValueError, match="cut off"):
                fields_where(broken, 0, everything)


@pytest.mark.parametrize("kind", [b"A", b"F"])
def test_nesting_is_bounded(kind: bytes) -> None:
    """A header frame has room for ten thousand levels, and Python's stack has not."""

    def nested(levels: int) -> bytes:
        encoded = b"V"
        for _ in range(levels):
            encoded = kind + long(b"" if encoded == b"V" else b"\x00" * (kind == b"F") + encoded)
        return table(b"\x04name" + encoded)

    decode_table(nested(MAX_DEPTH - 1), 0)
    with pytest.raises(ValueError, match="nested"):
        decode_table(nested(MAX_DEPTH), 0)
    with pytest.raises(ValueError, match="nested"):
        decode_table(nested(10_000), 0)
    assert fields_where(nested(10_000), 0, everything) == nested(10_000)[4:]


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(ValueError, match="unknown type '~'"):
        decode_table(table(b"\x04name~"), 0)


def test_removing_fields_leaves_the_others_unchanged() -> None:
    encoded = table(b"\x01aV", b"\x01bd" + bytes(8), b"\x01aB\x01", b"\x02aaV")

    assert fields_where(encoded, 0, lambda name, _: name != b"a") == (
        b"\x01bd" + bytes(8) + b"\x02aaV"
    )
    assert fields_where(encoded, 0, lambda _, kind: kind == ord("V")) == b"\x01aV\x02aaV"


@given(st.binary(max_size=60), st.sampled_from([b"", *FIELDS]))
def test_any_bytes_are_a_table_or_a_value_error(noise: bytes, field: bytes) -> None:
    for encoded in (noise, long(noise), table(b"\x04name" + field, noise)):
        with contextlib.suppress(ValueError):
            assert isinstance(decode_table(encoded, 0)[0], dict)
