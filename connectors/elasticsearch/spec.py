"""What `pipeline.yaml` says about Elasticsearch: where documents are stored, and how.

It connects to nothing; what only the server can know is asked when the job starts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
)
from pydantic_core import PydanticCustomError

from connectors.elasticsearch import tls
from connectors.elasticsearch.bulk_response import CONTENT_LENGTH_MOST
from connectors.elasticsearch.index_name import problem_of_name
from connectors.elasticsearch.other_keys import OTHER_KEYS
from connectors.elasticsearch.other_templates import refuse_other_notations
from connectors.elasticsearch.template import parse_template
from connectors.spec import OneOf, OneOrMore, Problem, Spec
from connectors.spelling import field_path
from connectors.units import Duration, Size, duration_text, size_text
from connectors.url import Url, parse

_API_KEY = re.compile("[A-Za-z0-9+/_=-]+")


def _http_url(text: str) -> Url:
    parts = parse(text, ("http", "https"))
    if parts.query or text.endswith("?"):
        raise ValueError("nothing may follow a ?")
    if parts.path.rstrip("/").endswith(("/_bulk", "/_doc", "/_search")):
        raise ValueError("ends with the path of Elasticsearch itself, without _bulk")
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
        hidden = "is not the name of an index, nor a template of one"
        raise PydanticCustomError(
            "template", "{text}", {"text": str(error), "hidden": hidden}
        ) from None
    return text


HttpUrls = OneOrMore[Annotated[str, AfterValidator(_http_url)]]


FieldPath = Annotated[str, AfterValidator(field_path)]


class DocumentId(OneOf):
    """Where a document's `_id` comes from."""

    field: FieldPath | None = None
    """Dotted path of a field of the document; a document without it is parked."""
    hash: Literal["body"] | None = None
    """`body`: a hash of the message's body, so that equal messages are one document."""


def _shape_of_id(value: Any) -> str | None:
    # Pydantic puts the tag into the paths of errors, where it must not look like a key.
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


class Bulk(Spec):
    """How windows are put into `_bulk` requests."""

    max_bytes: Annotated[Size, Field(ge=1)] = 10 * 1024**2
    """Larger windows are sent in several requests; a larger document is sent by itself.
    Elasticsearch is fastest at a few MiB. Less is sent where the cluster takes less."""
    linger: Duration = 0.05
    """How long a small window waits for others to share a request; `0`: not at all."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.linger > LINGER_MOST:
            yield Problem(("linger",), f"must be at most {duration_text(LINGER_MOST)}")

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.max_bytes > CONTENT_LENGTH_MOST:
            yield Problem(
                ("max_bytes",),
                f"is more than Elasticsearch takes ({size_text(CONTENT_LENGTH_MOST)}), "
                "unless its http.max_content_length is higher",
            )


LINGER_MOST = 60.0
"""Seconds. What lingers is already complete: longer waits belong into the window's time."""


class ElasticsearchSink(Spec):
    """A cluster to store documents in."""

    elsewhere: ClassVar = OTHER_KEYS

    url: HttpUrls
    """`http://host:9200`, or `https://`, or a list of nodes of one cluster."""
    api_key: SecretStr | None = None
    """The encoded API key; it needs no more than the privilege to write to the indices, and for
    summaries of aligned windows to read them."""
    basic_auth: SecretStr | None = None
    """`user:password`."""
    ca_certs: str | None = None
    """File with the certificates to trust for `https`, and no others; omitted: those of the
    system."""
    client_cert: str | None = None
    """File with a certificate that shows who we are, for clusters that want to see one."""
    client_key: str | None = None
    """File with its private key; omitted: it is in the same file."""
    index: Annotated[str, AfterValidator(_index)]
    """An index, an alias or a data stream; or a template such as `events-{@timestamp:%Y.%m.%d}`:
    fields of the document (`{tenant}`, `{a.b}`), `{header.x}`, `{property.x}`, `{routing_key}`,
    `{exchange}`, `{queue}`, each with `lower` behind a vertical bar for lowercase; or the date in
    UTC that stands in any of them (`{created:%Y.%m}`). `{body.queue}` is a field of the document
    that is called as one of the message is. Begin it with a text: a message can name no index that
    does not begin so."""
    index_fallback: Annotated[str, AfterValidator(_static_index)] | None = None
    """For documents that lack a field of the template; omitted: their messages are parked."""
    action: Literal["index", "create", "update", "delete"] = "index"
    """`index` replaces a document of the same `_id`, `create` leaves it as it is, `update` merges
    the fields into it, `delete` deletes it. Data streams need `create`."""
    upsert: bool = False
    """With `update`: a document that is not there is added; `false`: its message is parked."""
    id: Id = "auto"
    """The document's `_id`, which is what makes a message that comes twice one document.
    `auto`: the message's `message_id` when it has one, else Elasticsearch makes one up; `none`: it
    always does, as a time series wants it, and a message that comes twice may be two documents."""
    version: FieldOfDocument | None = None
    """A whole number that grows with each change of the document: an older one never replaces a
    newer one, in any order of arrival, and counts as stored."""
    routing: FieldOfDocument | None = None
    """What decides the shard; omitted: the `_id` does."""
    pipeline: Annotated[str, Field(min_length=1)] | None = None
    """The ingest pipeline to go through; omitted: the index's own, if it has one."""
    require_alias: bool = False
    """`index` must be an alias, else the messages are parked."""
    on_missing_index: Literal["create", "reject", "wait"] = "create"
    """`create`: Elasticsearch makes the index, if it may; `reject`: its messages are parked;
    `wait`: they wait until it is there. It is looked for every five seconds."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Bulk requests under way at once in one process; `1` writes windows one after the other."""
    bulk: Bulk = Bulk()
    """The size and the timing of requests."""
    request_timeout: Annotated[Duration, Field(gt=0)] = 60.0
    """How long an answer may take before the request is sent again."""

    @property
    def default_action(self) -> str:
        """In the words of `connectors.message.Documents`."""
        return "upsert" if self.action == "update" and self.upsert else self.action

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        yield from self._problems_of_actions()
        if self.api_key is not None and self.basic_auth is not None:
            yield Problem(("basic_auth",), "api_key is there too: write only one of them")
        if self.api_key is not None and not _API_KEY.fullmatch(self.api_key.get_secret_value()):
            yield Problem(("api_key",), "must be the encoded key: letters, digits and - _ + / =")
        if self.basic_auth is not None and ":" not in self.basic_auth.get_secret_value():
            yield Problem(("basic_auth",), "must be user:password")
        yield from self._problems_of_files()

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.index_fallback and "{" not in self.index:
            yield Problem(("index_fallback",), "is never used: index has no template in it")
        if self.id == "auto" and (self.version or self.action in ("update", "delete")):
            what = "version" if self.version else f"action: {self.action}"
            yield Problem(("id",), f"auto parks messages without a message_id, because of {what}")

    def _problems_of_files(self) -> Iterator[Problem]:
        files = {name: getattr(self, name) for name in ("ca_certs", "client_cert", "client_key")}
        missing = [name for name, path in files.items() if path and not os.path.isfile(path)]
        for name in missing:
            yield Problem((name,), "there is no such file")
        if self.client_key and not self.client_cert:
            yield Problem(("client_key",), "belongs to a client_cert, which is missing")
        if missing:
            return
        try:
            if self.ca_certs:
                tls.context(self.ca_certs)
        except OSError:
            yield Problem(("ca_certs",), "must have certificates in it, as PEM")
            return
        try:
            if self.client_cert:
                tls.context(self.ca_certs, self.client_cert, self.client_key)
        except OSError:
            key = "client_key" if self.client_key else "client_cert"
            yield Problem((key,), "must have the private key of client_cert in it, as PEM")

    def _problems_of_actions(self) -> Iterator[Problem]:
        if self.upsert and self.action != "update":
            yield Problem(("upsert",), "is for action: update")
        if self.version and self.action not in ("index", "delete"):
            yield Problem(
                ("version",), f"is for action: index or delete: {self.action} knows no versions"
            )
        if self.id == "none" and (self.version or self.action in ("update", "delete")):
            what = "version" if self.version else f"action: {self.action}"
            yield Problem(
                ("id",), f"none leaves open which document is meant, but {what} has to know it"
            )
        if self.pipeline and self.action not in ("index", "create"):
            yield Problem(("pipeline",), "is for action: index or create")
