"""Requests to Elasticsearch: what is sent, and that no failure is an exception."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
from contextlib import closing
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.elasticsearch.bulk_response import Reply
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.spec import Bulk, ElasticsearchSink
from tests.connectors.elasticsearch.http_node import HttpNode


def client(*url: str, index: str | None = "events", **options: Any) -> Client:
    return Client(ElasticsearchSink(url=url, index=index or "{a}", **options), index)


def test_a_bulk_request_and_its_answer_are_passed_on_unchanged(node: HttpNode) -> None:
    node.answers = [(200, b'{"errors": false}')]
    with closing(client(node.url)) as some:
        assert some.send(b'{"index":{}}\n{}\n') == Reply(200, b'{"errors": false}')

    ((method, path, _, body),) = node.requests
    assert method == "POST"
    assert (
        path
        == "/events/_bulk?filter_path=errors,items.*.status,items.*.error,items.*.failure_store"
    )
    assert body == b'{"index":{}}\n{}\n'


def test_media_types_are_those_of_every_version(node: HttpNode) -> None:
    with closing(client(node.url)) as some:
        some.send(b"\n")

    headers = node.requests[0][2]
    assert headers["content-type"] == "application/x-ndjson"
    assert headers["accept"] == "application/json"


def test_the_path_has_no_index_if_the_documents_name_theirs(node: HttpNode) -> None:
    with closing(client(node.url, index=None)) as some:
        some.send(b"\n")

    assert node.requests[0][1].startswith("/_bulk?")


def test_parameters_for_all_documents_are_in_the_query(node: HttpNode) -> None:
    with closing(client(node.url, pipeline="größe&x", require_alias=True)) as some:
        some.send(b"\n")

    parameters = node.requests[0][1].partition("?")[2]
    assert parameters.endswith("failure_store&pipeline=gr%C3%B6%C3%9Fe%26x&require_alias=true")


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, True), (404, False), (403, Reply(403, b"")), (503, Reply(503, b""))],
)
def test_the_client_asks_whether_an_index_exists(
    node: HttpNode, status: int, expected: bool | Reply
) -> None:
    node.answers = [(status, b"")]
    with closing(client(node.url)) as some:
        assert some.exists("a%b") == expected

    assert node.requests[0][:2] == ("HEAD", "/a%25b")


def test_without_a_server_it_is_unknown_whether_an_index_exists(nowhere: str) -> None:
    with closing(client(nowhere)) as some:
        answer = some.exists("a")

    assert isinstance(answer, Reply)
    assert answer.status is None


def test_the_path_is_encoded(node: HttpNode) -> None:
    with closing(client(f"{node.url}/prefix", index="größe%20")) as some:
        some.send(b"\n")

    assert node.requests[0][1].startswith("/prefix/gr%C3%B6%C3%9Fe%2520/_bulk?")


@pytest.mark.parametrize(
    ("options", "authorization"),
    [
        ({"api_key": SecretStr("a2V5")}, "ApiKey a2V5"),
        ({"api_key": SecretStr("essu_no-base64")}, "ApiKey essu_no-base64"),
        ({"basic_auth": SecretStr("me:pass:word")}, "Basic bWU6cGFzczp3b3Jk"),
        ({}, "Basic dXI6bEA="),
    ],
)
def test_credentials(node: HttpNode, options: dict[str, Any], authorization: str) -> None:
    """The credentials of the URL are used if the spec has no others."""
    url = node.url.replace("//", "//ur:l%40@")
    with closing(client(url, **options)) as some:
        some.send(b"\n")

    assert node.requests[0][2]["authorization"] == authorization


def renewable(node: HttpNode, *keys: str | None) -> Client:
    """A client that reads these keys, one after the other."""
    specs = [
        key and ElasticsearchSink(url=(node.url,), index="events", api_key=SecretStr(key))
        for key in keys
    ]
    first = specs.pop(0)
    assert first
    return Client(first, "events", reload=lambda: specs.pop(0) or None)


def shown(node: HttpNode) -> list[str]:
    return [headers["authorization"] for _, _, headers, _ in node.requests]


def test_changed_credentials_are_read_again(node: HttpNode) -> None:
    node.answers = [(401, b""), (200, b"{}")]
    with closing(renewable(node, "old", "new")) as some:
        assert some.send(b"\n").status == 200
        assert some.send(b"\n").status == 200

    assert shown(node) == ["ApiKey old", "ApiKey new", "ApiKey new"]


@pytest.mark.parametrize("renewed", ["old", None])
def test_with_unchanged_credentials_nothing_is_sent_again(
    node: HttpNode, renewed: str | None
) -> None:
    """Also if the credentials cannot be read at that moment."""
    node.answers = [(401, b"no")]
    with closing(renewable(node, "old", renewed)) as some:
        assert some.send(b"\n") == Reply(401, b"no")

    assert shown(node) == ["ApiKey old"]


def test_credentials_that_cannot_be_read_again_stay(node: HttpNode) -> None:
    node.answers = [(401, b"no")]
    with closing(client(node.url, api_key=SecretStr("old"))) as some:
        assert some.send(b"\n").status == 401


def test_credentials_in_a_url_can_change_too(node: HttpNode) -> None:
    node.answers = [(401, b""), (200, b"{}")]
    urls = [node.url.replace("//", f"//me:{password}@") for password in ("old", "new")]
    specs = [ElasticsearchSink(url=(url,), index="events") for url in urls]
    with closing(Client(specs[0], "events", reload=lambda: specs[1])) as some:
        assert some.send(b"\n").status == 200

    assert shown(node) == ["Basic bWU6b2xk", "Basic bWU6bmV3"]


@pytest.mark.parametrize("status", [200, 400, 401, 404, 413, 429, 500, 503])
def test_every_status_is_an_answer(node: HttpNode, status: int) -> None:
    """The client sends the request once: the indexer decides about retries."""
    node.answers = [(status, b"{}")]
    with closing(client(node.url)) as some:
        assert some.send(b"\n") == Reply(status, b"{}")

    assert len(node.requests) == 1


@pytest.mark.parametrize("media_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_answers_of_other_servers_are_passed_on(node: HttpNode, media_type: str) -> None:
    node.headers = {"content-type": media_type, "warning": '299 - "security is off"'}
    node.answers = [(502, b"<html>")]
    with closing(client(node.url)) as some:
        assert some.send(b"\n") == Reply(502, b"<html>")


def test_all_bulk_requests_are_compressed_if_told_so(node: HttpNode) -> None:
    """Those of the checks and probes too, since they are to pass the same proxies; no others."""
    body = b'{"index":{}}\n{"n":1}\n' * 1000
    node.answers = [(200, b'{"errors": false}')]
    with closing(client(node.url, bulk=Bulk(compress="gzip"))) as some:
        assert some.send(body) == Reply(200, b'{"errors": false}')
        some.send_empty_bulk()
        some.probe(1000)
        some.read(b'{"docs":[]}')

    *bulk, (_, _, headers, question) = node.requests
    assert [(h["content-encoding"], h["content-type"]) for _, _, h, _ in bulk] == [
        ("gzip", "application/x-ndjson")
    ] * 3
    sent = [body for _, _, _, body in bulk]
    assert [gzip.decompress(each) for each in sent] == [body, b"\n", b" " * 999 + b"\n"]
    assert len(sent[0]) < len(body) / 20
    assert "content-encoding" not in headers
    assert question == b'{"docs":[]}'


def test_compression_is_the_fastest_and_deterministic(node: HttpNode) -> None:
    with closing(client(node.url, bulk=Bulk(compress="gzip"))) as some:
        some.send(b"1\n")
        some.send(b"1\n")

    first, second = (body for _, _, _, body in node.requests)
    assert first == second
    assert first[8] == 4, "the fastest level, by RFC 1952"


def test_requests_are_not_compressed_by_default(node: HttpNode) -> None:
    with closing(client(node.url)) as some:
        some.send(b"1\n" * 1000)

    ((_, _, headers, body),) = node.requests
    assert "content-encoding" not in headers
    assert body == b"1\n" * 1000


@pytest.mark.parametrize("product", [{}, {"x-elastic-product": "Elasticsearch"}])
def test_typed_requests_have_plain_media_types(node: HttpNode, product: dict[str, str]) -> None:
    """Of another major version, or OpenSearch; an answer of any status is returned."""
    node.headers |= product
    node.answers = [(200, b'{"a":1}'), (404, b'{"b":2}'), (503, b""), (200, b"{}")]
    wanted = [{"names": ["a"], "privileges": ["read"]}]
    with closing(client(node.url)) as some:
        replies = [
            some.ask(lambda official: official.indices.get_settings(index="a b", name="c.*")),
            some.ask(lambda official: official.ingest.get_pipeline(id="d&e", summary=True)),
            some.ask(lambda official: official.info(filter_path="version.number")),
            some.ask(lambda official: official.security.has_privileges(index=wanted)),
        ]

    assert [(reply.status, reply.body) for reply in replies] == [
        (200, b'{"a":1}'),
        (404, b'{"b":2}'),
        (503, b""),
        (200, b"{}"),
    ]
    assert [path for _, path, _, _ in node.requests] == [
        "/a%20b/_settings/c.*",
        "/_ingest/pipeline/d%26e?summary=true",
        "/?filter_path=version.number",
        "/_security/user/_has_privileges",
    ]
    assert [body for _, _, _, body in node.requests] == [
        *(b"", b"", b""),
        b'{"index":[{"names":["a"],"privileges":["read"]}]}',
    ]
    for _, _, headers, _ in node.requests:
        assert headers["accept"] == headers["content-type"] == "application/json"


def test_typed_requests_use_renewed_credentials(node: HttpNode) -> None:
    node.answers = [(401, b""), (200, b"{}")]
    with closing(renewable(node, "old", "new")) as some:
        assert some.ask(lambda official: official.indices.get_index_template()).status == 200

    assert shown(node) == ["ApiKey old", "ApiKey new"]


def test_warnings_of_the_server_raise_nothing(node: HttpNode) -> None:
    """The tests turn warnings into errors."""
    node.headers |= {"warning": '299 Elasticsearch-9.5.0 "this is deprecated"'}
    with closing(client(node.url)) as some:
        assert some.ask(lambda official: official.info()).status == 200


def test_typed_requests_try_the_other_node(node: HttpNode, nowhere: str) -> None:
    with closing(client(nowhere, node.url)) as some:
        replies = [some.exists("a") for _ in range(4)]

    assert replies == [True] * 4


def test_a_refused_connection_is_no_answer(nowhere: str) -> None:
    with closing(client(nowhere)) as some:
        reply = some.send(b"\n")

    assert reply.status is None
    assert b"refused" in reply.body


def test_a_silent_server_is_no_answer() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(
            client(f"http://127.0.0.1:{server.getsockname()[1]}", request_timeout="50ms")
        ) as some,
    ):
        reply = some.send(b"x" * 100)

    assert reply.status is None
    assert b"timed out" in reply.body


def test_a_broken_connection_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.close()

        threading.Thread(target=hang_up).start()
        with closing(client(f"http://127.0.0.1:{server.getsockname()[1]}")) as some:
            reply = some.send(b"x" * 10_000_000)

    assert reply.status is None
    assert reply.cut
    assert reply.body


def test_a_node_that_is_down_is_skipped(node: HttpNode, nowhere: str) -> None:
    """The next request goes to another node."""
    with closing(client(nowhere, node.url)) as some:
        replies = [some.send(b"\n") for _ in range(10)]

    assert {reply.status for reply in replies} == {200}
    assert len(node.requests) == 10


def test_an_error_status_is_not_retried_at_another_node(node: HttpNode) -> None:
    node.answers = [(503, b"")] * 2
    with closing(client(node.url, f"{node.url}/other")) as some:
        assert some.send(b"\n").status == 503

    assert len(node.requests) == 1


def test_if_all_nodes_are_down_there_is_no_answer(nowhere: str) -> None:
    with closing(client(nowhere, f"{nowhere}/other")) as some:
        reply = some.send(b"\n")

    assert reply.status is None
    assert not reply.cut


def test_documents_are_not_logged(node: HttpNode, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), closing(client(node.url)) as some:
        some.send(b"private\n")

    assert not [record for record in caplog.records if record.name.startswith("elastic")]
    assert "private" not in caplog.text
