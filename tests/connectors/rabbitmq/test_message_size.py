"""The memory that messages take, by a look at their bodies."""

from __future__ import annotations

import gzip

from connectors.rabbitmq.message_size import DOCUMENT_OVERHEAD, documents_bytes, unpacked_bytes


def test_documents_of_one_message_count_each() -> None:
    """A message of 1 MB with 10,000 of them takes seven times as much as its body."""
    lines, array = b'{"n":1}\n' * 100, b"[" + b",".join([b'{"n":1}'] * 100) + b"]"

    assert documents_bytes(lines, lines=True) == len(lines) + 100 * DOCUMENT_OVERHEAD
    assert documents_bytes(array, lines=False) == len(array) + 100 * DOCUMENT_OVERHEAD
    assert documents_bytes(b'{"n":1}\n', lines=True) == 0
    assert documents_bytes(b'{"n":\n{}\n}', lines=False) == 0


def test_the_size_of_a_compressed_body_is_known() -> None:
    body = gzip.compress(bytes(100_000))

    assert unpacked_bytes(body, most=100_000) == 100_000
    assert unpacked_bytes(body, most=99_999) == 0, "it is parked"
    assert unpacked_bytes(b"{}", most=100_000) == 0
