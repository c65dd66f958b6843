"""What `pipeline.yaml` says about Elasticsearch: where documents are stored, and how.

It connects to nothing; what only the server can know is asked when the job starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from connectors.elasticsearch.template import parse_template, problem_of_name
from connectors.spec import OneOf, Problem, Spec
from connectors.units import Duration, Size
from connectors.url import Url, parse


def _http_url(text: str) -> Url:
    parts = parse(text, ("http", "https"))
    if parts.query or text.endswith("?"):
        raise ValueError("nothing may follow a ?")
    return Url(text)


def _static_index(name: str) -> str:
    problem = problem_of_name(name)
    if problem is not None:
        raise ValueError(problem)
    return name


def _index(text: str) -> str:
    try:
        parse_template(text)
    except ValueError as error:
        # The remedy may quote a part of the template.
        hidden = "is not the name of an index, nor a template of one"
        raise PydanticCustomError(
            "template", "{text}", {"text": str(error), "hidden": hidden}
        ) from None
    return text


HttpUrls = Annotated[
    tuple[Annotated[str, AfterValidator(_http_url)], ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    Field(strict=False, min_length=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]


class DocumentId(OneOf):
    """Where a document's `_id` comes from."""

    field: str | None = None
    """Dotted path of a field of the document; a document without it is parked."""
    hash: Literal["body"] | None = None
    """`body`: a hash of the message's body, so that equal messages are one document."""


class Bulk(Spec):
    """How windows are put into `_bulk` requests."""

    max_bytes: Annotated[Size, Field(ge=1)] = 10 * 1024**2
    """Larger windows are sent in several requests; a larger document is sent by itself.
    Elasticsearch recommends a few MiB, and refuses more than 100MB unless it is told otherwise."""
    linger: Annotated[Duration, Field(ge=0, le=60)] = 0.05
    """How long a small window waits for others to share a request; `0`: not at all."""


class ElasticsearchSink(Spec):
    """A cluster to store documents in."""

    url: HttpUrls
    """`http://host:9200`, or `https://`, or a list of nodes of one cluster."""
    api_key: SecretStr | None = None
    """The encoded API key; it needs no more than the privilege to write to the indices."""
    basic_auth: SecretStr | None = None
    """`user:password`."""
    ca_certs: str | None = None
    """File with the certificates to trust for `https`; omitted: those of the system."""
    index: Annotated[str, AfterValidator(_index)]
    """An index, an alias or a data stream; or a template such as `events-{@timestamp:%Y.%m.%d}`:
    fields of the document (`{tenant}`, `{a.b}`), `{header.x}`, `{property.x}`, dates in UTC."""
    index_fallback: Annotated[str, AfterValidator(_static_index)] | None = None
    """For documents that lack a field of the template; omitted: their messages are parked."""
    action: Literal["index", "create"] = "index"
    """`index` replaces a document of the same `_id`, `create` leaves it as it is.
    Data streams need `create`."""
    # fmt: off
    id: Annotated[
        Annotated[Literal["auto"], Tag("text")] | Annotated[DocumentId, Tag("mapping")],
        Discriminator(lambda value: "text" if isinstance(value, str) else "mapping"),
    ] = "auto"
    # fmt: on
    """The document's `_id`, which is what makes a message that comes twice one document.
    `auto`: the message's `message_id` when it has one, else Elasticsearch makes one up."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Bulk requests under way at once in one process; `1` writes windows strictly in order."""
    bulk: Bulk = Bulk()
    """The size and the timing of requests."""
    request_timeout: Annotated[Duration, Field(gt=0)] = 60.0
    """How long an answer may take before the request is sent again."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.api_key and self.basic_auth:
            yield Problem(("basic_auth",), "api_key is there too: write only one of them")
        if self.basic_auth and ":" not in self.basic_auth.get_secret_value():
            yield Problem(("basic_auth",), "must be user:password")
        if self.ca_certs is not None and not os.path.isfile(self.ca_certs):
            yield Problem(("ca_certs",), "there is no such file")

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.index_fallback and "{" not in self.index:
            yield Problem(("index_fallback",), "is never used: index has no template in it")
