"""What is packed is unpacked, never to more than it may, and nothing else gets through."""

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
def test_a_body_without_a_coding_is_handed_on_as_it_came(content_encoding: str | None) -> None:
    """However large it is, and if a client says nothing but its charset there."""
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
def test_a_charset_may_stand_among_the_codings(
    content_encoding: str | None, codec: str | None
) -> None:
    assert charset_in(content_encoding) == codec


@pytest.mark.parametrize(
    ("compression", "packed"),
    [
        ("application/x-gzip", zlib.compress(BODY)),  # which is what kombu means by it
        ("application/x-gzip", gzipped(BODY)),
        ("zlib", zlib.compress(BODY)),
        ("application/x-bz2", bz2.compress(BODY)),
        ("bzip2", bz2.compress(BODY) + bz2.compress(b"")),
        ("application/x-lzma", lzma.compress(BODY)),
        ("application/zstd", zstd.compress(BODY)),
        ("Application/X-Zstd", zstd.compress(BODY)),
        (None, BODY),
        ("none", BODY),
        ("fast", BODY),  # which is not of kombu
    ],
)
def test_the_header_compression_means_what_kombu_means(
    compression: str | None, packed: bytes
) -> None:
    done = codings("utf-8", compression)

    assert encoding.unpack(packed, done, MOST) == BODY
    assert encoding.unpack(encoding.pack(BODY, done), done, MOST) == BODY


def test_what_kombu_has_and_is_not_known_here_is_refused_by_its_name() -> None:
    with pytest.raises(Unreadable, match=r"^compression 'application/x-brotli': known are "):
        codings(None, "application/x-brotli")


def test_the_header_comes_last() -> None:
    assert codings("deflate", "application/x-bz2") == ("deflate", "bzip2")


@pytest.mark.parametrize("compression", ["application/x-gzip", "bzip2", "xz"])
@given(st.binary(max_size=60), st.data())
def test_what_kombu_packs_raises_nothing_but_unreadable(
    compression: str, noise: bytes, data: st.DataObject
) -> None:
    done = codings(None, compression)
    packed = encoding.pack(noise, done)
    at = data.draw(st.integers(0, len(packed)))
    for body in (noise, packed[:at], packed[:at] + noise, packed * 2):
        with contextlib.suppress(Unreadable):
            assert len(encoding.unpack(body, done, MOST)) <= MOST


@pytest.mark.parametrize("compression", ["application/x-gzip", "bzip2", "xz"])
def test_a_bomb_of_kombus_is_refused_before_it_has_unpacked(compression: str) -> None:
    done = codings(None, compression)
    bomb = encoding.pack(bytes(3_000_000), done)

    with pytest.raises(TooLarge, match="unpacks to more than max_message"):
        encoding.unpack(bomb, done, 1_000_000)


def test_no_body_takes_gigabytes_to_unpack() -> None:
    """The header of LZMA says, in its second to fifth byte, how large its dictionary is."""
    modest = lzma.compress(BODY, format=lzma.FORMAT_ALONE)
    assert encoding.unpack(modest, ("xz",), MOST) == BODY
    greedy = modest[:1] + (2**30).to_bytes(4, "little") + modest[5:]
    with pytest.raises(Unreadable, match="Memory usage limit"):
        encoding.unpack(greedy, ("xz",), MOST)


def test_too_many_codings_are_refused() -> None:
    """Each may cost as much work as one."""
    names = ",".join(["gzip"] * (MAX_CODINGS + 1))
    with pytest.raises(Unreadable, match="at most 4 of them are undone"):
        unpack(BODY, names, MOST)


def test_streams_end_to_end_are_one_body() -> None:
    """As `cat` makes them; a skippable frame of zstd has nothing in it."""
    skippable = b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab"
    assert unpack(gzipped(b"one ") + gzipped(b"two"), "gzip", MOST) == b"one two"
    packed = zstd.compress(b"one ") + skippable + zstd.compress(b"two")
    assert unpack(packed, "zstd", MOST) == b"one two"


def test_streams_longer_than_a_chunk_are_one_body() -> None:
    """Wherever a chunk ends, within a stream or between two."""
    bodies = [bytes(range(256)) * 600, b"x" * 10, bytes(range(255, -1, -1)) * 900]
    for name in ("gzip", "zstd"):
        stored = [gzipped(b, 0) if name == "gzip" else zstd.compress(b, -100) for b in bodies]
        assert unpack(b"".join(stored), name, 10**6) == b"".join(bodies)


def test_more_streams_than_anybody_needs_are_refused() -> None:
    """Else a body of empty ones would cost seconds."""
    assert unpack(gzipped(b"") * MAX_STREAMS, "gzip", MOST) == b""
    with pytest.raises(Unreadable, match="more bytes follow the end"):
        unpack(gzipped(b"") * (MAX_STREAMS + 1), "gzip", MOST)


PACKED = {
    "gzip": gzipped(BODY),
    "deflate": zlib.compress(BODY),
    "zstd": zstd.compress(BODY, options={zstd.CompressionParameter.checksum_flag: 1}),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_body_that_is_cut_off_is_refused(name: str) -> None:
    """Wherever it is: even if all of it can be unpacked, and only its end is not there."""
    packed = PACKED[name]
    for end in range(len(packed)):
        with pytest.raises(Unreadable, match=f"^not {name}: "):
            unpack(packed[:end], name, MOST)


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("garbage", [b"\0", b"x", b"\n", b"garbage that is long"])
def test_a_body_with_something_behind_its_end_is_refused(name: str, garbage: bytes) -> None:
    with pytest.raises(Unreadable, match=f"^not {name}: "):
        unpack(PACKED[name] + garbage, name, MOST)


@pytest.mark.parametrize("name", PACKED)
def test_a_body_that_is_not_packed_so_is_refused(name: str) -> None:
    for body in (b"", BODY, bz2.compress(BODY), PACKED["gzip" if name == "zstd" else "zstd"]):
        with pytest.raises(Unreadable, match=f"^not {name}: "):
            unpack(body, name, MOST)


@pytest.mark.parametrize("name", PACKED)
def test_a_body_may_unpack_to_just_as_much_as_is_allowed(name: str) -> None:
    assert unpack(PACKED[name], name, len(BODY)) == BODY
    with pytest.raises(Unreadable, match="unpacks to more than max_message"):
        unpack(PACKED[name], name, len(BODY) - 1)


@pytest.mark.parametrize("name", PACKED)
def test_a_bomb_is_refused_before_it_has_unpacked(name: str) -> None:
    """Ten megabytes of zeros take no time, and no memory beyond what is allowed."""
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
def test_what_is_packed_again_unpacks_to_the_same(body: bytes, names: list[str]) -> None:
    content_encoding = ", ".join(names)
    assert unpack(pack(body, content_encoding), content_encoding, MOST) == body


@given(st.binary(max_size=60), st.sampled_from(["gzip", "deflate", "zstd"]), st.data())
def test_nothing_but_unreadable_is_raised(noise: bytes, name: str, data: st.DataObject) -> None:
    """For any body: noise, or a packed one with a part of it changed."""
    packed = pack(noise, name)
    at = data.draw(st.integers(0, len(packed)))
    for body in (noise, packed[:at] + noise + packed[at + len(noise) :]):
        try:
            unpacked = unpack(body, name, MOST)
        except Unreadable:
            continue
        assert len(unpacked) <= MOST


@given(st.text(max_size=30))
def test_any_name_of_a_coding_is_known_or_refused(content_encoding: str) -> None:
    with contextlib.suppress(Unreadable):
        codings(content_encoding)


def test_zstd_is_loaded_by_who_needs_it() -> None:
    code = "import sys, flows.messages.encoding; assert 'backports.zstd' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
