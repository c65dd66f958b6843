"""What the first look at a cluster finds out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from connectors.elasticsearch.check import check
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable
from tests.connectors.elasticsearch.http_node import HttpNode

LET_IN = (400, b'{"error":{"type":"action_request_validation_exception"}}')
MAY = (200, b'{"has_all_requested": true}')
ORDINARY = (200, b'{"indices":[{"name":"events"}],"aliases":[],"data_streams":[]}')


@dataclass
class FirstLook:
    client: Client
    spec: ElasticsearchSink
    index: str | None

    def check(self) -> int:
        return check(self.client, self.spec, self.index)


@contextmanager
def looking(url: str, index: str | None = "events", **options: Any) -> Iterator[FirstLook]:
    spec = ElasticsearchSink(url=(url,), index=index or "{a}", **options)
    client = Client(spec, index)
    yield FirstLook(client, spec, index)
    client.close()


def test_check_is_content_when_we_are_let_in(
    node: HttpNode, caplog: pytest.LogCaptureFixture
) -> None:
    node.answers = [LET_IN, MAY, ORDINARY]
    with looking(node.url) as some:
        some.check()

    assert [path.partition("?")[0] for _, path, _, _ in node.requests] == [
        "/events/_bulk",
        "/_security/user/_has_privileges",
        "/_resolve/index/events",
        "/_nodes/http",
        "/events/_settings/index.blocks.*",
    ]
    assert not caplog.messages


def test_a_cluster_without_security_has_no_privileges(node: HttpNode) -> None:
    node.answers = [LET_IN, (400, b'{"error": "no handler found for uri"}')]
    with looking(node.url) as some:
        some.check()


@pytest.mark.parametrize("status", [401, 403])
def test_check_fails_when_we_are_not_let_in(node: HttpNode, status: int) -> None:
    """Its text names where, and keeps the secrets."""
    node.answers = [(status, b'{"error":{"type":"security_exception","reason":"no"}}')]
    url = node.url.replace("//", "//user:secret@")
    with looking(url) as some, pytest.raises(Unavailable, match="api_key") as raised:
        some.check()

    assert node.url in str(raised.value)
    assert "security_exception: no" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("status", [404, 405, 406])
@pytest.mark.parametrize("body", [b"<h1>Nothing here</h1>", b'{"error":"Nothing here"}', b""])
def test_who_is_refused_for_good_is_not_waited_for(
    node: HttpNode, status: int, body: bytes
) -> None:
    """It names the status, the first words and the key of the spec."""
    node.answers = [(status, body)]
    node.headers = {"content-type": "text/html"}
    with looking(node.url) as some, pytest.raises(Unavailable, match=r"sink.elasticsearch.url"):
        some.check()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_but_told(node: HttpNode, status: int) -> None:
    node.answers = [(status, b"")]
    node.headers = {"location": "https://elsewhere/"}
    told = f"{status} a redirect to https://elsewhere/: "
    with looking(node.url) as some, pytest.raises(Unavailable, match=told):
        some.check()
    assert len(node.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_page_that_lets_nobody_in_is_quoted(node: HttpNode, status: int) -> None:
    node.answers = [(status, b"<title>Sign in</title>")]
    node.headers = {"content-type": "text/html"}
    with looking(node.url) as some, pytest.raises(Unavailable, match=f"{status}.*html: Sign in"):
        some.check()


def test_check_fails_when_we_may_not_write(node: HttpNode) -> None:
    """Else each and every message would be rejected."""
    node.answers = [LET_IN, (200, b'{"has_all_requested": false}')]
    with looking(node.url) as some, pytest.raises(Unavailable, match="privilege index"):
        some.check()


def test_indices_of_a_template_are_not_known_at_the_start(node: HttpNode) -> None:
    node.answers = [LET_IN]
    with looking(node.url, index=None) as some:
        some.check()

    assert [path.partition("?")[0] for _, path, _, _ in node.requests] == ["/_bulk", "/_nodes/http"]


def test_a_cluster_that_is_down_is_only_spoken_of(
    nowhere: str, node: HttpNode, caplog: pytest.LogCaptureFixture
) -> None:
    node.answers = [(503, b"")]
    for url in (nowhere, node.url):
        with looking(url) as some:
            some.check()

    assert len(caplog.messages) == 2
    assert all("waiting for Elasticsearch at" in message for message in caplog.messages)


def test_who_cannot_prove_who_it_is_is_not_waited_for(node: HttpNode) -> None:
    """Here: a server without TLS. It would go on for ever, and what helps is in the spec."""
    url = node.url.replace("http:", "https:")
    with looking(url) as some:
        with pytest.raises(Unavailable, match="there is no TLS: write http://"):
            some.check()
        reply = some.client.send(b"\n")

    assert reply.status is None
    assert reply.body.startswith(b"TlsError")


@pytest.mark.parametrize(
    ("action", "privilege"),
    [("index", "create"), ("create", "create_doc"), ("update", "index"), ("delete", "delete")],
)
def test_it_asks_for_the_least_that_the_action_needs(
    node: HttpNode, action: str, privilege: str
) -> None:
    node.answers = [LET_IN, MAY, ORDINARY]
    with looking(node.url, action=action) as some:
        some.check()

    assert f'"privileges":["{privilege}"]'.encode() in node.requests[1][3]


def test_who_has_to_look_for_indices_may_do_so(node: HttpNode) -> None:
    node.answers = [LET_IN, MAY, (200, b'{"has_all_requested": false}')]
    with (
        looking(node.url, on_missing_index="wait") as some,
        pytest.raises(Unavailable, match="view_index_metadata"),
    ):
        some.check()


DATA_STREAM = (200, b'{"indices":[],"aliases":[],"data_streams":[{"name":"events"}]}')


def test_a_data_stream_needs_another_action(node: HttpNode) -> None:
    """Else each and every message would be rejected."""
    node.answers = [LET_IN, MAY, DATA_STREAM]
    with (
        looking(node.url) as some,
        pytest.raises(Unavailable, match=r"events is a data stream, .*: write action: create"),
    ):
        some.check()


def test_and_with_that_it_is_fine(node: HttpNode) -> None:
    node.answers = [LET_IN, MAY, DATA_STREAM]
    with looking(node.url, action="create") as some:
        some.check()


@pytest.mark.parametrize("answer", [(404, b'{"error":{}}'), (403, b""), (200, b"{}"), (200, b"[]")])
def test_what_an_index_is_need_not_be_known(node: HttpNode, answer: tuple[int, bytes]) -> None:
    node.answers = [LET_IN, MAY, answer]
    with looking(node.url) as some:
        some.check()


def test_the_smallest_limit_of_all_nodes_bounds_requests(node: HttpNode) -> None:
    lengths = b"".join(
        b'"node-%d":{"http":{"max_content_length_in_bytes":%d}},' % (n, 1000 + n) for n in range(3)
    )
    node.answers = [LET_IN, MAY, ORDINARY, (200, b'{"nodes":{%s}}' % lengths[:-1])]
    with looking(node.url) as some:
        assert some.check() == 1000


@pytest.mark.parametrize(
    "answer", [(403, b'{"error":{}}'), (200, b'{"nodes":{}}'), (502, b"<html>")]
)
def test_what_may_not_be_known_is_what_it_usually_is(
    node: HttpNode, answer: tuple[int, bytes]
) -> None:
    node.answers = [LET_IN, MAY, ORDINARY, answer]
    with looking(node.url) as some:
        assert some.check() == 100 * 1024**2


MISSING = (404, b'{"error":{"type":"index_not_found_exception"},"status":404}')
NOT_ALLOWED = (403, b'{"error":{"type":"security_exception"},"status":403}')
UNKNOWN = (200, b"{}")


def refusal(node: HttpNode, *answers: tuple[int, bytes], **options: Any) -> str:
    """What the look says that ends the job; empty: it goes on."""
    node.answers = [LET_IN, MAY, *answers]
    with looking(node.url, **options) as some:
        try:
            some.check()
        except Unavailable as error:
            return str(error)
    return ""


def blocks(**of: str) -> tuple[int, bytes]:
    indices = {name: {"settings": {"index": {"blocks": {of[name]: "true"}}}} for name in of}
    return 200, msgspec.json.encode(indices)


@pytest.mark.parametrize("block", ["write", "read_only"])
def test_an_index_that_is_blocked_for_writing_is_told(node: HttpNode, block: str) -> None:
    told = refusal(node, ORDINARY, UNKNOWN, blocks(events=block))

    assert "sink.elasticsearch.index: events is blocked for writing" in told
    assert f'PUT /events/_settings {{"index.blocks.{block}": null}}' in told


@pytest.mark.parametrize(
    "answer",
    [
        blocks(events="read_only_allow_delete"),
        blocks(old="write", new="metadata"),
        NOT_ALLOWED,
        UNKNOWN,
        (502, b"<html>"),
    ],
)
def test_other_blocks_are_not(node: HttpNode, answer: tuple[int, bytes]) -> None:
    """A full disk gets room again; of an alias, the one that is written to is not blocked."""
    assert refusal(node, ORDINARY, UNKNOWN, answer) == ""


def test_a_closed_index_is_told(node: HttpNode) -> None:
    closed = (
        b'{"indices":[{"name":"events","attributes":["closed"]}],"aliases":[],"data_streams":[]}'
    )

    assert "events is closed: open it" in refusal(node, (200, closed))


def test_an_index_that_nobody_makes_is_told(node: HttpNode) -> None:
    options = {"on_missing_index": "reject"}

    assert "on_missing_index: wait" in refusal(node, MAY, MISSING, **options)
    assert refusal(node, MAY, MISSING, on_missing_index="wait") == ""


def test_an_index_that_we_may_not_make_is_told(node: HttpNode) -> None:
    may_not = (200, b'{"has_all_requested": false}')

    assert "privilege auto_configure" in refusal(node, MISSING, UNKNOWN, may_not, may_not)
    assert refusal(node, MISSING, UNKNOWN, may_not, MAY) == ""
    assert refusal(node, MISSING, UNKNOWN, NOT_ALLOWED) == ""


def templates(*rows: tuple[str, int, bool]) -> tuple[int, bytes]:
    named = [
        {
            "name": f"of-{pattern}",
            "index_template": {
                "index_patterns": [pattern],
                "priority": priority,
                **({"data_stream": {}} if is_stream else {}),
            },
        }
        for pattern, priority, is_stream in rows
    ]
    return 200, msgspec.json.encode({"index_templates": named})


def test_an_index_that_will_be_a_data_stream_needs_another_action(node: HttpNode) -> None:
    """By the template of the highest priority of those that match its name."""
    stream = templates(("ev*", 7, True), ("*", 1, False), ("other*", 9, False))
    index = templates(("ev*", 7, True), ("events", 8, False))

    told = refusal(node, MISSING, UNKNOWN, MAY, stream)
    assert "will be a data stream, by the index template of-ev*, " in told
    assert "write action: create" in told
    assert refusal(node, MISSING, UNKNOWN, MAY, index) == ""
    assert refusal(node, MISSING, UNKNOWN, MAY, NOT_ALLOWED) == ""
    assert refusal(node, MISSING, UNKNOWN, MAY, stream, action="create") == ""


def test_an_ingest_pipeline_that_is_not_there_is_told(node: HttpNode) -> None:
    """With any name of the index."""
    for index, before in (("events", [ORDINARY, UNKNOWN, UNKNOWN]), (None, [])):
        told = refusal(node, *before, (404, b"{}"), index=index, pipeline="enrich")
        assert "sink.elasticsearch.pipeline: the ingest pipeline enrich does not exist" in told
        assert node.requests[-1][1].startswith("/_ingest/pipeline/enrich")


@pytest.mark.parametrize("answer", [(200, b'{"enrich":{}}'), NOT_ALLOWED, (404, b"<h1>No</h1>")])
def test_one_that_we_may_not_ask_for_may_be_there(
    node: HttpNode, answer: tuple[int, bytes]
) -> None:
    assert refusal(node, ORDINARY, UNKNOWN, UNKNOWN, answer, pipeline="enrich") == ""
