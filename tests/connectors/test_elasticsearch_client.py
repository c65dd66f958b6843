"""Requests to Elasticsearch: what goes over the wire, and that no failure is an exception."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.elasticsearch.bulk import Reply
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable

LET_IN = (400, b'{"error":{"type":"action_request_validation_exception"}}')


class Node:
    """An HTTP server that answers as told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.headers = {"content-type": "application/json"}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                node.requests.append((self.command, self.path, headers, body))
                status, answer = node.answers.pop(0) if node.answers else (200, b"{}")
                self.send_response(status)
                for name, value in node.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.server.shutdown()
    node.server.server_close()


@pytest.fixture
def nowhere() -> str:
    """A URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def client(*url: str, index: str | None = "events", **options: Any) -> Client:
    return Client(ElasticsearchSink(url=url, index=index or "{a}", **options), index)


def test_a_bulk_goes_out_as_it_is_and_its_answer_comes_back_as_it_is(node: Node) -> None:
    node.answers = [(200, b'{"errors": false}')]
    with closing(client(node.url)) as some:
        assert some.send(b'{"index":{}}\n{}\n') == Reply(200, b'{"errors": false}')

    ((method, path, _, body),) = node.requests
    assert method == "POST"
    assert path == "/events/_bulk?filter_path=errors,items.*.status,items.*.error"
    assert body == b'{"index":{}}\n{}\n'


def test_media_types_are_those_that_every_version_knows(node: Node) -> None:
    with closing(client(node.url)) as some:
        some.send(b"\n")

    headers = node.requests[0][2]
    assert headers["content-type"] == "application/x-ndjson"
    assert headers["accept"] == "application/json"


def test_documents_with_an_index_of_their_own_need_none_in_the_path(node: Node) -> None:
    with closing(client(node.url, index=None)) as some:
        some.send(b"\n")

    assert node.requests[0][1].startswith("/_bulk?")


def test_the_path_is_encoded(node: Node) -> None:
    with closing(client(f"{node.url}/prefix", index="größe%20")) as some:
        some.send(b"\n")

    assert node.requests[0][1].startswith("/prefix/gr%C3%B6%C3%9Fe%2520/_bulk?")


@pytest.mark.parametrize(
    ("options", "authorization"),
    [
        ({"api_key": SecretStr("a2V5")}, "ApiKey a2V5"),
        ({"basic_auth": SecretStr("me:pass:word")}, "Basic bWU6cGFzczp3b3Jk"),
        ({}, "Basic dXI6bEA="),
    ],
)
def test_credentials(node: Node, options: dict[str, Any], authorization: str) -> None:
    """Those of the URL are used when there are no others."""
    url = node.url.replace("//", "//ur:l%40@")
    with closing(client(url, **options)) as some:
        some.send(b"\n")

    assert node.requests[0][2]["authorization"] == authorization


@pytest.mark.parametrize("status", [200, 400, 401, 404, 413, 429, 500, 503])
def test_every_status_is_an_answer(node: Node, status: int) -> None:
    """And it is asked for once only: whoever sends decides what is sent again."""
    node.answers = [(status, b"{}")]
    with closing(client(node.url)) as some:
        assert some.send(b"\n") == Reply(status, b"{}")

    assert len(node.requests) == 1


@pytest.mark.parametrize("media_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_answers_of_others_than_elasticsearch(node: Node, media_type: str) -> None:
    node.headers = {"content-type": media_type, "warning": '299 - "security is off"'}
    node.answers = [(502, b"<html>")]
    with closing(client(node.url)) as some:
        assert some.send(b"\n") == Reply(502, b"<html>")


def test_nobody_listens(nowhere: str) -> None:
    with closing(client(nowhere)) as some:
        reply = some.send(b"\n")

    assert reply.status is None
    assert b"refused" in reply.body


def test_nobody_answers() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(
            client(f"http://127.0.0.1:{server.getsockname()[1]}", request_timeout="50ms")
        ) as some,
    ):
        reply = some.send(b"x" * 100)

    assert reply.status is None
    assert b"timed out" in reply.body


def test_a_connection_that_breaks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.close()

        threading.Thread(target=hang_up).start()
        with closing(client(f"http://127.0.0.1:{server.getsockname()[1]}")) as some:
            reply = some.send(b"x" * 10_000_000)

    assert reply.status is None
    assert reply.body


def test_a_node_that_is_down_is_left_out(node: Node, nowhere: str) -> None:
    with closing(client(nowhere, node.url)) as some:
        statuses = [some.send(b"\n").status for _ in range(10)]

    assert statuses.count(None) <= 1
    assert statuses.count(200) >= 9


def test_check_is_content_when_we_are_let_in(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    node.answers = [LET_IN, (200, b'{"has_all_requested": true}')]
    with closing(client(node.url)) as some:
        some.check()

    assert [path.partition("?")[0] for _, path, _, _ in node.requests] == [
        "/events/_bulk",
        "/_security/user/_has_privileges",
    ]
    assert not caplog.messages


def test_a_cluster_without_security_has_no_privileges(node: Node) -> None:
    node.answers = [LET_IN, (400, b'{"error": "no handler found for uri"}')]
    with closing(client(node.url)) as some:
        some.check()


@pytest.mark.parametrize("status", [401, 403])
def test_check_fails_when_we_are_not_let_in(node: Node, status: int) -> None:
    """Its text names where, and keeps the secrets."""
    node.answers = [(status, b'{"error":{"type":"security_exception","reason":"no"}}')]
    url = node.url.replace("//", "//user:secret@")
    with closing(client(url)) as some, pytest.raises(Unavailable, match="api_key") as raised:
        some.check()

    assert node.url in str(raised.value)
    assert "security_exception: no" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_check_fails_when_we_may_not_write(node: Node) -> None:
    """Else each and every message would be rejected."""
    node.answers = [LET_IN, (200, b'{"has_all_requested": false}')]
    with closing(client(node.url)) as some, pytest.raises(Unavailable, match="privilege index"):
        some.check()


def test_indices_of_a_template_are_not_known_at_the_start(node: Node) -> None:
    node.answers = [LET_IN]
    with closing(client(node.url, index=None)) as some:
        some.check()

    assert len(node.requests) == 1


def test_a_cluster_that_is_down_is_only_spoken_of(
    nowhere: str, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.answers = [(503, b"")]
    for url in (nowhere, node.url):
        with closing(client(url)) as some:
            some.check()

    assert len(caplog.messages) == 2
    assert all("is waited for" in message for message in caplog.messages)


def test_who_cannot_prove_who_it_is_is_not_waited_for(node: Node) -> None:
    """Here: a server without TLS. It would go on for ever, and what helps is in the spec."""
    url = node.url.replace("http:", "https:")
    with closing(client(url)) as some:
        with pytest.raises(Unavailable, match="correct url or ca_certs"):
            some.check()
        reply = some.send(b"\n")

    assert reply.status is None
    assert reply.body.startswith(b"TlsError")


def test_documents_are_not_logged(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), closing(client(node.url)) as some:
        some.send(b"private\n")

    assert not [record for record in caplog.records if record.name.startswith("elastic")]
    assert "private" not in caplog.text
