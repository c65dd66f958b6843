"""Writes the lines of a bulk request; it knows nothing of what is answered.

Pure. After the Bulk API of Elasticsearch 8 and 9: a line that says what is to be done, and below
it the document, unless it is to be deleted.
"""

from __future__ import annotations

from itertools import repeat

import msgspec

from connectors.message import Documents

MAX_CONFLICTS = 3
"""How often Elasticsearch by itself begins an update anew that another writer came in between. It
costs less than to send it once more, which is what follows."""


class BulkLines:
    """How documents become the lines of a request."""

    def __init__(self, action: str) -> None:
        """`action`: of documents that say none (see `Documents.actions`)."""
        self._action, self._opening = action, _OPENINGS[action]
        self._head = self._opening + b"}}"
        self._separator = b"\n%s\n" % self._head
        self.overhead = len(self._separator)
        """Bytes that are added to a document without a head of its own."""

    def sources(self, documents: Documents) -> list[bytes]:
        """What stands below each head; nothing does where it is empty."""
        sources = documents.sources
        whole = documents.claims is not None or self._action in ("index", "create")
        if documents.actions is None and whole:
            return sources
        return [
            _FORMS[action] % source if action in _FORMS else source
            for source, action in zip(sources, self._actions(documents), strict=False)
        ]

    def heads(self, documents: Documents) -> list[bytes] | None:
        """The line above each document; `None`: all have the same, which says nothing."""
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

    def body(self, sources: list[bytes], heads: list[bytes] | None) -> bytes:
        """A request body, or a part of one: heads and sources in turn, a line each."""
        if heads is None:
            # One join without a look at the documents; only the first and the last are copied
            # once more.
            lines = sources.copy()
            lines[0] = b"%s\n%s" % (self._head, lines[0])
            lines[-1] += b"\n"
            return self._separator.join(lines)
        lines = [b""] * (2 * len(sources))
        lines[0::2], lines[1::2] = heads, sources
        if b"" in sources:
            lines = [line for line in lines if line]
        lines.append(b"")
        return b"\n".join(lines)

    def _actions(self, documents: Documents) -> list[str] | repeat[str]:
        if documents.claims is not None:
            return repeat("create")
        if documents.actions is None:
            return repeat(self._action)
        return [action or self._action for action in documents.actions]

    def _full_heads(self, documents: Documents) -> list[bytes]:
        # Elasticsearch takes null for left out.
        nothing = [b"null"] * len(documents.sources)
        heads = []
        for action, index, name, routing, version in zip(
            self._actions(documents),
            _column(documents.indices) or nothing,
            _column(documents.ids) or nothing,
            _column(documents.routings) or nothing,
            documents.versions or repeat(None),
            strict=False,  # what is repeated has no end
        ):
            head = b'%s"_index":%s,"_id":%s' % (_OPENINGS[action], index, name)
            if routing != b"null":
                head += b',"routing":%s' % routing
            # Anywhere else a version would spoil the whole request.
            if version is not None and name != b"null" and action in ("index", "delete"):
                head += b',"version":%d,"version_type":"external_gte"' % version
            heads.append(head + b"}}")
        return heads


def replacing(head: bytes, sequence_number: int, primary_term: int) -> bytes:
    """The line above a claimed document that may take the place of just that state of another."""
    what = head.removeprefix(_OPENINGS["create"]).removesuffix(b"}}")
    condition = b',"if_seq_no":%d,"if_primary_term":%d}}' % (sequence_number, primary_term)
    return _OPENINGS["index"] + what + condition


def check(sources: list[bytes]) -> None:
    """Make sure that each document is one line: another line could be an action of its own.

    Raises:
        AssertionError: one of them is not.
    """
    for start in range(0, len(sources), _CHECKED_AT_ONCE):
        if b"\n" in b"".join(sources[start : start + _CHECKED_AT_ONCE]):
            raise AssertionError("a document is more than one line")


def _column(values: list[str | None] | None) -> list[bytes] | None:
    """Each value as JSON; Elasticsearch takes null for left out. `None`: all are."""
    if values is None or values == [None] * len(values):
        return None
    # JSON has no newline in it but as \n, so this splits where one value ends.
    return _encode_lines(values).split(b"\n")[:-1]


_OPENINGS = {action: b'{"%s":{' % action.encode() for action in ("index", "create", "delete")}
_OPENINGS["update"] = _OPENINGS["upsert"] = b'{"update":{"retry_on_conflict":%d,' % MAX_CONFLICTS
_FORMS = {
    "update": b'{"doc":%s}',
    "upsert": b'{"doc":%s,"doc_as_upsert":true}',
    "delete": b"%.0s",  # nothing
}
_encode_lines = msgspec.json.Encoder().encode_lines
_CHECKED_AT_ONCE = 256
"""Documents. Joining some of them and searching the whole takes a tenth of the time of searching
each, as long as what is joined is small."""
