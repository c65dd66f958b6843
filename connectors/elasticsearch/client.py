"""Talks to Elasticsearch over HTTP; the only module that knows how.

It rests on `elastic_transport`, the lower half of Elasticsearch's own client: connections, TLS,
and a choice among nodes that leaves out those which are down. The upper half would add a media
type of its major version, which servers of another one refuse, and twice the memory. Nothing is
tried again here but at another node, where one cannot be reached; and no failure is an exception:
whoever sends gets a `Reply`, whatever happens.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

from elastic_transport import NodeConfig, Serializer, TlsError, Transport, TransportError
from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config

from connectors.elasticsearch.bulk import FILTER_PATH, Reply
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable

LOOK_SECONDS_MAX = 10.0
"""The job starts after that, and waits for Elasticsearch with everything else running."""


class Client:
    """Connections to the nodes of one cluster; may be used by many threads at once."""

    def __init__(self, spec: ElasticsearchSink, index: str | None) -> None:
        """`index`: where documents go that name none themselves."""
        _silence()
        self._seconds = spec.request_timeout
        self._target = f"{_path(index)}/_bulk?{_parameters(spec)}"
        self._transport = Transport(
            [_node(url, spec) for url in spec.url],
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

    def exists(self, name: str) -> bool | Reply:
        """Look for an index, an alias or a data stream; a `Reply` tells why nobody knows."""
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
                f"Elasticsearch at {self.nodes} cannot be trusted ({error.message}): "
                "correct url or ca_certs"
            ) from error
        except TransportError as error:
            return _no_answer(error)

    def knock(self) -> Reply:
        """Send an empty bulk: a bad request of those who are let in, whatever they may do inside.

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
        """Ask once.

        Raises:
            TransportError: there is no answer.
        """
        meta, answer = self._transport.perform_request(
            method,
            target,
            body=body,
            headers={"content-type": content_type, "accept": _JSON},
            request_timeout=seconds,
        )
        return Reply(meta.status, answer or b"")

    @property
    def nodes(self) -> str:
        """Where the cluster is, to be told."""
        return ", ".join(node.base_url for node in self._transport.node_pool.all())


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
    return Reply(None, f"{type(error).__name__}: {error.message}".encode(), cut)


def _silence() -> None:
    """Keep `elastic_transport` out of the log: what goes wrong is told by the indexer."""
    logging.getLogger("elastic_transport").setLevel(logging.CRITICAL)
    # It prepares each body for the log, even when it then is not logged, unless there is no log
    # at all. That is time, and what is in there is nobody's business.
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
        ca_certs=spec.ca_certs,
    )


def _parameters(spec: ElasticsearchSink) -> str:
    parameters = f"filter_path={FILTER_PATH}"
    if spec.pipeline is not None:
        parameters += f"&pipeline={quote(spec.pipeline, safe='')}"
    return parameters + "&require_alias=true" if spec.require_alias else parameters


def _path(index: str | None) -> str:
    return "" if index is None else "/" + quote(index, safe="")
