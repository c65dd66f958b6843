"""Writes the lines of a bulk request; `bulk_response.py` reads the answer.

Pure. By the Bulk API of Elasticsearch 8 and 9: one line with the action, and under it the document,
unless the action is `delete`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from urllib.parse import quote

import msgspec

from connectors.message import Documents

MAX_CONFLICTS = 3
"""How often Elasticsearch itself retries an update that conflicts with another writer. That costs
less than the retry by the job that follows."""

PIECE_BYTES = 512 * 1024
"""Size of the pieces of a body. Most requests are one piece: a window of 1000 documents of 500
bytes; each further piece costs a write to the socket, which a copy of this size costs too."""

Columns = tuple[list[bytes], list[bytes] | None]
"""The sources and the action lines of some documents; `None`: all have the same action line."""


class BulkLines:
    """Makes the lines of a request from documents."""

    def __init__(self, action: str) -> None:
        """`action`: for documents that name none (see `Documents.actions`)."""
        self._action, self._opening = action, _OPENINGS[action]
        self._head = self._opening + b"}}\n"
        self._separator = b"\n%s" % self._head
        self.overhead = len(self._separator)
        """Bytes that a request needs for each document without an action line of its own."""

    def sources(self, documents: Documents) -> list[bytes]:
        """Return the line under each action line; empty: there is none."""
        sources = documents.sources
        whole = documents.claims is not None or self._action in ("index", "create")
        if documents.actions is None and whole:
            return sources
        return [
            _FORMS[action] % source if action in _FORMS else source
            for source, action in zip(sources, self._actions(documents), strict=False)
        ]

    def heads(self, documents: Documents) -> list[bytes] | None:
        """Return the action line of each document; `None`: all have the same, without details."""
        if documents.versions or documents.actions or documents.routings or documents.claims:
            return self._full_heads(documents)
        opening = self._opening
        indices, ids = _column(documents.indices), _column(documents.ids)
        if indices is None:
            return None if ids is None else [b'%s"_id":%s}}' % (opening, name) for name in ids]
        if ids is None:
            return [b'%s"_index":%s}}' % (opening, index) for index in indices]
        return [
            b'%s"_index":%s,"_id":%s}}' % (opening, index, name)
            for index, name in zip(indices, ids, strict=True)
        ]

    def pieces(self, columns: Columns, each: int) -> Iterator[bytes]:
        """Return action lines and sources in turn, in pieces of `each` documents."""
        sources, heads = columns
        for start in range(0, len(sources), each):
            some = slice(start, start + each)
            piece = sources[some], None if heads is None else heads[some]
            if each > 1:
                yield self._joined(*piece)
            else:
                yield from self._uncopied(*piece)

    def _joined(self, sources: list[bytes], heads: list[bytes] | None) -> bytes:
        if heads is None:
            # One join for all documents; only the first and the last are copied twice.
            sources[0] = self._head + sources[0]
            sources[-1] += b"\n"
            return self._separator.join(sources)
        lines = [b""] * (2 * len(sources))
        lines[0::2], lines[1::2] = heads, sources
        if b"" in sources:
            lines = [line for line in lines if line]
        lines.append(b"")
        return b"\n".join(lines)

    def _uncopied(self, sources: list[bytes], heads: list[bytes] | None) -> Iterator[bytes]:
        yield self._head if heads is None else heads[0] + b"\n"
        if sources[0]:
            yield sources[0]
            yield b"\n"

    def _actions(self, documents: Documents) -> list[str] | repeat[str]:
        if documents.claims is not None:
            return repeat("create")
        if documents.actions is None:
            return repeat(self._action)
        return [action or self._action for action in documents.actions]

    def _full_heads(self, documents: Documents) -> list[bytes]:
        # Elasticsearch treats null like a missing value.
        nothing = [b"null"] * len(documents.sources)
        heads = []
        for action, index, name, routing, version in zip(
            self._actions(documents),
            _column(documents.indices) or nothing,
            _column(documents.ids) or nothing,
            _column(documents.routings) or nothing,
            documents.versions or repeat(None),
            strict=False,  # `repeat` is endless
        ):
            head = b'%s"_index":%s,"_id":%s' % (_OPENINGS[action], index, name)
            if routing != b"null":
                head += b',"routing":%s' % routing
            # With any other action, Elasticsearch refuses the whole request because of a version.
            if version is not None and name != b"null" and action in ("index", "delete"):
                head += b',"version":%d,"version_type":"external_gte"' % version
            heads.append(head + b"}}")
        return heads


def index_path(index: str | None) -> str:
    """Return the path of an index in a URL; empty: each document names its own."""
    return "" if index is None else "/" + quote(index, safe="")


class BulkBody:
    """A request body that is made piece by piece while it is sent, so it never exists as a whole.

    It may be sent several times.
    """

    def __init__(self, lines: BulkLines, parts: Sequence[Columns], size: int) -> None:
        """`size`: bytes of all pieces."""
        self._lines, self._parts, self.size = lines, parts, size

    def __iter__(self) -> Iterator[bytes]:
        """Make the pieces."""
        documents = sum(len(sources) for sources, _ in self._parts)
        each = max(1, PIECE_BYTES * documents // max(1, self.size))
        for part in self._parts:
            yield from self._lines.pieces(part, each)


def replacing(head: bytes, sequence_number: int, primary_term: int) -> bytes:
    """Return an action line that replaces exactly this state of the stored document."""
    what = head.removeprefix(_OPENINGS["create"]).removesuffix(b"}}")
    condition = b',"if_seq_no":%d,"if_primary_term":%d}}' % (sequence_number, primary_term)
    return _OPENINGS["index"] + what + condition


def check(sources: list[bytes], size: int) -> None:
    """Check that each document is one line: a second line could be an action.

    `size`: bytes of all documents, about.

    Raises:
        AssertionError: a document has a newline.
    """
    each = max(1, min(_CHECKED_AT_ONCE, _CHECKED_BYTES * len(sources) // max(1, size)))
    for start in range(0, len(sources), each):
        # The join of one is that one, not a copy.
        if b"\n" in b"".join(sources[start : start + each]):
            raise AssertionError("a document is more than one line")


def _column(values: list[str | None] | None) -> list[bytes] | None:
    """Return each value as JSON, null for a missing one; `None`: all are missing."""
    if values is None or values == [None] * len(values):
        return None
    # JSON escapes newlines, so each line is one value.
    return _encode_lines(values).split(b"\n")[:-1]


_OPENINGS = {action: b'{"%s":{' % action.encode() for action in ("index", "create", "delete")}
_OPENINGS["update"] = _OPENINGS["upsert"] = b'{"update":{"retry_on_conflict":%d,' % MAX_CONFLICTS
_FORMS = {
    "update": b'{"doc":%s}',
    "upsert": b'{"doc":%s,"doc_as_upsert":true}',
    "delete": b"%.0s",  # nothing
}
_encode_lines = msgspec.json.Encoder().encode_lines
_CHECKED_AT_ONCE, _CHECKED_BYTES = 256, 256 * 1024
"""Documents, and their bytes. To join some and search them together takes a tenth of the time of
searching each, as long as the joined text is small."""
