"""Bodies are decompressed within limits, and invalid ones are refused."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import subprocess
import sys
import time
import tracemalloc
import zlib
from functools import partial

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from flows.messages import encoding
from flows.messages.encoding import MAX_CODINGS, MAX_STREAMS, charset_in, codings
from flows.messages.formats import TooLarge, Unreadable

gzipped = partial(gzip.compress, mtime=0)  # the same name for the same test, at any time
BODY = b'{"name":"value"}' * 10
MOST = 1000


def unpack(body: bytes, content_encoding: str | None, most: int) -> bytes:
    return encoding.unpack(body, codings(content_encoding), most)


def pack(body: bytes, content_encoding: str) -> bytes:
    return encoding.pack(body, codings(content_encoding))


def deflate_raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("content_encoding", "packed"),
    [
        ("gzip", gzipped(BODY)),
        ("x-gzip", gzipped(BODY)),
        ("GZip", gzipped(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", deflate_raw(BODY)),
        ("zstd", zstd.compress(BODY)),
        ("gzip, zstd", zstd.compress(gzipped(BODY))),
        ("gzip,deflate , zstd", zstd.compress(zlib.compress(gzipped(BODY)))),
        ("gzip, identity", gzipped(BODY)),
        ("gzip:UTF-8", gzipped(BODY)),
    ],
)
def test_codings_are_undone_from_the_last_to_the_first(
    content_encoding: str, packed: bytes
) -> None:
    assert unpack(packed, content_encoding, MOST) == BODY


@pytest.mark.parametrize(
    "content_encoding",
    [
        *(None, "", "identity", "utf-8", "UTF-8", "binary", "7bit", "8bit", "none", "None"),
        *("latin1", "ISO-8859-1", "us-ascii", "windows-1252", "utf-16"),
    ],
)
def test_a_body_without_a_coding_is_passed_on_unchanged(content_encoding: str | None) -> None:
    """However large it is, and if the header contains only a charset."""
    assert unpack(BODY, content_encoding, 1) is BODY


@pytest.mark.parametrize(
    "content_encoding", ["br", "gzip, br", "iso-8859-99", "gzip gzip", "base64"]
)
def test_an_unknown_coding_is_refused_by_its_name(content_encoding: str) -> None:
    with pytest.raises(
        Unreadable,
        match=f"^content_encoding '{content_encoding}': known are gzip, deflate, zstd$",
    ):
        unpack(BODY, content_encoding, MOST)


@pytest.mark.parametrize(
    ("content_encoding", "codec"),
    [
        ("latin1", "latin_1"),
        ("gzip, ISO-8859-1", "latin_1"),
        ("UTF-16:gzip", "utf_16"),
        ("utf-8", "utf_8"),
        ("gzip", None),
        ("binary", None),
        ("base64", None),
        (None, None),
    ],
)
def test_a_charset_may_be_among_the_codings(
    content_encoding: str | None, codec: str | None
) -> None:
    assert charset_in(content_encoding) == codec


@pytest.mark.parametrize(
    ("compression", "packed"),
    [
        ("application/x-gzip", zlib.compress(BODY)),  # which is its meaning in kombu
        ("application/x-gzip", gzipped(BODY)),
        ("zlib", zlib.compress(BODY)),
        ("application/x-bz2", bz2.compress(BODY)),
        ("bzip2", bz2.compress(BODY) + bz2.compress(b"")),
        ("application/x-lzma", lzma.compress(BODY)),
        ("application/zstd", zstd.compress(BODY)),
        ("Application/X-Zstd", zstd.compress(BODY)),
        (None, BODY),
        ("none", BODY),
        ("fast", BODY),  # which kombu does not have
    ],
)
def test_the_header_compression_has_the_meaning_of_kombu(
    compression: str | None, packed: bytes
) -> None:
    done = codings("utf-8", compression)

    assert encoding.unpack(packed, done, MOST) == BODY
    assert encoding.unpack(encoding.pack(BODY, done), done, MOST) == BODY


def test_other_codings_of_kombu_are_refused_by_their_names() -> None:
    with pytest.raises(Unreadable, match=r"^compression 'application/x-brotli': known are "):
        codings(None, "application/x-brotli")


def test_the_header_compression_is_undone_last() -> None:
    assert codings("deflate", "application/x-bz2") == ("deflate", "bzip2")


@pytest.mark.parametrize("compression", ["application/x-gzip", "bzip2", "xz"])
@given(st.binary(max_size=60), st.data())
def test_kombu_codings_raise_only_unreadable(
    compression: str, noise: bytes, data: st.DataObject
) -> None:
    done = codings(None, compression)
    packed = encoding.pack(noise, done)
    at = data.draw(st.integers(0, len(packed)))
    for body in (noise, packed[:at], packed[:at] + noise, packed * 2):
        with contextlib.suppress(Unreadable):
            assert len(encoding.unpack(body, done, MOST)) <= MOST


@pytest.mark.parametrize("compression", ["application/x-gzip", "bzip2", "xz"])
def test_a_decompression_bomb_in_kombus_header_is_refused(compression: str) -> None:
    done = codings(None, compression)
    bomb = encoding.pack(bytes(3_000_000), done)

    with pytest.raises(TooLarge, match="unpacks to more than max_message"):
        encoding.unpack(bomb, done, 1_000_000)


def test_no_body_takes_gigabytes_of_memory() -> None:
    """The second to fifth byte of an LZMA header tell the size of its dictionary."""
    modest = lzma.compress(BODY, format=lzma.FORMAT_ALONE)
    assert encoding.unpack(modest, ("xz",), MOST) == BODY
    greedy = modest[:1] + (2**30).to_bytes(4, "little") + modest[5:]
    with pytest.raises(Unreadable, match="Memory usage limit"):
        encoding.unpack(greedy, ("xz",), MOST)


def test_too_many_codings_are_refused() -> None:
    """Each may take as much time as one."""
    names = ",".join(["gzip"] * (MAX_CODINGS + 1))
    with pytest.raises(Unreadable, match="at most 4 of them are undone"):
        unpack(BODY, names, MOST)


def test_concatenated_streams_are_one_body() -> None:
    """As `cat` makes them; a skippable frame of zstd is empty."""
    skippable = b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab"
    assert unpack(gzipped(b"one ") + gzipped(b"two"), "gzip", MOST) == b"one two"
    packed = zstd.compress(b"one ") + skippable + zstd.compress(b"two")
    assert unpack(packed, "zstd", MOST) == b"one two"


def test_streams_longer_than_a_chunk_are_one_body() -> None:
    """At any end of a chunk, within a stream or between two."""
    bodies = [bytes(range(256)) * 600, b"x" * 10, bytes(range(255, -1, -1)) * 900]
    for name in ("gzip", "zstd"):
        stored = [gzipped(b, 0) if name == "gzip" else zstd.compress(b, -100) for b in bodies]
        assert unpack(b"".join(stored), name, 10**6) == b"".join(bodies)


def test_too_many_concatenated_streams_are_refused() -> None:
    """Otherwise a body of empty streams would take seconds."""
    assert unpack(gzipped(b"") * MAX_STREAMS, "gzip", MOST) == b""
    with pytest.raises(Unreadable, match="more bytes follow the end"):
        unpack(gzipped(b"") * (MAX_STREAMS + 1), "gzip", MOST)


PACKED = {
    "gzip": gzipped(BODY),
    "deflate": zlib.compress(BODY),
    "zstd": zstd.compress(BODY, options={zstd.CompressionParameter.checksum_flag: 1}),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_truncated_body_is_refused(name: str) -> None:
    """At any position, even if all of its content can be decompressed."""
    packed = PACKED[name]
    for end in range(len(packed)):
        with pytest.raises(Unreadable, match=f"^not {name}: "):
            unpack(packed[:end], name, MOST)


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("garbage", [b"\0", b"x", b"\n", b"garbage that is long"])
def test_a_body_with_bytes_after_its_end_is_refused(name: str, garbage: bytes) -> None:
    with pytest.raises(Unreadable, match=f"^not {name}: "):
        unpack(PACKED[name] + garbage, name, MOST)


@pytest.mark.parametrize("name", PACKED)
def test_a_body_that_does_not_have_the_coding_is_refused(name: str) -> None:
    for body in (b"", BODY, bz2.compress(BODY), PACKED["gzip" if name == "zstd" else "zstd"]):
        with pytest.raises(Unreadable, match=f"^not {name}: "):
            unpack(body, name, MOST)


@pytest.mark.parametrize("name", PACKED)
def test_a_body_may_have_exactly_the_allowed_size(name: str) -> None:
    assert unpack(PACKED[name], name, len(BODY)) == BODY
    with pytest.raises(Unreadable, match="unpacks to more than max_message"):
        unpack(PACKED[name], name, len(BODY) - 1)


@pytest.mark.parametrize("name", PACKED)
def test_a_decompression_bomb_is_refused_early(name: str) -> None:
    """Ten megabytes of zeros take no time, and no memory beyond the limit."""
    bomb = pack(bytes(10_000_000), name)
    tracemalloc.start()
    started = time.thread_time()

    with pytest.raises(Unreadable, match="unpacks to more than max_message"):
        unpack(bomb, name, 1_000_000)

    assert time.thread_time() - started < 0.2
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_the_limit_holds_for_each_coding_and_for_all_streams_together() -> None:
    inner = gzipped(bytes(2000), 0)
    with pytest.raises(Unreadable, match="unpacks to more than max_message"):
        unpack(zstd.compress(inner), "gzip, zstd", 1000)
    with pytest.raises(Unreadable, match="unpacks to more than max_message"):
        unpack(gzipped(bytes(600)) * 2, "gzip", 1000)


@given(
    st.binary(max_size=300),
    st.lists(st.sampled_from(["gzip", "deflate", "zstd", "identity"]), max_size=MAX_CODINGS),
)
def test_compressed_bodies_decompress_to_the_same(body: bytes, names: list[str]) -> None:
    content_encoding = ", ".join(names)
    assert unpack(pack(body, content_encoding), content_encoding, MOST) == body


@given(st.binary(max_size=60), st.sampled_from(["gzip", "deflate", "zstd"]), st.data())
def test_only_unreadable_is_raised(noise: bytes, name: str, data: st.DataObject) -> None:
    """For any body: noise, or a compressed one with a changed part."""
    packed = pack(noise, name)
    at = data.draw(st.integers(0, len(packed)))
    for body in (noise, packed[:at] + noise + packed[at + len(noise) :]):
        try:
            unpacked = unpack(body, name, MOST)
        except Unreadable:
            continue
        assert len(unpacked) <= MOST


@given(st.text(max_size=30))
def test_every_name_of_a_coding_is_known_or_refused(content_encoding: str) -> None:
    with contextlib.suppress(Unreadable):
        codings(content_encoding)


def test_zstd_is_imported_only_if_it_is_used() -> None:
    code = "import sys, flows.messages.encoding; assert 'backports.zstd' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
