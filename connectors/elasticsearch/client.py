"""Sends requests to Elasticsearch, and returns the replies; no other module sends requests.

Documents are sent as our own bytes, everything else by typed methods of the official client. A
failure is a `Reply`, not an exception.
"""

from __future__ import annotations

import traceback
import zlib
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from connectors.elasticsearch import tls
from connectors.elasticsearch.authorization import ReloadSpec
from connectors.elasticsearch.bulk_request import BulkBody, index_path
from connectors.elasticsearch.bulk_response import FILTER_PATH, Reply
from connectors.elasticsearch.claims import READ
from connectors.elasticsearch.library import (
    ApiResponse,
    ConnectionTimeout,
    Elasticsearch,
    TlsError,
    TransportError,
)
from connectors.elasticsearch.official import JSON, NDJSON, PlainClient
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable

MAX_ASK_SECONDS = 10.0
"""Seconds for requests other than bulk requests: after that, the job starts without an answer, and
waits for Elasticsearch while it runs."""

GZIP_LEVEL = 1
"""Higher levels take several times the CPU, and make a request only a little smaller."""

GZIP_FORMAT = 31
"""Tells `zlib` to write the header of gzip; its time is zero."""

_LIMITS = "nodes.*.http.max_content_length_in_bytes"

Question = Callable[[Elasticsearch], ApiResponse[Any]]
"""Calls a typed method of the official client."""


class Client:
    """Connections to the nodes of one cluster; thread-safe."""

    def __init__(
        self,
        spec: ElasticsearchSink,
        index: str | None,
        reload: ReloadSpec | None = None,
        ask_seconds: float = MAX_ASK_SECONDS,
    ) -> None:
        """`index`: for documents that name none.

        `ask_seconds`: how long an answer to `ask` may take.

        `reload` reads the spec again after a 401: its credentials may have been replaced.
        """
        self._seconds, self._ask_seconds = spec.request_timeout, ask_seconds
        self._target = f"{index_path(index)}/_bulk?{_parameters(spec)}"
        self._compresses = spec.bulk.compress == "gzip"
        self._official = PlainClient(spec, reload, ask_seconds)

    def send(self, body: bytes | BulkBody) -> Reply:
        """Send a bulk request, and wait up to `request_timeout` for the reply."""
        return _answered(lambda: self._send_bulk(body, self._seconds))

    def read(self, question: bytes) -> Reply:
        """Read the current state of documents by their `_id`; `question`: a body of `_mget`."""
        headers, target = {"content-type": JSON}, f"/_mget?{READ}"
        return _answered(
            lambda: self._official.send("POST", target, question, headers, self._seconds)
        )

    def probe(self, size: int) -> Reply:
        """Send an empty bulk request of this size in bytes; Elasticsearch answers 400.

        It passes the same proxies as a bulk request with documents, and is compressed like one.
        """
        return _answered(lambda: self._send_bulk(b"\n".rjust(size), MAX_ASK_SECONDS))

    def exists(self, name: str) -> bool | Reply:
        """Return whether an index, alias or data stream exists; a `Reply`: why that is unknown."""
        reply = _answered(lambda: self._official.indices.exists(index=name))
        return reply.status == 200 if reply.status in (200, 404) else reply

    def ask_limits(self) -> Reply:
        """Ask each node how large a request may be."""
        return _answered(lambda: self._official.nodes.info(metric="http", filter_path=_LIMITS))

    def ask(self, question: Question) -> Reply:
        """Ask a question of the checks at the start.

        Raises:
            Unavailable: TLS fails, so waiting does not help.
        """
        return self._ask(lambda: question(self._official))

    def send_empty_bulk(self) -> Reply:
        """Send an empty bulk request; an authenticated user with any privileges gets a 400.

        Raises:
            Unavailable: see `ask`.
        """
        return self._ask(lambda: self._send_bulk(b"\n", self._ask_seconds))

    def close(self) -> None:
        """Close idle connections."""
        self._official.close()

    @property
    def nodes(self) -> str:
        """URLs of the nodes, for messages to the user."""
        return ", ".join(node.base_url for node in self._official.transport.node_pool.all())

    def _send_bulk(self, body: bytes | BulkBody, seconds: float) -> ApiResponse[bytes]:
        headers = {"content-type": NDJSON}
        if self._compresses:
            body = _compressed([body] if isinstance(body, bytes) else body)
            headers["content-encoding"] = "gzip"
        elif isinstance(body, BulkBody):
            headers["content-length"] = str(body.size)
        return self._official.send("POST", self._target, body, headers, seconds)

    def _ask(self, request: Callable[[], ApiResponse[Any]]) -> Reply:
        try:
            return _reply(request())
        except TlsError as error:
            raise Unavailable(
                f"no TLS with Elasticsearch at {self.nodes}: {tls.advice(error)}"
            ) from error
        except TransportError as error:
            return _no_answer(error)


def _compressed(pieces: Iterable[bytes]) -> bytes:
    compressor = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_FORMAT)
    return b"".join([*map(compressor.compress, pieces), compressor.flush()])


def _answered(request: Callable[[], ApiResponse[Any]]) -> Reply:
    try:
        return _reply(request())
    except TransportError as error:
        return _no_answer(error)


def _reply(response: ApiResponse[Any]) -> Reply:
    return Reply(response.meta.status, response.body, headers=response.meta.headers)


def _no_answer(error: TransportError) -> Reply:
    # `error.errors` has the errors of other nodes; the cause has this one's.
    causes = getattr(error.__cause__, "args", ())
    cut = any(isinstance(cause, (BrokenPipeError, ConnectionResetError)) for cause in causes)
    late = isinstance(error, ConnectionTimeout)
    _forget_frames(error)
    return Reply(None, f"{type(error).__name__}: {error.message}".encode(), cut, late)


def _forget_frames(error: BaseException | None) -> None:
    """Let the documents go that the frames of the error refer to.

    Both libraries keep an error in a variable of a frame of that error: without this, only the
    garbage collector, which runs seldom, would find them.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _parameters(spec: ElasticsearchSink) -> str:
    parameters = f"filter_path={FILTER_PATH}"
    if spec.pipeline is not None:
        parameters += f"&pipeline={quote(spec.pipeline, safe='')}"
    return parameters + "&require_alias=true" if spec.require_alias else parameters
