"""Talks to Elasticsearch over HTTP; the only module that knows how.

It rests on `elastic_transport`, the lower half of Elasticsearch's own client: connections, TLS,
and a choice among nodes that leaves out those which are down. The upper half would add a media
type of its major version, which servers of another one refuse, and twice the memory. Nothing is
tried again here but at another node, where one cannot be reached; and no failure is an exception:
the sender gets a `Reply` in every case.
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

LOOK_SECONDS_MAX = 10.0
"""The job starts after that, and waits for Elasticsearch with everything else running."""


FreshSpec = Callable[[], "ElasticsearchSink | None"]
"""Reads the spec again from where it came from; `None`: it cannot be read now."""


class Client:
    """Connections to the nodes of one cluster; may be used by many threads at once."""

    def __init__(
        self, spec: ElasticsearchSink, index: str | None, fresh: FreshSpec | None = None
    ) -> None:
        """`index`: where documents go that name none themselves.

        `fresh` reads the spec again when the cluster does not let us in: its credentials may have
        been changed since, where they came from.
        """
        _silence()
        self._authorization, self._fresh = _authorization(spec), fresh
        self._renewing = threading.Lock()
        self._seconds = spec.request_timeout
        self._target = f"{_path(index)}/_bulk?{_parameters(spec)}"
        self._transport = Transport(
            [_node(url, spec) for url in spec.url],
            node_class=_Node,
            serializers=dict.fromkeys((_JSON, _NDJSON, "application/*", "text/*"), _AS_IS),
            max_retries=len(spec.url) - 1,
            retry_on_status=(),
        )

    def send(self, body: bytes) -> Reply:
        """Send a bulk request, and wait for what comes of it; see `spec.request_timeout`."""
        try:
            return self._request("POST", self._target, body, _NDJSON, self._seconds)
        except TransportError as error:
            return _no_answer(error)

    def read(self, question: bytes) -> Reply:
        """Look at documents by their `_id`, as they are at this moment: see `_mget`."""
        try:
            return self._request("POST", f"/_mget?{READ}", question, _JSON, self._seconds)
        except TransportError as error:
            return _no_answer(error)

    def probe(self, size: int) -> Reply:
        """Send a request of that many bytes that asks for nothing.

        It takes the way of a bulk request; Elasticsearch reads it, and answers 400.
        """
        try:
            body = b"\n".rjust(size)
            return self._request("POST", self._target, body, _NDJSON, LOOK_SECONDS_MAX)
        except TransportError as error:
            return _no_answer(error)

    def exists(self, name: str) -> bool | Reply:
        """Look for an index, an alias or a data stream; a `Reply` tells why that is unknown."""
        try:
            reply = self._request("HEAD", _path(name), None, _JSON, LOOK_SECONDS_MAX)
        except TransportError as error:
            return _no_answer(error)
        return reply.status == 200 if reply.status in (200, 404) else reply

    def look(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Reply:
        """Ask for something else than documents to be stored, before the first of them.

        Raises:
            Unavailable: it cannot be trusted, so that waiting for it does not help.
        """
        try:
            return self._request(method, target, body, content_type, LOOK_SECONDS_MAX)
        except TlsError as error:
            raise Unavailable(
                f"no TLS with Elasticsearch at {self.nodes}: {tls.advice(error)}"
            ) from error
        except TransportError as error:
            return _no_answer(error)

    def knock(self) -> Reply:
        """Send an empty bulk: a bad request for a user who is let in, with any privileges.

        Raises:
            Unavailable: see `look`.
        """
        return self.look("POST", self._target, b"\n", _NDJSON)

    def close(self) -> None:
        """End the connections that are idle."""
        self._transport.close()

    def _request(
        self, method: str, target: str, body: bytes | None, content_type: str, seconds: float
    ) -> Reply:
        """Ask once, or once more with new credentials.

        Raises:
            TransportError: there is no answer.
        """
        while True:
            headers, shown = {"content-type": content_type, "accept": _JSON}, self._authorization
            if shown is not None:
                headers["authorization"] = shown
            meta, answer = self._transport.perform_request(
                method, target, body=body, headers=headers, request_timeout=seconds
            )
            if meta.status != 401 or not self._renew(shown):
                return Reply(meta.status, answer or b"", headers=meta.headers)

    def _renew(self, shown: str | None) -> bool:
        """Read the credentials again; tell whether they are others than those that were shown."""
        with self._renewing:
            if self._authorization == shown and self._fresh is not None:
                spec = self._fresh()
                self._authorization = shown if spec is None else _authorization(spec)
            return self._authorization != shown

    @property
    def nodes(self) -> str:
        """Where the cluster is, to be told."""
        return ", ".join(node.base_url for node in self._transport.node_pool.all())


class _Node(Urllib3HttpNode):
    """Trusts whom its context trusts; the transport would add a list that it brings along."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        if isinstance(self.pool, HTTPSConnectionPool):
            self.pool.ca_certs = None


class _Bytes(Serializer):
    """Hands bodies and answers on as they are."""

    def dumps(self, data: Any) -> bytes:
        return bytes(data)

    def loads(self, data: bytes) -> bytes:
        return data


_AS_IS = _Bytes()
_JSON, _NDJSON = "application/json", "application/x-ndjson"


def _no_answer(error: TransportError) -> Reply:
    # What the transport lists as errors are those of other nodes.
    causes = getattr(error.__cause__, "args", ())
    cut = any(isinstance(cause, (BrokenPipeError, ConnectionResetError)) for cause in causes)
    late = isinstance(error, ConnectionTimeout)
    return Reply(None, f"{type(error).__name__}: {error.message}".encode(), cut, late)


def _silence() -> None:
    """Keep `elastic_transport` out of the log: what goes wrong is told by the indexer."""
    logging.getLogger("elastic_transport").setLevel(logging.CRITICAL)
    # It prepares each body for the log, even when it then is not logged, unless there is no log
    # at all. That takes time, and exposes what is in there.
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
    """Who we are: by a key of the spec, else by the first URL that says it."""
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
