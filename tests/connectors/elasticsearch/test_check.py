"""What the check at the start finds out about a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from connectors.elasticsearch.bulk_response import Retry
from connectors.elasticsearch.check import check
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable
from tests.connectors.elasticsearch.http_node import HttpNode

LET_IN = (400, b'{"error":{"type":"action_request_validation_exception"}}')
MAY = (200, b'{"has_all_requested": true}')
ORDINARY = (200, b'{"indices":[{"name":"events"}],"aliases":[],"data_streams":[]}')


@dataclass
class StartCheck:
    client: Client
    spec: ElasticsearchSink
    index: str | None

    def check(self) -> int | Retry:
        return check(self.client, self.spec, self.index)


@contextmanager
def looking(url: str, index: str | None = "events", **options: Any) -> Iterator[StartCheck]:
    spec = ElasticsearchSink(url=(url,), index=index or "{a}", **options)
    client = Client(spec, index)
    yield StartCheck(client, spec, index)
    client.close()


def test_check_passes_when_the_login_is_accepted(
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
def test_check_fails_when_the_login_is_refused(node: HttpNode, status: int) -> None:
    """The error names the URL, and hides the secrets."""
    node.answers = [(status, b'{"error":{"type":"security_exception","reason":"no"}}')]
    url = node.url.replace("//", "//user:secret@")
    with looking(url) as some, pytest.raises(Unavailable, match="api_key") as raised:
        some.check()

    assert node.url in str(raised.value)
    assert "security_exception: no" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_missing_privilege_is_no_wrong_password(node: HttpNode) -> None:
    """Elasticsearch names the action and the privileges that permit it."""
    reason = b"action [indices:data/write/bulk] is unauthorized"
    node.answers = [(403, b'{"error":{"type":"security_exception","reason":"%s"}}' % reason)]
    with looking(node.url) as some, pytest.raises(Unavailable) as raised:
        some.check()

    assert f"they may not write (403 security_exception: {reason.decode()})" in str(raised.value)
    assert "give the api_key or the user the privilege to write" in str(raised.value)
    assert "correct api_key" not in str(raised.value)


@pytest.mark.parametrize("status", [404, 405, 406])
@pytest.mark.parametrize("body", [b"<h1>Nothing here</h1>", b'{"error":"Nothing here"}', b""])
def test_a_permanent_refusal_is_not_waited_for(node: HttpNode, status: int, body: bytes) -> None:
    """The error names the status, the first words of the answer and the key of the spec."""
    node.answers = [(status, body)]
    node.headers = {"content-type": "text/html"}
    with looking(node.url) as some, pytest.raises(Unavailable, match=r"sink.elasticsearch.url"):
        some.check()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_reported_and_not_followed(node: HttpNode, status: int) -> None:
    node.answers = [(status, b"")]
    node.headers = {"location": "https://elsewhere/"}
    error = f"{status} a redirect to https://elsewhere/: "
    with looking(node.url) as some, pytest.raises(Unavailable, match=error):
        some.check()
    assert len(node.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_page_is_quoted(node: HttpNode, status: int) -> None:
    node.answers = [(status, b"<title>Sign in</title>")]
    node.headers = {"content-type": "text/html"}
    with looking(node.url) as some, pytest.raises(Unavailable, match=f"{status}.*html: Sign in"):
        some.check()


def test_check_fails_when_the_job_may_not_write(node: HttpNode) -> None:
    """Otherwise every message would be rejected."""
    node.answers = [LET_IN, (200, b'{"has_all_requested": false}')]
    with looking(node.url) as some, pytest.raises(Unavailable, match="privilege index"):
        some.check()


def test_indices_of_a_template_are_not_checked_at_the_start(node: HttpNode) -> None:
    node.answers = [LET_IN]
    with looking(node.url, index=None) as some:
        some.check()

    assert [path.partition("?")[0] for _, path, _, _ in node.requests] == ["/_bulk", "/_nodes/http"]


def test_a_cluster_that_is_down_is_only_logged(
    nowhere: str, node: HttpNode, caplog: pytest.LogCaptureFixture
) -> None:
    node.answers = [(503, b"")]
    for url in (nowhere, node.url):
        with looking(url) as some:
            some.check()

    assert len(caplog.messages) == 2
    assert all("waiting for Elasticsearch at" in message for message in caplog.messages)


def test_a_server_that_cannot_prove_its_identity_is_not_waited_for(node: HttpNode) -> None:
    """Here: a server without TLS. Waiting would not help; the remedy is in the spec."""
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
def test_the_check_asks_only_for_the_privileges_of_the_action(
    node: HttpNode, action: str, privilege: str
) -> None:
    node.answers = [LET_IN, MAY, ORDINARY]
    with looking(node.url, action=action) as some:
        some.check()

    assert f'"privileges":["{privilege}"]'.encode() in node.requests[1][3]


def test_looking_for_indices_needs_its_own_privilege(node: HttpNode) -> None:
    node.answers = [LET_IN, MAY, (200, b'{"has_all_requested": false}')]
    with (
        looking(node.url, on_missing_index="wait") as some,
        pytest.raises(Unavailable, match="view_index_metadata"),
    ):
        some.check()


DATA_STREAM = (200, b'{"indices":[],"aliases":[],"data_streams":[{"name":"events"}]}')


def test_a_data_stream_needs_the_action_create(node: HttpNode) -> None:
    """Otherwise every message would be rejected."""
    node.answers = [LET_IN, MAY, DATA_STREAM]
    with (
        looking(node.url) as some,
        pytest.raises(Unavailable, match=r"events is a data stream, .*: write action: create"),
    ):
        some.check()


def test_a_data_stream_with_the_action_create_passes(node: HttpNode) -> None:
    node.answers = [LET_IN, MAY, DATA_STREAM]
    with looking(node.url, action="create") as some:
        some.check()


@pytest.mark.parametrize("answer", [(404, b'{"error":{}}'), (403, b""), (200, b"{}"), (200, b"[]")])
def test_an_unknown_kind_of_index_passes(node: HttpNode, answer: tuple[int, bytes]) -> None:
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
def test_an_unknown_limit_is_taken_to_be_the_default(
    node: HttpNode, answer: tuple[int, bytes]
) -> None:
    node.answers = [LET_IN, MAY, ORDINARY, answer]
    with looking(node.url) as some:
        assert some.check() == 100 * 1024**2


MISSING = (404, b'{"error":{"type":"index_not_found_exception"},"status":404}')
NOT_ALLOWED = (403, b'{"error":{"type":"security_exception"},"status":403}')
UNKNOWN = (200, b"{}")


def refusal(node: HttpNode, *answers: tuple[int, bytes], **options: Any) -> str:
    """The error of the check, which ends the job; empty if the job starts."""
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
def test_an_index_that_is_blocked_for_writing_ends_the_job(node: HttpNode, block: str) -> None:
    error = refusal(node, ORDINARY, UNKNOWN, blocks(events=block))

    assert "sink.elasticsearch.index: events is blocked for writing" in error
    assert f'PUT /events/_settings {{"index.blocks.{block}": null}}' in error


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
def test_other_blocks_do_not_end_the_job(node: HttpNode, answer: tuple[int, bytes]) -> None:
    """A full disk gets room again; of an alias, the index that is written to is not blocked."""
    assert refusal(node, ORDINARY, UNKNOWN, answer) == ""


def test_a_closed_index_ends_the_job(node: HttpNode) -> None:
    closed = (
        b'{"indices":[{"name":"events","attributes":["closed"]}],"aliases":[],"data_streams":[]}'
    )

    assert "events is closed: open it" in refusal(node, (200, closed))


ALIAS = (
    200,
    b'{"indices":[],"aliases":[{"name":"events","indices":["a","b"]}],"data_streams":[]}',
)


def of_alias(**writes: bool | None) -> tuple[int, bytes]:
    """The answer about the alias `events`: `is_write_index` of each of its indices."""
    marks = {
        name: {} if mark is None else {"is_write_index": mark} for name, mark in writes.items()
    }
    members = {name: {"aliases": {"events": mark}} for name, mark in marks.items()}
    return 200, msgspec.json.encode(members)


@pytest.mark.parametrize(
    "members", [of_alias(a=None, b=None), of_alias(a=False, b=None), of_alias(b=False)]
)
def test_an_alias_without_a_write_index_ends_the_job(
    node: HttpNode, members: tuple[int, bytes]
) -> None:
    """Elasticsearch refuses every document then."""
    error = refusal(node, ALIAS, UNKNOWN, members)

    assert "sink.elasticsearch.index: events is an alias of " in error
    assert "none of them is its write index: choose one" in error
    assert '{"add":{"index":"b","alias":"events","is_write_index":true}}' in error


@pytest.mark.parametrize(
    "members", [of_alias(a=True, b=None), of_alias(a=True, b=False), of_alias(a=None)]
)
def test_the_index_that_an_alias_writes_to_is_checked(
    node: HttpNode, members: tuple[int, bytes]
) -> None:
    closed = b'{"indices":[{"name":"a","attributes":["closed"]}],"aliases":[],"data_streams":[]}'
    stream = b'{"indices":[],"aliases":[],"data_streams":[{"name":"a"}]}'
    to_a = "sink.elasticsearch.index: a, to which the alias events writes, is "

    assert f"{to_a}closed: open it: POST /a/_open" in (
        refusal(node, ALIAS, UNKNOWN, members, (200, closed))
    )
    assert f"{to_a}blocked for writing" in (
        refusal(node, ALIAS, UNKNOWN, members, ORDINARY, blocks(a="write"))
    )
    assert f"{to_a}a data stream" in refusal(node, ALIAS, UNKNOWN, members, (200, stream))
    assert refusal(node, ALIAS, UNKNOWN, members, ORDINARY, UNKNOWN) == ""


@pytest.mark.parametrize("answer", [NOT_ALLOWED, MISSING, UNKNOWN, (502, b"<html>")])
def test_an_alias_that_the_job_may_not_look_up_does_not_end_the_job(
    node: HttpNode, answer: tuple[int, bytes]
) -> None:
    assert refusal(node, ALIAS, UNKNOWN, answer) == ""


def test_a_missing_index_that_is_not_created_ends_the_job(node: HttpNode) -> None:
    options = {"on_missing_index": "reject"}

    assert "on_missing_index: wait" in refusal(node, MAY, MISSING, **options)
    assert refusal(node, MAY, MISSING, on_missing_index="wait") == ""


def test_a_missing_index_without_the_privilege_to_create_it_ends_the_job(node: HttpNode) -> None:
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


def test_a_future_data_stream_needs_the_action_create(node: HttpNode) -> None:
    """The matching template with the highest priority decides."""
    stream = templates(("ev*", 7, True), ("*", 1, False), ("other*", 9, False))
    index = templates(("ev*", 7, True), ("events", 8, False))

    error = refusal(node, MISSING, UNKNOWN, MAY, stream)
    assert "will be a data stream, by the index template of-ev*, " in error
    assert "write action: create" in error
    assert refusal(node, MISSING, UNKNOWN, MAY, index) == ""
    assert refusal(node, MISSING, UNKNOWN, MAY, NOT_ALLOWED) == ""
    assert refusal(node, MISSING, UNKNOWN, MAY, stream, action="create") == ""


def test_a_missing_ingest_pipeline_ends_the_job(node: HttpNode) -> None:
    """With any name of the index."""
    for index, before in (("events", [ORDINARY, UNKNOWN, UNKNOWN]), (None, [])):
        error = refusal(node, *before, (404, b"{}"), index=index, pipeline="enrich")
        assert "sink.elasticsearch.pipeline: the ingest pipeline enrich does not exist" in error
        assert node.requests[-1][1].startswith("/_ingest/pipeline/enrich")


def test_a_pipeline_is_looked_up_without_a_parameter_that_opensearch_refuses(
    node: HttpNode,
) -> None:
    """OpenSearch answers 400 to `summary`, so a missing pipeline would not be found."""
    refusal(node, (404, b"{}"), index=None, pipeline="enrich")

    assert node.requests[-1][1] == "/_ingest/pipeline/enrich?filter_path=*.version"


@pytest.mark.parametrize("answer", [(200, b'{"enrich":{}}'), NOT_ALLOWED, (404, b"<h1>No</h1>")])
def test_a_pipeline_that_the_job_may_not_look_up_passes(
    node: HttpNode, answer: tuple[int, bytes]
) -> None:
    assert refusal(node, ORDINARY, UNKNOWN, UNKNOWN, answer, pipeline="enrich") == ""
