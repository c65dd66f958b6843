"""The check of the index at the start: would the cluster refuse every document?

Only a definite answer ends the job. If the job may not ask, or the cluster does not know the
request, the check goes on without it; then Elasticsearch may refuse single documents later.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import msgspec

from connectors.elasticsearch.bulk_response import Reply
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.write_index import members
from connectors.errors import Unavailable

T = TypeVar("T")


class Target(msgspec.Struct, frozen=True):
    """One index, alias or data stream."""

    client: Client
    spec: ElasticsearchSink
    index: str
    alias: str | None = None
    """The alias of the spec that writes to this index."""

    def check(self) -> Reply:
        """Check the privileges and the kind of the index; return the reply about its kind.

        Raises:
            Unavailable: every document would be rejected.
        """
        self.check_privilege()
        return self.find()

    def find(self) -> Reply:
        """Ask whether it is an index, an alias or a data stream.

        Raises:
            Unavailable: it does not support the action of the spec.
        """
        reply = self.client.ask(lambda official: official.indices.resolve_index(name=self.index))
        found = _decoded(reply, _Found)
        if found is not None and found.data_streams:
            self._check_action("is a data stream")
        return reply

    def check_state(self, reply: Reply) -> None:
        """Check the state of the index, or the template of a missing one; `reply`: of `check`.

        Raises:
            Unavailable: every document would be rejected.
        """
        found = _decoded(reply, _Found)
        if _is_missing(reply, found):
            self._check_missing()
        elif found is not None:
            if found.aliases and (writable := self._writable()) is not None:
                writable.check_state(writable.find())
                return
            if any("closed" in index.attributes for index in found.indices):
                raise self._unavailable("is closed", f"open it: POST /{self.index}/_open")
            self._check_blocks()

    def _writable(self) -> Target | None:
        """Return the index or data stream that this alias writes to; `None`: unknown.

        Raises:
            Unavailable: it writes to none.
        """
        reply = self.client.ask(lambda official: official.indices.get_alias(name=self.index))
        found = members(self.index, reply.body)
        if found is None:
            return None
        if found.writable is None:
            action = {"index": found.all[-1], "alias": self.index, "is_write_index": True}
            body = msgspec.json.encode({"actions": [{"add": action}]}).decode()
            raise self._unavailable(
                f"is an alias of {', '.join(found.all)}, and none of them is its write index",
                f"choose one, for example by POST /_aliases {body}",
            )
        return Target(self.client, self.spec, found.writable, self.index)

    def check_privilege(self) -> None:
        """Check the privileges of the job's user.

        Raises:
            Unavailable: the user lacks a privilege that the job needs.
        """
        least, advice = _PRIVILEGES[self.spec.action]
        where = f"Elasticsearch at {self.client.nodes} accepts the credentials, but they may not"
        if not self._may(least):
            raise Unavailable(
                f"{where} write to the index {self.index}: "
                f"give the api_key or the user its privilege {advice}"
            )
        if self.spec.on_missing_index != "create" and not self._may("view_index_metadata"):
            raise Unavailable(
                f"{where} look for the index {self.index}: "
                "give the api_key or the user its privilege view_index_metadata, "
                "or write on_missing_index: create"
            )

    def _may(self, privilege: str) -> bool:
        """Return false on a definite no only: a cluster without security knows no privileges."""
        wanted = [{"names": [self.index], "privileges": [privilege]}]
        reply = self.client.ask(lambda official: official.security.has_privileges(index=wanted))
        permission = _decoded(reply, _Permission)
        return permission is None or permission.has_all_requested

    def _check_action(self, what: str) -> None:
        if self.spec.action != "create":
            raise self._unavailable(
                f"{what}, which accepts new documents only",
                "write action: create, and give each document an @timestamp",
            )

    def _check_blocks(self) -> None:
        """Check the blocks that a person has set; the block of a full disk is temporary."""
        reply = self.client.ask(
            lambda official: official.indices.get_settings(index=self.index, name="index.blocks.*")
        )
        indices = _decoded(reply, dict[str, _Settings])
        if not indices:
            return
        blocked = [
            name
            for name in ("write", "read_only")
            if all(index.settings.index.blocks.get(name) == "true" for index in indices.values())
        ]
        for name in blocked:
            raise self._unavailable(
                f"is blocked for writing by index.blocks.{name}",
                f'remove the block: PUT /{self.index}/_settings {{"index.blocks.{name}": null}}',
            )

    def _check_missing(self) -> None:
        """Check whether the missing index can be created, and what it will be."""
        if self.spec.on_missing_index == "reject":
            raise self._unavailable(
                "does not exist, and on_missing_index: reject parks each message",
                "create it, or write on_missing_index: wait",
            )
        if self.spec.on_missing_index == "create" and not (
            self._may("auto_configure") or self._may("create_index")
        ):
            raise self._unavailable(
                "does not exist, and the credentials may not create it",
                "create it, or give the api_key or the user its privilege auto_configure",
            )
        reply = self.client.ask(lambda official: official.indices.get_index_template())
        templates = _decoded(reply, _Templates)
        matching = [
            (one.index_template.priority, one.name, one.index_template.data_stream is not None)
            for one in (templates.index_templates if templates is not None else [])
            if any(fnmatchcase(self.index, it) for it in one.index_template.patterns)
        ]
        if matching and max(matching)[2]:
            self._check_action(f"will be a data stream, by the index template {max(matching)[1]}")

    def _unavailable(self, what: str, remedy: str) -> Unavailable:
        whose = f", to which the alias {self.alias} writes," if self.alias else ""
        return Unavailable(
            f"sink.elasticsearch.index: {self.index}{whose} {what}: {remedy} "
            f"(Elasticsearch at {self.client.nodes})"
        )


def check_pipeline(client: Client, name: str) -> None:
    """Check that the ingest pipeline exists.

    Raises:
        Unavailable: it does not, so every document would be rejected.
    """
    # Not `summary`, which would shorten the answer too, but OpenSearch refuses the parameter.
    reply = client.ask(
        lambda official: official.ingest.get_pipeline(id=name, filter_path="*.version")
    )
    # For a missing pipeline, Elasticsearch answers 404 with an empty object.
    if name != "_none" and reply.status == 404 and reply.body.strip() == b"{}":
        raise Unavailable(
            f"sink.elasticsearch.pipeline: the ingest pipeline {name} does not exist "
            f"(Elasticsearch at {client.nodes}): create it, or correct its name"
        )


def what_is(reply: Reply, spec: ElasticsearchSink) -> str | None:
    """Describe an index, by the answer of `Target.find`; `None`: it does not tell."""
    found = _decoded(reply, _Found)
    if _is_missing(reply, found):
        waits = spec.on_missing_index == "wait"
        return f"does not exist: {'the job waits for it' if waits else 'Elasticsearch creates it'}"
    if found is None:
        return None
    if found.data_streams:
        return "is a data stream"
    return "is an alias" if found.aliases else "is an index"


def _is_missing(reply: Reply, found: _Found | None) -> bool:
    if reply.status == 404:
        error = _decoded(reply, _Missing)
        return error is not None and error.error.type == "index_not_found_exception"
    return found is not None and not (found.indices or found.aliases or found.data_streams)


def _decoded(reply: Reply, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except ValueError:
        return None


class _Permission(msgspec.Struct):
    has_all_requested: bool


class _Index(msgspec.Struct):
    attributes: list[str] = []


class _Found(msgspec.Struct):
    indices: list[_Index]
    aliases: list[msgspec.Raw]
    data_streams: list[msgspec.Raw]


class _Type(msgspec.Struct):
    type: str = ""


class _Missing(msgspec.Struct):
    error: _Type


class _Blocks(msgspec.Struct):
    blocks: Mapping[str, str] = {}


class _IndexSettings(msgspec.Struct):
    index: _Blocks = msgspec.field(default_factory=_Blocks)


class _Settings(msgspec.Struct):
    settings: _IndexSettings = msgspec.field(default_factory=_IndexSettings)


class _Template(msgspec.Struct):
    patterns: list[str] = msgspec.field(name="index_patterns")
    priority: int = 0
    data_stream: dict[str, Any] | None = None


class _Named(msgspec.Struct):
    name: str
    index_template: _Template


class _Templates(msgspec.Struct):
    index_templates: list[_Named]


_PRIVILEGES = {
    "index": ("create", "index"),
    "create": ("create_doc", "create_doc"),
    "update": ("index", "index"),
    "delete": ("delete", "delete"),
}
"""By action: the least privilege that it needs, to check; and the privilege to advise."""
