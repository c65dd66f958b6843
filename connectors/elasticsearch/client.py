"""Sends HTTP requests to Elasticsearch; no other module does.

It uses `elastic_transport`, the lower half of Elasticsearch's own client: connections, TLS, and a
pool of nodes that leaves out those which are down. The upper half would need twice the memory, and
sends a media type that servers of another major version refuse. This module retries only at
another node when one cannot be reached. A failure is a `Reply`, not an exception.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from elastic_transport import (
    ConnectionTimeout,
    NodeConfig,
    Serializer,
    TlsError,
    Transport,
    TransportError,
    Urllib3HttpNode,
)
from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config
from urllib3 import HTTPSConnectionPool

from connectors.elasticsearch import tls
from connectors.elasticsearch.bulk_response import FILTER_PATH, Reply
from connectors.elasticsearch.claims import READ
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable

MAX_LOOK_SECONDS = 10.0
"""Seconds for requests other than bulk requests: after that, the job starts without an answer, and
waits for Elasticsearch while it runs."""

ReloadSpec = Callable[[], "ElasticsearchSink | None"]
"""Reads the spec file and its secrets again; `None`: they cannot be read now."""


class Client:
    """Connections to the nodes of one cluster; thread-safe."""

    def __init__(
        self,
        spec: ElasticsearchSink,
        index: str | None,
        reload: ReloadSpec | None = None,
        look_seconds: float = MAX_LOOK_SECONDS,
    ) -> None:
        """`index`: for documents that name none.

        `look_seconds`: how long an answer to `ask` may take.

        `reload` reads the spec again after a 401: its credentials may have been replaced.
        """
        _mute_transport_log()
        self._authorization, self._reload = _authorization(spec), reload
        self._renewing = threading.Lock()
        self._seconds, self._look_seconds = spec.request_timeout, look_seconds
        self._target = f"{_path(index)}/_bulk?{_parameters(spec)}"
        self._transport = Transport(
            [_node(url, spec) for url in spec.url],
            node_class=_Node,
            serializers=dict.fromkeys((_JSON, _NDJSON, "application/*", "text/*"), _AS_IS),
            max_retries=len(spec.url) - 1,
            retry_on_status=(),
        )

    def send(self, body: bytes) -> Reply:
        """Send a bulk request, and wait up to `request_timeout` for the reply."""
        try:
            return self._request("POST", self._target, body, _NDJSON, self._seconds)
        except TransportError as error:
            return _no_answer(error)

    def read(self, question: bytes) -> Reply:
        """Read the current state of documents by their `_id`; `question`: a body of `_mget`."""
        try:
            return self._request("POST", f"/_mget?{READ}", question, _JSON, self._seconds)
        except TransportError as error:
            return _no_answer(error)

    def probe(self, size: int) -> Reply:
        """Send an empty bulk request of this size in bytes; Elasticsearch answers 400.

        It passes the same proxies as a bulk request with documents.
        """
        try:
            body = b"\n".rjust(size)
            return self._request("POST", self._target, body, _NDJSON, MAX_LOOK_SECONDS)
        except TransportError as error:
            return _no_answer(error)

    def exists(self, name: str) -> bool | Reply:
        """Return whether an index, alias or data stream exists; a `Reply`: why that is unknown."""
        try:
            reply = self._request("HEAD", _path(name), None, _JSON, MAX_LOOK_SECONDS)
        except TransportError as error:
            return _no_answer(error)
        return reply.status == 200 if reply.status in (200, 404) else reply

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Reply:
        """Send a request of the checks at the start.

        Raises:
            Unavailable: TLS fails, so waiting does not help.
        """
        try:
            return self._request(method, target, body, content_type, self._look_seconds)
        except TlsError as error:
            raise Unavailable(
                f"no TLS with Elasticsearch at {self.nodes}: {tls.advice(error)}"
            ) from error
        except TransportError as error:
            return _no_answer(error)

    def send_empty_bulk(self) -> Reply:
        """Send an empty bulk request; an authenticated user with any privileges gets a 400.

        Raises:
            Unavailable: see `ask`.
        """
        return self.ask("POST", self._target, b"\n", _NDJSON)

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    def _request(
        self, method: str, target: str, body: bytes | None, content_type: str, seconds: float
    ) -> Reply:
        """Send a request, and once more with new credentials after a 401.

        Raises:
            TransportError: there is no answer.
        """
        while True:
            headers, used = {"content-type": content_type, "accept": _JSON}, self._authorization
            if used is not None:
                headers["authorization"] = used
            meta, answer = self._transport.perform_request(
                method, target, body=body, headers=headers, request_timeout=seconds
            )
            if meta.status != 401 or not self._renew(used):
                return Reply(meta.status, answer or b"", headers=meta.headers)

    def _renew(self, used: str | None) -> bool:
        """Read the credentials again; return whether they differ from those that were used."""
        with self._renewing:
            if self._authorization == used and self._reload is not None:
                spec = self._reload()
                self._authorization = used if spec is None else _authorization(spec)
            return self._authorization != used

    @property
    def nodes(self) -> str:
        """URLs of the nodes, for messages to the user."""
        return ", ".join(node.base_url for node in self._transport.node_pool.all())


class _Node(Urllib3HttpNode):
    """Trusts the certificates of its TLS context only; the transport would add its own list."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        if isinstance(self.pool, HTTPSConnectionPool):
            self.pool.ca_certs = None


class _Bytes(Serializer):
    """Passes bodies and answers on unchanged."""

    def dumps(self, data: Any) -> bytes:
        return bytes(data)

    def loads(self, data: bytes) -> bytes:
        return data


_AS_IS = _Bytes()
_JSON, _NDJSON = "application/json", "application/x-ndjson"


def _no_answer(error: TransportError) -> Reply:
    # `error.errors` has the errors of other nodes; the cause has this one's.
    causes = getattr(error.__cause__, "args", ())
    cut = any(isinstance(cause, (BrokenPipeError, ConnectionResetError)) for cause in causes)
    late = isinstance(error, ConnectionTimeout)
    return Reply(None, f"{type(error).__name__}: {error.message}".encode(), cut, late)


def _mute_transport_log() -> None:
    """Keep `elastic_transport` out of the log: the indexer logs failures."""
    logging.getLogger("elastic_transport").setLevel(logging.CRITICAL)
    # The transport formats each body for the log even when the level is off, unless the logger
    # has no handler. That takes time, and may expose the documents.
    logging.getLogger("elastic_transport.node").propagate = False


def _node(url: str, spec: ElasticsearchSink) -> NodeConfig:
    node = url_to_node_config(url, use_default_ports_for_scheme=True)
    headers = {name: text for name, text in node.headers.items() if name != "authorization"}
    node = node.replace(headers=headers, connections_per_node=spec.concurrency)
    if node.scheme != "https":
        return node
    context = tls.context(spec.ca_certs, spec.client_cert, spec.client_key)
    return node.replace(ssl_context=context)


def _authorization(spec: ElasticsearchSink) -> str | None:
    """Return the `Authorization` header: of the spec's key, else of the first URL with a user."""
    if spec.api_key is not None:
        return f"ApiKey {spec.api_key.get_secret_value()}"
    if spec.basic_auth is not None:
        user, _, password = spec.basic_auth.get_secret_value().partition(":")
        return basic_auth_to_header((user, password))
    nodes = [url_to_node_config(url, use_default_ports_for_scheme=True) for url in spec.url]
    return next((node.headers["authorization"] for node in nodes if node.headers), None)


def _parameters(spec: ElasticsearchSink) -> str:
    parameters = f"filter_path={FILTER_PATH}"
    if spec.pipeline is not None:
        parameters += f"&pipeline={quote(spec.pipeline, safe='')}"
    return parameters + "&require_alias=true" if spec.require_alias else parameters


def _path(index: str | None) -> str:
    return "" if index is None else "/" + quote(index, safe="")
