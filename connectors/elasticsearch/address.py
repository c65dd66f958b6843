"""Decides where a document goes: its index, by a template, and its `_id`.

Pure: the time of arrival is an argument. A document without a valid address is a `Rejection`, not
an error: Elasticsearch would refuse some such addresses together with the whole request.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Protocol

from connectors.elasticsearch.index_name import problem_of_name
from connectors.elasticsearch.template import Missing, fields_at, lookup, parse_template
from connectors.message import Properties, Rejection

MAX_ID_BYTES = 512
"""Elasticsearch refuses the whole request when one `_id` in it is longer."""


class IdSpec(Protocol):
    """How to make an `_id`: exactly one of both is set."""

    @property
    def field(self) -> str | None:
        """Dotted path of a field of the document."""

    @property
    def hash(self) -> str | None:
        """`body`: hash the body of the message."""


class AddressSpec(Protocol):
    """The keys of `ElasticsearchSink` about addresses."""

    @property
    def index(self) -> str:
        """A name or a template."""

    @property
    def index_fallback(self) -> str | None:
        """The index for documents that lack a field of the template."""

    @property
    def id(self) -> str | IdSpec:
        """`auto`, `none`, or how to make the `_id`."""


class ElasticsearchAddressing:
    """Makes the address of each document, as the spec says."""

    def __init__(self, spec: AddressSpec, queue: str = "queue") -> None:
        """Prepare what is the same for all documents; `queue`: name of the source's queue.

        Raises:
            ValueError: `index` is not a valid template.
        """
        template = parse_template(spec.index, queue)
        self.index = None if template.placeholders else spec.index
        """The index of all documents; `None`: each document has its own."""
        self._template, self._fallback = template, spec.index_fallback
        self._id = spec.id
        field = None if isinstance(spec.id, str) else spec.id.field
        self.fields = template.fields | (fields_at(field) if field is not None else frozenset())
        """The fields of the document that `address` reads."""
        self.needs_body = not isinstance(spec.id, str) and spec.id.hash is not None
        """`address` reads the body of the message."""
        self.needs_properties = template.needs_properties or spec.id == "auto"
        """`address` reads the properties of the message."""
        self.leaves_ids = spec.id == "none"
        """See `connectors.connector.Addressing`."""
        self.needs_queue = template.needs_queue
        """The index differs by the queue."""

    @property
    def max_id_bytes(self) -> int:
        """See `connectors.connector.NameRules`."""
        return MAX_ID_BYTES

    def problem_of_index(self, name: str) -> str | None:
        """See `connectors.connector.NameRules`."""
        return problem_of_name(name)

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
            # Some clients without a message_id send an empty one.
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
