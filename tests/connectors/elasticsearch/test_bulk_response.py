"""What the answer to a bulk request says; the answers were recorded from real servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from connectors.elasticsearch.bulk_response import Items, RefusedRequest, Reply, Retry, read

ELASTICSEARCH = ("8.19.21", "9.5.0")
OPENSEARCH = "opensearch-3.8.0"


class Recorded(NamedTuple):
    """A recorded answer, and the number of its documents."""

    reply: Reply
    documents: int
    is_opensearch: bool

    def read(self) -> Items | Retry | RefusedRequest:
        return read(self.reply, self.documents)

    def items(self) -> Items:
        reading = self.read()
        assert isinstance(reading, Items)
        return reading


@pytest.fixture(params=[*ELASTICSEARCH, OPENSEARCH])
def recorded(request: pytest.FixtureRequest) -> Callable[[str], Recorded]:
    def load(name: str) -> Recorded:
        file = Path(__file__).parent / "answers" / f"{request.param}-{name}.json"
        answer = json.loads(file.read_text())
        reply = Reply(answer["status"], answer["body"].encode())
        return Recorded(reply, answer["documents"], request.param == OPENSEARCH)

    return load


Load = Callable[[str], Recorded]


def test_an_answer_that_stores_all_documents(recorded: Load) -> None:
    assert recorded("all-stored").items() == Items(range(5))


def test_one_bad_document_rejects_only_itself(recorded: Load) -> None:
    case = recorded("one-bad-document")
    items = case.items()

    assert items.stored == [*range(7), *range(8, 20)]
    (refusal,) = items.rejected
    assert (refusal.position, refusal.status) == (7, 400)
    assert refusal.reason.startswith(
        "mapper_parsing_exception: failed to parse field [n]"
        if case.is_opensearch
        else "document_parsing_exception: [1:6] failed to parse field [n]"
    )


def test_a_reason_includes_the_causes(recorded: Load) -> None:
    (refusal,) = recorded("one-bad-document").items().rejected
    assert refusal.reason.endswith(': For input string: "seven"')

    case = recorded("bad-json")
    (refusal,) = case.items().rejected
    assert refusal.reason.count("Unexpected end of file") == (not case.is_opensearch)
    assert refusal.reason.count("Unexpected end-of-input") == 1
    assert "\n" not in refusal.reason


def test_a_reason_may_contain_half_a_character(recorded: Load) -> None:
    """A text that is cut within an emoji must not keep other documents from being settled."""
    case = recorded("half-a-character")
    items = case.items()

    assert items.stored == [0]
    (refusal,) = items.rejected
    assert refusal.reason.startswith(
        "mapper_parsing_exception" if case.is_opensearch else "document_parsing_exception"
    )
    assert refusal.reason.isprintable()
    assert refusal.reason.encode()


@pytest.mark.parametrize("reason", [rb"\ud83d", rb"\u0000\u001b[31m", b"\xff", b"\xed\xa0\x80"])
def test_a_reason_contains_only_printable_characters(reason: bytes) -> None:
    reading = read(Reply(400, b'{"error":{"type":"a","reason":"b%sc"}}' % reason), 1)

    assert isinstance(reading, (RefusedRequest, Retry))
    assert reading.reason.isprintable()


def test_create_counts_as_stored_if_the_id_exists(recorded: Load) -> None:
    assert recorded("created-before").items().stored == [0, 1]
    assert recorded("created-before").items().conflicts == [1]


def test_conflicts_and_missing_documents_depend_on_the_action(recorded: Load) -> None:
    """A newer version exists; the document to delete or to update does not exist."""
    items = recorded("actions").items()

    assert items.stored == [0, 1, 2, 4, 5]
    assert items.conflicts == [1]
    assert [(refusal.position, refusal.status) for refusal in items.rejected] == [(3, 404)]
    assert items.rejected[0].reason == "document_missing_exception: [3]: document missing"


@pytest.mark.parametrize("recorded", ELASTICSEARCH, indirect=True)
def test_a_document_in_a_failure_store_is_stored_and_counted(recorded: Load) -> None:
    """Elasticsearch keeps it with its reason; parking the message would store it twice."""
    assert recorded("failure-store").items() == Items(range(3), in_failure_store=2)

    items = recorded("failure-store-and-conflict").items()
    assert list(items.stored) == [0, 1, 2]
    assert [*items.conflicts] == [0]
    assert items.in_failure_store == 2


def test_an_index_that_must_be_an_alias_rejects(recorded: Load) -> None:
    items = recorded("no-alias").items()

    assert [(refusal.position, refusal.status) for refusal in items.rejected] == [(0, 404)]
    assert "is not an alias" in items.rejected[0].reason


def test_an_update_that_conflicts_with_another_writer_is_retried() -> None:
    body = b'{"errors":true,"items":[{"update":{"status":409,"error":{"type":"conflict"}}}]}'

    items = read(Reply(200, body), 1)

    assert isinstance(items, Items)
    assert [refusal.reason for refusal in items.throttled] == ["conflict"]


def test_throttled_documents_are_retried(recorded: Load) -> None:
    items = recorded("some-throttled").items()

    assert items.stored
    assert {refusal.status for refusal in items.throttled} == {429}
    assert not items.rejected
    everything = sorted([*items.stored, *(refusal.position for refusal in items.throttled)])
    assert everything == list(range(12))


PRESSURE = (
    "es_rejected_execution_exception: rejected execution of primary operation "
    "[coordinating_and_primary_bytes=%d, replica_bytes=0, all_bytes=%d, "
    "primary_operation_bytes=%d, max_primary_bytes=53687091]"
)


@pytest.mark.parametrize(("size", "passes"), [(60_000_784, False), (50_000_000, True)])
def test_a_document_that_exceeds_the_memory_limit_is_too_large(size: int, passes: bool) -> None:
    """Elasticsearch answers 429 for it, even when there is no other request."""
    kind, reason = (PRESSURE % (size, size, size)).split(": ", 1)
    item = {"status": 429, "error": {"type": kind, "reason": reason}}
    body = json.dumps({"errors": True, "items": [{"index": item}, {"index": item}]})
    whole = json.dumps({"error": {"type": kind, "reason": reason}, "status": 429})

    answers = [read(Reply(200, body.encode()), 2), read(Reply(429, whole.encode()), 2)]

    if passes:
        assert isinstance(answers[0], Items)
        assert isinstance(answers[1], Retry)
        assert len(answers[0].throttled) == 2
    else:
        assert answers == [RefusedRequest(413, f"{kind}: {reason}")] * 2


def test_a_full_disk_and_missing_shards_are_temporary(recorded: Load) -> None:
    full_disk, no_shards = recorded("blocked-by-a-full-disk"), recorded("shards-unavailable")

    assert [refusal.status for refusal in full_disk.items().throttled] == [429, 429]
    assert [refusal.status for refusal in no_shards.items().throttled] == [503]


def test_a_block_on_the_index_rejects(recorded: Load) -> None:
    items = recorded("blocked-for-writing").items()

    assert [refusal.status for refusal in items.rejected] == [403, 403]
    assert items.rejected[0].reason.startswith("cluster_block_exception: index [b] blocked by")


def test_an_internal_error_of_elasticsearch_is_neither_temporary_nor_final() -> None:
    body = b'{"errors":true,"items":[{"index":{"status":500,"error":{"type":"null_pointer"}}}]}'

    items = read(Reply(200, body), 1)

    assert isinstance(items, Items)
    assert [refusal.reason for refusal in items.failed] == ["null_pointer"]


def test_an_error_of_an_ingest_processor_is_final(recorded: Load) -> None:
    """Elasticsearch answers 500 for a `fail` processor, and for a broken disk too."""
    items = recorded("failing-processor").items()

    assert items.stored == [0, 2]
    assert not items.failed
    assert [(refusal.position, refusal.status) for refusal in items.rejected] == [(1, 500)]
    assert items.rejected[0].reason == "fail_processor_exception: not for us"


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        ({"type": "class_cast_exception", "reason": "a String is no Map"}, True),
        ({"type": "script_exception", "reason": "runtime error"}, True),
        ({"type": "exception", "caused_by": {"type": "fail_processor_exception"}}, True),
        ({"type": "exception", "header": {"processor_type": "geoip"}}, True),
        ({"type": "exception", "header": "processor_type"}, False),
        ({"type": "i_o_exception", "reason": "No space left on device"}, False),
        ({"type": "already_closed_exception", "reason": "engine is closed"}, False),
    ],
)
def test_errors_of_code_that_reads_only_the_document_are_final(
    error: dict[str, object], is_final: bool
) -> None:
    item = {"index": {"status": 500, "error": error}}

    items = read(Reply(200, json.dumps({"errors": True, "items": [item]}).encode()), 1)

    assert isinstance(items, Items)
    assert (len(items.rejected), len(items.failed)) == ((1, 0) if is_final else (0, 1))


def test_an_overloaded_ingest_processor_is_retried() -> None:
    """An `inference` or `enrich` processor whose own queue is full answers with that status."""
    error = {"type": "ingest_processor_exception", "reason": "queue is full"}
    items = [{"index": {"status": status, "error": error}} for status in (429, 503)]

    reading = read(Reply(200, json.dumps({"errors": True, "items": items}).encode()), 2)

    assert isinstance(reading, Items)
    assert [refusal.status for refusal in reading.throttled] == [429, 503]


@pytest.mark.parametrize("name", ["malformed-action", "id-too-long"])
def test_one_document_can_invalidate_the_whole_request(recorded: Load, name: str) -> None:
    reading = recorded(name).read()

    assert isinstance(reading, RefusedRequest)
    assert reading.status == 400
    assert len(reading.reason) <= 1001


def test_a_request_can_be_too_large(recorded: Load) -> None:
    assert recorded("too-large").read() == RefusedRequest(413, "the request is too large")


def test_a_lack_of_memory_is_temporary(recorded: Load) -> None:
    """Unless the request is larger than the whole memory, as one of the recorded ones is."""
    case = recorded("no-memory")
    reading = case.read()

    assert isinstance(reading, (Retry, RefusedRequest))
    size = 13754 if case.is_opensearch else 12736
    assert isinstance(reading, Retry) == (f"operation_bytes={size}, max" in reading.reason)
    assert reading.status == (429 if isinstance(reading, Retry) else 413)


@pytest.mark.parametrize("recorded", ELASTICSEARCH, indirect=True)
def test_a_lack_of_permission_is_temporary(recorded: Load) -> None:
    reading = recorded("not-let-in").read()

    assert isinstance(reading, Retry)
    assert reading.status == 401


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html>Bad Gateway</html>"),
        (503, b""),
        (504, b"upstream\r\ntimed out"),
        (404, b'{"error":"Not Found"}'),
        (400, b"The plain HTTP request was sent to HTTPS port"),
        (302, b""),
    ],
)
def test_an_answer_of_a_proxy_rejects_nothing(status: int, body: bytes) -> None:
    reading = read(Reply(status, body), 3)

    assert isinstance(reading, Retry)
    assert reading.status == status
    assert reading.reason


def test_a_missing_answer_has_a_reason() -> None:
    assert read(Reply(None, b"refused"), 3) == Retry(None, "refused")


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
def test_an_incomplete_answer_stores_nothing(recorded: Load, cut: int) -> None:
    for name in ("all-stored", "one-bad-document"):
        answer = recorded(name)
        assert isinstance(read(Reply(200, answer.reply.body[:cut]), answer.documents), Retry)


@pytest.mark.parametrize("documents", [4, 6])
def test_an_answer_with_another_number_of_documents_stores_nothing(
    recorded: Load, documents: int
) -> None:
    reading = read(recorded("all-stored").reply, documents)

    assert reading == Retry(200, f"the answer has 5 documents, but {documents} were sent")


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"null", b'{"errors":false}', b"\xff", b'{"errors":true,"items":["\xff"]}'],
)
def test_an_answer_of_another_form_stores_nothing(body: bytes) -> None:
    assert isinstance(read(Reply(200, body), 1), Retry)
