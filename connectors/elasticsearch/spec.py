"""The Elasticsearch part of `pipeline.yaml`: where documents are stored, and how.

It connects to no server; the job asks the server at its start.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
)
from pydantic_core import PydanticCustomError

from connectors.elasticsearch import tls
from connectors.elasticsearch.bulk_response import MAX_CONTENT_LENGTH
from connectors.elasticsearch.index_name import problem_of_name
from connectors.elasticsearch.other_keys import OTHER_KEYS, OTHER_KEYS_OF_BULK
from connectors.elasticsearch.other_templates import refuse_other_notations
from connectors.elasticsearch.template import parse_template
from connectors.spec import OneOf, OneOrMore, Problem, Spec
from connectors.spelling import field_path
from connectors.units import Duration, Size, size_text
from connectors.url import Url, parse

_API_KEY = re.compile("[A-Za-z0-9+/_=-]+")


def _http_url(text: str) -> Url:
    parts = parse(text, ("http", "https"))
    if parts.query or text.endswith("?"):
        raise ValueError("must have no query: remove the ? and what follows it")
    if parts.path.rstrip("/").endswith(("/_bulk", "/_doc", "/_search")):
        raise ValueError("must be the URL of Elasticsearch itself: remove _bulk, _doc or _search")
    return Url(text)


def _static_index(name: str) -> str:
    problem = "must be a name, not a template" if "{" in name else problem_of_name(name)
    if problem is not None:
        raise ValueError(problem)
    return name


def _index(text: str) -> str:
    try:
        refuse_other_notations(text)
        parse_template(text)
    except ValueError as error:
        # The remedy may quote a part of the template.
        hidden = "is neither the name of an index nor a template of one"
        raise PydanticCustomError(
            "template", "{text}", {"text": str(error), "hidden": hidden}
        ) from None
    return text


HttpUrls = OneOrMore[Annotated[str, AfterValidator(_http_url)]]


FieldPath = Annotated[str, AfterValidator(field_path)]


class DocumentId(OneOf):
    """How a document gets its `_id`."""

    field: FieldPath | None = None
    """Dotted path of a field of the document; a document without it is parked."""
    hash: Literal["body"] | None = None
    """`body`: a hash of the message's body, so equal messages become one document."""


def _shape_of_id(value: Any) -> str | None:
    # Pydantic puts the tag into the path of an error, where it must not look like a key.
    if isinstance(value, (dict, DocumentId)):
        return "<mapping>"
    return f"<{value}>" if value in ("auto", "none") else None


Id = Annotated[
    Annotated[Literal["auto"], Tag("<auto>")]
    | Annotated[Literal["none"], Tag("<none>")]
    | Annotated[DocumentId, Tag("<mapping>")],
    Discriminator(
        _shape_of_id,
        custom_error_type="id",
        custom_error_message="must be auto, none, {field: name} or {hash: body}",
    ),
]


class FieldOfDocument(Spec):
    """A field of each document."""

    field: FieldPath
    """Dotted path of the field; a document without it is parked."""


def _compression(value: Any) -> Any:
    if value not in ("gzip", None):
        raise ValueError("must be gzip: write compress: gzip, or leave the key out for none")
    return value


class Bulk(Spec):
    """How documents are put into `_bulk` requests."""

    elsewhere: ClassVar = OTHER_KEYS_OF_BULK

    max_bytes: Annotated[Size, Field(ge=1)] = 10 * 1024**2
    """Largest request, before compression, as Elasticsearch limits it; a larger window takes
    several, and a larger document one of its own. Elasticsearch is fastest at a few MiB. If the
    cluster accepts less, requests are smaller."""
    compress: Annotated[Literal["gzip"] | None, BeforeValidator(_compression)] = None
    """`gzip`: compress bulk requests, at level 1, which costs CPU and pays across a slow network;
    omitted: requests are sent as they are."""

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.max_bytes > MAX_CONTENT_LENGTH:
            yield Problem(
                ("max_bytes",),
                f"is more than Elasticsearch accepts ({size_text(MAX_CONTENT_LENGTH)}), "
                "unless its http.max_content_length is higher",
            )


class ElasticsearchSink(Spec):
    """A cluster that stores the documents."""

    elsewhere: ClassVar = OTHER_KEYS

    url: HttpUrls
    """`http://host:9200`, or `https://`, or a list of nodes of one cluster."""
    api_key: SecretStr | None = None
    """The encoded API key; it needs the privilege to write to the indices, and for summaries of
    aligned windows to read them, no other."""
    basic_auth: SecretStr | None = None
    """`user:password`."""
    ca_certs: str | None = None
    """File with the certificates to trust for `https`; omitted: those of the system."""
    client_cert: str | None = None
    """File with the client certificate, for clusters that require one."""
    client_key: str | None = None
    """File with its private key; omitted: it is in the same file."""
    index: Annotated[str, AfterValidator(_index)]
    """An index, an alias or a data stream; or a template such as `events-{@timestamp:%Y.%m.%d}`.
    A template has fields of the document (`{tenant}`, `{a.b}`), `{header.x}`, `{property.x}`,
    `{routing_key}`, `{exchange}`, `{queue}`, each with `lower` behind a vertical bar for lowercase;
    or the UTC date in one of them (`{created:%Y.%m}`). `{body.queue}` is the field `queue` of the
    document, where the name alone means one of the message. Begin the template with text: then
    messages can only choose indices that begin with it."""
    index_fallback: Annotated[str, AfterValidator(_static_index)] | None = None
    """For documents that lack a field of the template; omitted: their messages are parked."""
    action: Literal["index", "create", "update", "delete"] = "index"
    """`index` replaces a document of the same `_id`, `create` leaves it unchanged, `update` merges
    the fields into it, `delete` deletes it. Data streams need `create`."""
    upsert: bool = False
    """With `update`: create a missing document; `false`: park its message."""
    id: Id = "auto"
    """The document's `_id`: with one, a redelivered message is written over its own document.
    `auto`: the message's `message_id`, and without one Elasticsearch generates the `_id`; `none`:
    Elasticsearch always generates it, as a time series needs, and a redelivered message may be
    stored twice."""
    version: FieldOfDocument | None = None
    """A whole number that grows with each change of the document: an older version never replaces
    a newer one, in any order of arrival, and counts as stored."""
    routing: FieldOfDocument | None = None
    """The value that decides the shard; omitted: the `_id`."""
    pipeline: Annotated[str, Field(min_length=1)] | None = None
    """The ingest pipeline; omitted: the default pipeline of the index, if it has one."""
    require_alias: bool = False
    """`index` must be an alias, else the messages are parked."""
    on_missing_index: Literal["create", "reject", "wait"] = "create"
    """`create`: Elasticsearch creates the index, if the cluster allows it; `reject`: its messages
    are parked; `wait`: they wait for the index, which is looked for every five seconds."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Bulk requests in flight at once in one process; `1` writes windows one after the other."""
    bulk: Bulk = Bulk()
    """The size and the timing of requests."""
    request_timeout: Annotated[Duration, Field(gt=0)] = 60.0
    """How long an answer may take before the request is retried."""

    @property
    def default_action(self) -> str:
        """In the words of `connectors.message.Documents`."""
        return "upsert" if self.action == "update" and self.upsert else self.action

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        yield from self._problems_of_actions()
        if self.api_key is not None and self.basic_auth is not None:
            yield Problem(("basic_auth",), "api_key is set too: set only one of them")
        if self.api_key is not None and not _API_KEY.fullmatch(self.api_key.get_secret_value()):
            yield Problem(("api_key",), "must be the encoded key: letters, digits and - _ + / =")
        if self.basic_auth is not None and ":" not in self.basic_auth.get_secret_value():
            yield Problem(("basic_auth",), "must be user:password")
        yield from self._problems_of_files()

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.index_fallback and "{" not in self.index:
            yield Problem(("index_fallback",), "is never used: index is not a template")
        if self.id == "auto" and (self.version or self.action in ("update", "delete")):
            what = "version" if self.version else f"action: {self.action}"
            yield Problem(("id",), f"auto parks messages without a message_id, because of {what}")

    def _problems_of_files(self) -> Iterator[Problem]:
        files = {name: getattr(self, name) for name in ("ca_certs", "client_cert", "client_key")}
        missing = [name for name, path in files.items() if path and not os.path.isfile(path)]
        for name in missing:
            yield Problem((name,), "there is no such file")
        if self.client_key and not self.client_cert:
            yield Problem(("client_key",), "needs a client_cert too")
        if missing:
            return
        try:
            if self.ca_certs:
                tls.context(self.ca_certs)
        except OSError:
            yield Problem(("ca_certs",), "must hold certificates in PEM format")
            return
        try:
            if self.client_cert:
                tls.context(self.ca_certs, self.client_cert, self.client_key)
        except OSError:
            key = "client_key" if self.client_key else "client_cert"
            yield Problem((key,), "must hold the private key of client_cert in PEM format")

    def _problems_of_actions(self) -> Iterator[Problem]:
        if self.upsert and self.action != "update":
            yield Problem(("upsert",), "is for action: update")
        if self.version and self.action not in ("index", "delete"):
            yield Problem(
                ("version",), f"is for action: index or delete: {self.action} has no versions"
            )
        if self.id == "none" and (self.version or self.action in ("update", "delete")):
            what = "version" if self.version else f"action: {self.action}"
            yield Problem(("id",), f"must not be none: {what} needs the _id of the document")
        if self.pipeline and self.action not in ("index", "create"):
            yield Problem(("pipeline",), "is for action: index or create")
