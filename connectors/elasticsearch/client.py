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
from elastic_transport import NodeConfig, Serializer, TlsError, Transport, TransportError
from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config

from connectors.elasticsearch.bulk import FILTER_PATH, Again, Reply, read
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable

log = logging.getLogger("hopper.elasticsearch")

CHECK_SECONDS_MAX = 10.0
"""The job starts after that, and waits for Elasticsearch with everything else running."""


class Client:
    """Connections to the nodes of one cluster; may be used by many threads at once."""

    def __init__(self, spec: ElasticsearchSink, index: str | None) -> None:
        """`index`: where documents go that name none themselves."""
        _silence()
        self._index, self._action, self._seconds = index, spec.action, spec.request_timeout
        self._target = f"{_path(index)}/_bulk?filter_path={FILTER_PATH}"
        self._transport = Transport(
            [_node(url, spec) for url in spec.url],
            serializers=dict.fromkeys((_JSON, _NDJSON, "application/*", "text/*"), _AS_IS),
            max_retries=0,
        )

    def send(self, body: bytes) -> Reply:
        """Send a bulk request, and wait for what comes of it; see `spec.request_timeout`."""
        try:
            return self._request(self._target, body, _NDJSON, self._seconds)
        except TransportError as error:
            return _no_answer(error)

    def check(self) -> None:
        """See `connectors.connector.Sink`."""
        try:
            # An empty bulk is a bad request of those who are let in, whatever they may do inside.
            reading = read(self._request(self._target, b"\n", _NDJSON, CHECK_SECONDS_MAX), 0)
            if not isinstance(reading, Again):
                self._check_privilege()
        except TlsError as error:
            raise Unavailable(
                f"Elasticsearch at {self._nodes} cannot be trusted ({error.message}): "
                "correct url or ca_certs"
            ) from error
        except TransportError as error:
            reading = read(_no_answer(error), 0)
        if not isinstance(reading, Again):
            return
        if reading.status in (401, 403):
            raise Unavailable(
                f"Elasticsearch at {self._nodes} does not let us in ({reading.reason}): "
                "correct api_key or basic_auth"
            )
        log.warning("Elasticsearch at %s is waited for: %s", self._nodes, reading.reason)

    def close(self) -> None:
        """End the connections that are idle."""
        self._transport.close()

    def _check_privilege(self) -> None:
        """Only a clear no is a no: a cluster without security does not know the question."""
        if self._index is None:
            return
        # The least that the action needs: whoever may do more has these as well.
        least = "create_doc" if self._action == "create" else "create"
        question = {"index": [{"names": [self._index], "privileges": [least]}]}
        reply = self._request(_PRIVILEGES, msgspec.json.encode(question), _JSON, CHECK_SECONDS_MAX)
        try:
            answer = msgspec.json.decode(reply.body, type=_Privileges)
        except ValueError:
            return
        if not answer.has_all_requested:
            raise Unavailable(
                f"Elasticsearch at {self._nodes} lets us in, but not write to the index "
                f"{self._index}: give the api_key or the user its privilege "
                f"{'create_doc' if self._action == 'create' else 'index'}"
            )

    def _request(self, target: str, body: bytes, content_type: str, seconds: float) -> Reply:
        """Post once.

        Raises:
            TransportError: there is no answer.
        """
        meta, answer = self._transport.perform_request(
            "POST",
            target,
            body=body,
            headers={"content-type": content_type, "accept": _JSON},
            request_timeout=seconds,
        )
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
_JSON, _NDJSON = "application/json", "application/x-ndjson"
_PRIVILEGES = "/_security/user/_has_privileges"


def _no_answer(error: TransportError) -> Reply:
    return Reply(None, f"{type(error).__name__}: {error.message}".encode())


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


def _path(index: str | None) -> str:
    return "" if index is None else "/" + quote(index, safe="")
