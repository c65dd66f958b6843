"""The official client of Elasticsearch, as `client.py` uses it.

It has the connections, TLS, and a pool of nodes that leaves out those which are down. This module
adds the credentials, and sends plain media types, which servers of all versions accept. A request
is sent again only at another node when one cannot be reached, and after a 401 with new credentials.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from urllib3 import HTTPSConnectionPool

from connectors.elasticsearch import tls
from connectors.elasticsearch.authorization import Authorization, ReloadSpec
from connectors.elasticsearch.library import (
    ApiResponse,
    Elasticsearch,
    NodeConfig,
    Serializer,
    Urllib3HttpNode,
    url_to_node_config,
)
from connectors.elasticsearch.spec import ElasticsearchSink

JSON, NDJSON = "application/json", "application/x-ndjson"


class PlainClient(Elasticsearch):
    """The client with plain media types; an answer of any status is returned, as bytes.

    By itself the client sends a media type of its own major version, and raises an error for most
    statuses, and for each answer of a server that does not say that it is Elasticsearch.
    """

    def __init__(
        self, spec: ElasticsearchSink, reload: ReloadSpec | None, typed_seconds: float
    ) -> None:
        """Connect to nothing yet; `typed_seconds`: how long an answer to a typed method may take.

        `reload`: see `Authorization`.
        """
        _mute_log()
        super().__init__(
            [_node(url, spec) for url in spec.url],
            node_class=_Node,
            serializers=dict.fromkeys((JSON, NDJSON, "application/*", "text/*"), _AS_IS),
        )
        self._authorization, self._typed_seconds = Authorization(spec, reload), typed_seconds
        self._other_nodes = len(spec.url) - 1

    def perform_request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any | None = None,
        endpoint_id: str | None = None,
        path_parts: Mapping[str, Any] | None = None,
    ) -> ApiResponse[Any]:
        """Send what a typed method asks for; all of them call this.

        Raises:
            TransportError: there is no answer.
        """
        if path.startswith("/_resolve/index/"):
            method = "GET"  # the client sends POST, which version 8 refuses
        query = "&".join(f"{name}={_query_text(value)}" for name, value in (params or {}).items())
        target = f"{path}?{query}" if query else path
        encoded = None if body is None else msgspec.json.encode(body)
        return self.send(method, target, encoded, {"content-type": JSON}, self._typed_seconds)

    def send(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None,
        headers: dict[str, str],
        seconds: float,
    ) -> ApiResponse[bytes]:
        """Send a request, and once more with new credentials after a 401.

        `target`: path and query; `body`: as a whole, or in pieces, each time from the first one;
        `headers`: those of the body, with the length of pieces; `seconds`: how long the answer may
        take.

        Raises:
            TransportError: there is no answer.
        """
        while True:
            used = self._authorization.header
            authorization = {} if used is None else {"authorization": used}
            meta, answer = self.transport.perform_request(
                method,
                target,
                body=body,
                headers={"accept": JSON} | headers | authorization,
                request_timeout=seconds,
                max_retries=self._other_nodes,
                retry_on_status=(),
            )
            if meta.status != 401 or not self._authorization.renew(used):
                return ApiResponse(body=answer or b"", meta=meta)


def _query_text(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return quote(text, safe="*,")


class _Node(Urllib3HttpNode):
    """Trusts the certificates of its TLS context only; the transport would add its own list."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        if isinstance(self.pool, HTTPSConnectionPool):
            self.pool.ca_certs = None

    def _log_request(self, *_: Any, **__: Any) -> None:
        """Log nothing: it would decode each body, even one that no log takes."""


class _Bytes(Serializer):
    """Passes bodies and answers on unchanged; `urllib3` takes a body in pieces too."""

    def dumps(self, data: Any) -> Any:
        return data

    def loads(self, data: bytes) -> bytes:
        return data


_AS_IS = _Bytes()


def _mute_log() -> None:
    """Keep `elastic_transport` out of the log: the indexer logs failures."""
    logging.getLogger("elastic_transport").setLevel(logging.CRITICAL)


def _node(url: str, spec: ElasticsearchSink) -> NodeConfig:
    node = url_to_node_config(url, use_default_ports_for_scheme=True)
    headers = {name: text for name, text in node.headers.items() if name != "authorization"}
    node = node.replace(headers=headers, connections_per_node=spec.concurrency)
    if node.scheme != "https":
        return node
    context = tls.context(spec.ca_certs, spec.client_cert, spec.client_key)
    return node.replace(ssl_context=context)
