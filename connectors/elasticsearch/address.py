"""Decides where a document goes: its index, by a template, and its `_id`.

Pure: the time of arrival is an argument. An index that cannot be told is not an error here, but a
rejection of that one message. Elasticsearch would refuse some of these addresses by itself, but
some of them together with all other documents of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Protocol

from connectors.elasticsearch.template import Missing, fields_at, lookup, parse_template
from connectors.message import Properties, Rejection

MAX_ID_BYTES = 512
"""Elasticsearch refuses the whole request when one `_id` in it is longer."""


class IdSpec(Protocol):
    """One of both is given."""

    @property
    def field(self) -> str | None:
        """Dotted path of a field of the document."""

    @property
    def hash(self) -> str | None:
        """What is hashed: `body`."""


class AddressSpec(Protocol):
    """What `ElasticsearchSink` says about addresses."""

    @property
    def index(self) -> str:
        """A name or a template."""

    @property
    def index_fallback(self) -> str | None:
        """Where documents go whose name cannot be told."""

    @property
    def id(self) -> str | IdSpec:
        """`auto`, `none`, or where the `_id` comes from."""


class Addressing:
    """The address of each document, as the spec says."""

    def __init__(self, spec: AddressSpec, queue: str = "queue") -> None:
        """Prepare everything that is the same for all documents; `queue` is the source's.

        Raises:
            ValueError: the template is none.
        """
        template = parse_template(spec.index, queue)
        self.index = None if template.places else spec.index
        """Where all documents go; `None`: each has its own."""
        self._template, self._fallback = template, spec.index_fallback
        self._id = spec.id
        field = None if isinstance(spec.id, str) else spec.id.field
        self.fields = template.fields | (fields_at(field) if field is not None else frozenset())
        """The fields of the document that `address` looks at."""
        self.needs_body = not isinstance(spec.id, str) and spec.id.hash is not None
        """`address` looks into the body as it came."""
        self.needs_properties = template.needs_properties or spec.id == "auto"
        """`address` looks into the properties."""

    def address(
        self,
        document: Mapping[str, Any] | None,
        properties: Properties | None,
        body: bytes,
        now: float,
    ) -> tuple[str | None, str | None] | Rejection:
        """See `connectors.connector.Addressing`."""
        document, properties = document or _NO_FIELDS, properties or _NO_PROPERTIES
        index = None if self.index is not None else self.index_of(document, properties, now)
        if isinstance(index, Rejection):
            return index
        name = self._name(document, properties, body)
        return name if isinstance(name, Rejection) else (index, name)

    def index_of(
        self, document: Mapping[str, Any], properties: Properties, now: float
    ) -> str | Rejection | None:
        """See `connectors.connector.Addressing`."""
        if self.index is not None:
            return None
        index = self._template.render(document, properties, now)
        if not isinstance(index, Missing):
            return index
        return self._fallback or Rejection(f"no_index: {index.reason}")

    def _name(
        self, document: Mapping[str, Any], properties: Properties, body: bytes
    ) -> str | Rejection | None:
        if self._id == "none":
            return None
        if isinstance(self._id, str):
            # An empty message_id is what some clients send who have none.
            return _short(properties.message_id) if properties.message_id else None
        if self._id.field is None:
            return blake2b(body, digest_size=16).hexdigest()
        name = lookup(document, self._id.field)
        if name is None:
            return Rejection(f"missing_id: no text and no number in the field {self._id.field}")
        return _short(name)


def _short(name: str) -> str | Rejection:
    # No character has more than four bytes.
    if len(name) * 4 > MAX_ID_BYTES and len(name.encode()) > MAX_ID_BYTES:
        return Rejection(f"long_id: an _id has at most {MAX_ID_BYTES} bytes")
    return name


_NO_FIELDS: Mapping[str, Any] = {}
_NO_PROPERTIES = Properties()
