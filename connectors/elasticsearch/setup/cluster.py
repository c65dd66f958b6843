"""Asks a cluster what it has, and changes it: typed methods of the official client only."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.elasticsearch.bulk_response import Reply
from connectors.elasticsearch.client import Client, Question
from connectors.elasticsearch.error_body import reason_of_request
from connectors.elasticsearch.product import ABOUT, product
from connectors.elasticsearch.setup.changes import Change
from connectors.elasticsearch.setup.found import FoundCluster, rival_of, write_index
from connectors.elasticsearch.setup.wanted import Wanted
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable

PRIVILEGES = (
    "hopper setup needs the privileges manage_index_templates and, for the indices, manage; the "
    "job does not: give other credentials with --env"
)


class SetupCluster:
    """The cluster that a sink writes to."""

    def __init__(self, spec: ElasticsearchSink, seconds: float) -> None:
        """`seconds`: how long each answer may take."""
        self._client = Client(spec, None, ask_seconds=seconds)

    @property
    def nodes(self) -> str:
        """URLs of the nodes, without a password."""
        return self._client.nodes

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def find(self, wanted: Wanted) -> FoundCluster:
        """Read everything that is compared with the spec.

        Raises:
            Unavailable: there is no answer, or the cluster refuses; also a mapping that is wrong.
        """
        if "data_stream" in wanted.body:
            self._check_lifecycles()
        templates = self._templates()
        priority: int = wanted.body["priority"]
        name = wanted.body["index_patterns"][0].replace("*", "000001")
        rival = rival_of(wanted.template, priority, name, templates)
        found = FoundCluster(
            template=templates.get(wanted.template),
            rival=rival,
            wanted_mapping={} if rival else self._simulated_mapping(wanted),
        )
        return found if wanted.kind == "indices" else self._with_index(found, wanted.index)

    def apply(self, change: Change) -> None:
        """Send the request of a change.

        Raises:
            Unavailable: there is no answer, or the cluster refuses.
        """
        self._ask(_request(change), f"to change {change.what} {change.name}")

    def _check_lifecycles(self) -> None:
        """Check that the server is not OpenSearch, whose data streams have no lifecycles.

        Raises:
            Unavailable: it is.
        """
        reply = self._client.ask(lambda official: official.info(filter_path=ABOUT))
        if product(reply).is_opensearch:
            raise Unavailable(
                f"OpenSearch at {self.nodes} has no lifecycles of data streams, which "
                "setup.data_stream declares: leave out setup, create the index template yourself, "
                "and let a policy of Index State Management delete old documents"
            )

    def _templates(self) -> dict[str, dict[str, Any]]:
        answer = self._ask(
            lambda official: official.indices.get_index_template(), "to read index templates"
        )
        return {one["name"]: one["index_template"] for one in answer["index_templates"]}

    def _simulated_mapping(self, wanted: Wanted) -> dict[str, Any]:
        """Let Elasticsearch write the mapping as it would store it; nothing is stored."""
        answer = self._ask(
            lambda official: official.indices.simulate_template(
                name=wanted.template, body=wanted.body
            ),
            f"the index template {wanted.template}",
        )
        mapping: dict[str, Any] = answer["template"].get("mappings", {})
        return mapping

    def _with_index(self, found: FoundCluster, name: str) -> FoundCluster:
        answer = self._ask(
            lambda official: official.indices.resolve_index(name=name),
            f"to look for {name}",
            missing={"indices": [], "aliases": [], "data_streams": []},
        )
        if answer["data_streams"]:
            return self._with_stream(found, name)
        if not answer["indices"] and not answer["aliases"]:
            return found
        aliases = self._ask(
            lambda official: official.indices.get_alias(index=name), f"to read aliases of {name}"
        )
        is_alias = bool(answer["aliases"])
        index = write_index(name, aliases) if is_alias else name
        return msgspec.structs.replace(
            found,
            kind="alias" if is_alias else "index",
            mapping=self._mapping(index),
            aliases={one: frozenset(about["aliases"]) for one, about in aliases.items()},
        )

    def _with_stream(self, found: FoundCluster, name: str) -> FoundCluster:
        answer = self._ask(
            lambda official: official.indices.get_data_stream(name=name), f"to read {name}"
        )
        lifecycles = self._ask(
            lambda official: official.indices.get_data_lifecycle(name=name),
            f"to read the lifecycle of {name}",
        )
        aliases = self._ask(
            lambda official: official.indices.get_alias(index=name), f"to read aliases of {name}"
        )
        lifecycle = next((one.get("lifecycle") for one in lifecycles["data_streams"]), None)
        return msgspec.structs.replace(
            found,
            kind="data stream",
            mapping=self._mapping(answer["data_streams"][0]["indices"][-1]["index_name"]),
            has_lifecycle=lifecycle is not None and lifecycle.get("enabled", True),
            retention=(lifecycle or {}).get("data_retention"),
            aliases={name: frozenset(aliases.get(name, {}).get("aliases", {}))},
        )

    def _mapping(self, index: str) -> dict[str, Any]:
        answer = self._ask(
            lambda official: official.indices.get_mapping(index=index),
            f"to read the mapping of {index}",
        )
        mapping: dict[str, Any] = answer[index]["mappings"]
        return mapping

    def _ask(self, question: Question, what: str, missing: dict[str, Any] | None = None) -> Any:
        """Return the answer; `missing`: what a 404 means."""
        reply = self._client.ask(question)
        if reply.status == 404 and missing is not None:
            return missing
        if reply.status is None or reply.status >= 300:
            raise Unavailable(self._refusal(reply, what))
        return msgspec.json.decode(reply.body)

    def _refusal(self, reply: Reply, what: str) -> str:
        where = f"Elasticsearch at {self.nodes}"
        if reply.status is None:
            return f"{where} does not answer: {reply.body.decode(errors='replace')}"
        reason = reason_of_request(reply.status, reply.body) or f"it answers {reply.status}"
        if reply.status == 401:
            return f"{where} refuses the credentials: correct api_key or basic_auth: {reason}"
        remedy = f": {PRIVILEGES}" if reply.status == 403 else ""
        return f"{where} refuses {what}: {reason}{remedy}"


def _request(change: Change) -> Question:
    """Return the request that makes a change."""
    name, body = change.name, change.body
    requests: dict[str, Question] = {
        "index template": lambda es: es.indices.put_index_template(name=name, body=body),
        "index": lambda es: es.indices.create(index=name, body=body),
        "data stream": lambda es: es.indices.create_data_stream(name=name),
        "mapping": lambda es: es.indices.put_mapping(index=name, body=body, write_index_only=True),
        "lifecycle": lambda es: es.indices.put_data_lifecycle(name=name, body=body),
        "aliases": lambda es: es.indices.put_alias(index=body["indices"], name=name),
    }
    return requests[change.what]
