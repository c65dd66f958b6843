"""Fills in a document's version and routing from its fields.

Pure. It rejects a document that lacks what its action or the spec needs: Elasticsearch would refuse
some of these together with the whole request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from connectors.elasticsearch.template import fields_at, lookup
from connectors.message import Documents, Rejection

MAX_VERSION = 2**63 - 1
"""Elasticsearch keeps versions in 64 bits, without negative ones."""

T = TypeVar("T")


class FieldSpec(Protocol):
    """A field of the document."""

    @property
    def field(self) -> str:
        """Its dotted path."""


class MetadataSpec(Protocol):
    """The keys of `ElasticsearchSink` about actions, versions and routings."""

    @property
    def default_action(self) -> str:
        """For documents that name none."""

    @property
    def version(self) -> FieldSpec | None:
        """The field with the version."""

    @property
    def routing(self) -> FieldSpec | None:
        """The field with the routing."""


class Filled(NamedTuple):
    """Documents that can be sent, and the rejections of the others."""

    documents: Documents
    positions: Sequence[int]
    """Positions of the documents that can be sent, among all."""
    rejected: list[tuple[int, Rejection]]
    """Positions among all, and why these documents can not be sent."""


class DocumentMetadata:
    """Fills in versions and routings."""

    def __init__(self, spec: MetadataSpec) -> None:
        self._action = spec.default_action
        self._version = None if spec.version is None else _DocumentField(spec.version.field)
        self._routing = None if spec.routing is None else _DocumentField(spec.routing.field)
        self._needs_nothing = self._action not in _NEED_ID and not (self._version or self._routing)

    def fill(self, documents: Documents) -> Filled:
        """Set the version and the routing of each document; reject one that lacks a needed `_id`.

        Reasons of rejections begin with `missing_id`, `missing_version` or `missing_routing`.
        """
        everything = range(len(documents.sources))
        if self._needs_nothing and documents.actions is None and documents.claims is None:
            return Filled(documents, everything, [])
        versions, routings, rejected = [], [], []
        for position in everything:
            row = self._row(documents, position)
            if isinstance(row, Rejection):
                rejected.append((position, row))
                row = (None, None)
            versions.append(row[0])
            routings.append(row[1])
        filled = documents._replace(
            versions=_none_if_empty(versions), routings=_none_if_empty(routings)
        )
        if not rejected:
            return Filled(filled, everything, rejected)
        out = {position for position, _ in rejected}
        left = [position for position in everything if position not in out]
        return Filled(select(filled, left), left, rejected)

    def _row(
        self, documents: Documents, position: int
    ) -> tuple[int | None, str | None] | Rejection:
        """Return the version and the routing of a document."""
        source = documents.sources[position]
        id = _at(documents.ids, position)
        action = _at(documents.actions, position) or self._action
        if _at(documents.claims, position) is not None:
            action = "create"
        version, routing = _at(documents.versions, position), _at(documents.routings, position)
        index = _at(documents.indices, position)
        if self._version is not None and version is None and action in _VERSIONED:
            version = _number(self._version.of(source))
            if version is None:
                reason = f"missing_version: no whole number in the field {self._version.path}"
                return Rejection(reason, None, index, id)
        if routing is None and self._routing is not None:
            routing = self._routing.of(source)
            if routing is None:
                reason = f"missing_routing: no text or number in the field {self._routing.path}"
                return Rejection(reason, None, index, id)
        if id is None and (version is not None or action in _NEED_ID):
            what = "a version" if version is not None else f"the action {action}"
            return Rejection(f"missing_id: {what} needs the _id of the document", None, index)
        return version, routing


class _DocumentField:
    """Reads one field of a document that is still JSON, and skips the other fields."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._names = list(fields_at(path))
        renamed = {f"name_{number}": name for number, name in enumerate(self._names)}
        struct = msgspec.defstruct(
            "Document", [(name, Any, None) for name in renamed], rename=renamed
        )
        self._decode = msgspec.json.Decoder(struct).decode

    def of(self, source: bytes) -> str | None:
        try:
            values = msgspec.structs.astuple(self._decode(source))
        except msgspec.DecodeError:  # a lone surrogate is valid JSON, but no valid text
            return None
        return lookup(dict(zip(self._names, values, strict=True)), self.path)


def select(documents: Documents, positions: Sequence[int]) -> Documents:
    """Return the documents at these positions."""
    *columns, about = documents
    selected = [
        None if column is None else [column[position] for position in positions]
        for column in columns
    ]
    return Documents(*selected, about)  # type: ignore[call-arg, arg-type]  # they are in order


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > _MAX_DIGITS:
        return None
    number = int(text)
    return number if number <= MAX_VERSION else None


def _at(column: list[T | None] | None, position: int) -> T | None:
    return None if column is None else column[position]


def _none_if_empty(column: list[T | None]) -> list[T | None] | None:
    return None if column.count(None) == len(column) else column


_MAX_DIGITS = len(str(MAX_VERSION))
_VERSIONED = ("index", "delete")
"""Actions with which Elasticsearch accepts an external version."""
_NEED_ID = ("update", "upsert", "delete")
