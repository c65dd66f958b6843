"""Guesses the memory that messages take beside `MESSAGE_OVERHEAD`, before they are read.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.message import Message
from connectors.rabbitmq.spec import RabbitMQSource

DOCUMENT_OVERHEAD = 600
"""Bytes that each document of a message with several takes beside its copy of the source."""
LARGE_BYTES = 1024
"""Mean size of the messages of a read, from which on each is asked whether it has several
documents or is compressed: of smaller ones, asking would cost a good part of the read."""
MAX_SIZE = 2**32 - 1
"""The largest size that the ledger keeps."""
GZIP = b"\x1f\x8b"
"""The first bytes of gzip (RFC 1952); its last four are the size of what was compressed."""


def message_sizes(messages: Sequence[Message], spec: RabbitMQSource) -> list[int]:
    """Return the bytes of each message of a read: its body, its properties, what reading makes."""
    sizes = [len(m.body) + len(m.properties) for m in messages]
    of_lines = spec.format in ("ndjson", "es_bulk")
    if not of_lines and sum(sizes) <= LARGE_BYTES * len(sizes):
        return sizes
    more = [
        documents_bytes(m.body, lines=of_lines or b"ndjson" in m.properties)
        + unpacked_bytes(m.body, spec.max_message)
        for m in messages
    ]
    return [min(MAX_SIZE, size + beside) for size, beside in zip(sizes, more, strict=True)]


def documents_bytes(body: bytes, *, lines: bool) -> int:
    """Return about how many bytes the documents of a body take beside it; 0: it is one document.

    `lines`: each line is a document; else the body may be an array of objects.
    """
    if not lines and not body.startswith(b"["):
        return 0
    documents = body.count(b"\n" if lines else b"{")
    return len(body) + documents * DOCUMENT_OVERHEAD if documents > 1 else 0


def unpacked_bytes(body: bytes, most: int) -> int:
    """Return the size of a body of gzip when it is decompressed, which its last bytes tell.

    0: it is no gzip, or larger than `most`, so that it is not decompressed.
    """
    size = int.from_bytes(body[-4:], "little") if body.startswith(GZIP) else 0
    return size if size <= most else 0
