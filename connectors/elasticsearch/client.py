"""Talks to Elasticsearch over HTTP; the only module that knows how.

It rests on `elastic_transport`, the lower half of Elasticsearch's own client: connections, TLS,
and a choice among nodes that leaves out those which are down. The upper half would add a media
type of its major version, which servers of another one refuse, and twice the memory. Nothing is
tried again here, and no failure is an exception: whoever sends gets a `Reply`, whatever happens.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

import msgspec
from elastic_transport import NodeConfig, Serializer, Transport, TransportError
from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config

from connectors.elasticsearch.bulk import FILTER_PATH, Reply
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable

log = logging.getLogger("hopper.elasticsearch")


class Client:
    """Connections to the nodes of one cluster; may be used by many threads at once."""

    def __init__(self, spec: ElasticsearchSink, index: str | None) -> None:
        """`index`: where documents go that name none themselves."""
        _silence()
        self._index = index
        self._target = f"{_path(index)}/_bulk?filter_path={FILTER_PATH}"
        self._transport = Transport(
            [_node(url, spec) for url in spec.url],
            serializers=dict.fromkeys(
                ("application/json", "application/x-ndjson", "text/*"), _AS_IS
            ),
            max_retries=0,
        )

    def send(self, body: bytes) -> Reply:
        """Send a bulk request, and wait for what comes of it; see `spec.request_timeout`."""
        return self._request("POST", self._target, body, "application/x-ndjson")

    def check(self) -> None:
        """See `connectors.connector.Sink`."""
        # An empty bulk is a bad request from those who are let in, without any privilege.
        reply = self.send(b"\n")
        if reply.status is None:
            log.warning("Elasticsearch is waited for: %s", reply.body.decode())
        elif reply.status in (401, 403):
            raise Unavailable(
                f"Elasticsearch at {self._nodes} does not let us in ({reply.status}): "
                f"correct api_key or basic_auth of sink.elasticsearch"
            )
        elif self._index is not None and not self._may_write(self._index):
            raise Unavailable(
                f"Elasticsearch at {self._nodes} lets us in, but not write to the index "
                f"{self._index}: its privilege create_doc is missing"
            )

    def close(self) -> None:
        """End the connections that are idle."""
        self._transport.close()

    def _may_write(self, index: str) -> bool:
        """Only a clear no is a no: a cluster without security does not know the question."""
        question = {"index": [{"names": [index], "privileges": ["create_doc"]}]}
        reply = self._request(
            "POST",
            "/_security/user/_has_privileges",
            msgspec.json.encode(question),
            "application/json",
        )
        if reply.status != 200:
            return True
        try:
            return msgspec.json.decode(reply.body, type=_Privileges).has_all_requested
        except msgspec.DecodeError:
            return True

    def _request(self, method: str, target: str, body: bytes, content_type: str) -> Reply:
        headers = {"content-type": content_type, "accept": "application/json"}
        try:
            meta, answer = self._transport.perform_request(
                method, target, body=body, headers=headers
            )
        except TransportError as error:
            return Reply(None, f"{type(error).__name__}: {error.message}".encode())
        return Reply(meta.status, answer)

    @property
    def _nodes(self) -> str:
        return ", ".join(node.base_url for node in self._transport.node_pool.all())


class _Bytes(Serializer):
    """Hands bodies and answers on as they are."""

    def dumps(self, data: Any) -> bytes:
        return bytes(data)

    def loads(self, data: bytes) -> bytes:
        return data


class _Privileges(msgspec.Struct):
    has_all_requested: bool


_AS_IS = _Bytes()


def _silence() -> None:
    """Keep `elastic_transport` out of the log."""
    # It would write a line for each request; what goes wrong is told by the indexer.
    logging.getLogger("elastic_transport").propagate = False
    # And it decodes each body for the log, even when it then is not logged, unless nobody at all
    # listens. What is in there is nobody's business.
    logging.getLogger("elastic_transport.node").propagate = False


def _node(url: str, spec: ElasticsearchSink) -> NodeConfig:
    node = url_to_node_config(url, use_default_ports_for_scheme=True)
    headers = dict(node.headers)
    if spec.api_key is not None:
        headers["authorization"] = f"ApiKey {spec.api_key.get_secret_value()}"
    if spec.basic_auth is not None:
        user, _, password = spec.basic_auth.get_secret_value().partition(":")
        headers["authorization"] = basic_auth_to_header((user, password))
    return node.replace(
        headers=headers,
        connections_per_node=spec.concurrency,
        request_timeout=spec.request_timeout,
        ca_certs=spec.ca_certs,
    )


def _path(index: str | None) -> str:
    return "" if index is None else "/" + quote(index, safe="")
