"""An Elasticsearch that stores nothing: it answers each bulk request as if all were stored.

Its answers are as long as those of the real one, with an item for each document, and are prepared
once. All contenders share its cost, which the report shows.

`python -m bench.stub 0.005 0.2` delays each answer by 5 ms, and throttles a fifth of all documents
(429); `GET /ages` returns the age of each document at its arrival, by its field `sent`, and
`GET /lengths` the bytes of the body of each request, as they were on the wire.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
import time
from functools import lru_cache
from http import HTTPStatus
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import ClassVar

ITEM = {
    "_index": "bench",
    "_id": "tjT1GZoBq8mXb2oK3v0A",
    "_version": 1,
    "result": "created",
    "_shards": {"total": 2, "successful": 1, "failed": 0},
    "_seq_no": 123456,
    "_primary_term": 1,
    "status": 201,
}
"""The item of Elasticsearch 9 for a stored document."""


BUSY = {
    "_index": "bench",
    "status": 429,
    "error": {"type": "es_rejected_execution_exception", "reason": "rejected execution"},
}
"""Its item for a throttled document."""


class Stub(StreamRequestHandler):
    """Serves one connection until it ends."""

    seconds = 0.0
    """The delay of each answer to a bulk request."""
    throttled = 0.0
    """The share of throttled documents, chosen at random."""
    ages: ClassVar[list[float]] = []
    lengths: ClassVar[list[int]] = []

    def handle(self) -> None:
        """Answer one request after the other."""
        while request := self.rfile.readline():
            body, now = self._body(), time.monotonic()
            if request.startswith(b"GET /ages "):
                self.wfile.write(_http(HTTPStatus.OK, self.ages))
                continue
            if request.startswith(b"GET /lengths "):
                self.wfile.write(_http(HTTPStatus.OK, self.lengths))
                continue
            self.ages.extend(now - float(sent) for sent in _SENT(body))
            # A document is two lines: its action, and its source.
            documents = body.count(b"\n") // 2
            if self.seconds and documents:
                time.sleep(self.seconds)
            if self.throttled and documents:
                self.wfile.write(partial(documents, self.throttled))
            else:
                self.wfile.write(answer(documents, short=b"filter_path=" in request))

    def _body(self) -> bytes:
        length, gzipped = 0, False
        while (header := self.rfile.readline().lower()) != b"\r\n":
            if header.startswith(b"content-length:"):
                length = int(header[15:])
            gzipped |= header == b"content-encoding: gzip\r\n"
        if length:
            self.lengths.append(length)
        body = self.rfile.read(length)
        return gzip.decompress(body) if gzipped else body


@lru_cache(10_000)
def answer(documents: int, short: bool) -> bytes:
    """The whole HTTP answer to a request with that many documents."""
    item = {"status": ITEM["status"]} if short else ITEM
    if documents:
        items = [{"index": item}] * documents
        return _http(HTTPStatus.OK, {"took": 1, "errors": False, "items": items})
    error = {"type": "parse_exception", "reason": "request body is required"}
    return _http(HTTPStatus.BAD_REQUEST, {"error": error})


def partial(documents: int, throttled: float) -> bytes:
    """The answer to a request of which a share is throttled."""
    items = [{"index": BUSY if random.random() < throttled else ITEM} for _ in range(documents)]
    return _http(HTTPStatus.OK, {"took": 1, "errors": True, "items": items})


def _http(status: HTTPStatus, content: object) -> bytes:
    body = json.dumps(content, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "x-elastic-product: Elasticsearch\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


_SENT = re.compile(rb'"sent":([0-9.]+)').findall


class _Server(ThreadingTCPServer):
    daemon_threads = True


def main() -> None:
    """Listen on a free port, print its number, and serve for ever."""
    Stub.seconds, Stub.throttled = float(sys.argv[1]), float(sys.argv[2])
    with _Server(("127.0.0.1", 0), Stub) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
