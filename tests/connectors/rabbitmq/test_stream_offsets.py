"""The offset at which to continue in a stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pika import spec

from connectors.message import Message, Properties
from connectors.rabbitmq.stream_offsets import StreamOffsets, identity, offset_in, offset_of


def message(tag: int, offset: object) -> Message:
    properties = spec.BasicProperties(headers={"x-stream-offset": offset})
    return Message(tag, False, b"\x00\x00", b"".join(properties.encode()), b"")


def batch(first_tag: int, first_offset: int, count: int) -> list[Message]:
    return [message(first_tag + number, first_offset + number) for number in range(count)]


def test_it_begins_at_the_first_message() -> None:
    """It is stored before anything else: if the job dies now, `next` would be too late."""
    offsets = StreamOffsets()
    offsets.delivered(batch(1, 500, 3))

    assert offsets.take_next(open_tag=1) == 500
    assert offsets.take_next(open_tag=2) is None


def test_it_continues_after_the_finished_messages() -> None:
    offsets = StreamOffsets()
    offsets.delivered(batch(1, 500, 3))
    offsets.delivered(batch(4, 510, 2))

    assert offsets.take_next(open_tag=4) == 503
    assert offsets.take_next(open_tag=None) == 512
    assert offsets.take_next(open_tag=None) is None


def test_a_stream_is_known_by_the_first_message_that_was_read() -> None:
    """A stream that was made anew begins with another message, or at another offset."""
    first = message(1, 0)

    assert identity(first) == identity(replace(first, tag=9))
    others = [message(1, 1), replace(first, body=b"other"), replace(first, properties=b"\0\0")]
    assert len({identity(one) for one in (first, *others)}) == 4


def test_only_a_number_is_an_offset() -> None:
    """A sender may set this header to anything, in a queue that is no stream."""
    assert offset_in(Properties(headers={"x-stream-offset": "first"})) is None
    assert offset_in(Properties(headers={"x-stream-offset": 7})) == 7
    assert offset_in(Properties()) is None
    assert offset_of(message(1, "first")) is None
    assert offset_of(message(1, 7)) == 7


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(0, 8)), min_size=1))
def test_it_never_skips_an_open_message(moments: list[tuple[int, int, int]]) -> None:
    """With any deliveries, gaps and outcomes; and it only moves forward."""
    offsets, last = StreamOffsets(), -1
    of_tag: list[int] = [0]
    offset, open_tag = 100, 1
    for count, gap, settled in moments:
        offset += gap
        offsets.delivered(batch(len(of_tag), offset, count))
        of_tag += range(offset, offset + count)
        offset += count
        open_tag = min(open_tag + settled, len(of_tag))
        nothing_open = open_tag == len(of_tag)
        following = offsets.take_next(None if nothing_open else open_tag)
        if following is not None:
            assert following > last
            last = following
        assert last <= (offset if nothing_open else of_tag[open_tag])
