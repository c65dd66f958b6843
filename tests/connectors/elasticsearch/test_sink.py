"""The parts together: what is rejected before it is sent, and the requests at the start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.elasticsearch import first_answer
from connectors.elasticsearch.sink import Elasticsearch
from connectors.elasticsearch.spec import ElasticsearchSink, FieldOfDocument
from connectors.message import Claim, Documents, SinkState
from connectors.retry import Backoff
from tests.connectors.elasticsearch.http_node import HttpNode, a_node
from tests.contract.sink import Answers
from tests.waiting import until

STORED = b'{"errors":false,"items":[{"index":{"status":201}},{"index":{"status":201}}]}'


@pytest.fixture
def node() -> Iterator[HttpNode]:
    with a_node() as node:
        yield node


def test_documents_rejected_at_once_do_not_shift_the_positions_of_others(node: HttpNode) -> None:
    node.answers = [(200, STORED)]
    routing = FieldOfDocument(field="r")
    spec = ElasticsearchSink(url=(node.url,), index="events", routing=routing)
    answers = Answers()

    with closing(Elasticsearch(spec)) as sink:
        sink.submit(
            Documents([b'{"n":0}', b'{"r":"a"}', b'{"n":2}', b'{"r":"b"}'], None, None), answers
        )
        answers.wait_for(4)

    assert sorted(answers.stored) == [1, 3]
    assert sorted(answers.rejected) == [0, 2]
    lines = [json.loads(line) for line in node.requests[0][3].splitlines()]
    assert lines[1::2] == [{"r": "a"}, {"r": "b"}]


def test_if_all_documents_are_rejected_nothing_is_sent(node: HttpNode) -> None:
    spec = ElasticsearchSink(url=(node.url,), index="events", action="delete")
    answers = Answers()

    with closing(Elasticsearch(spec)) as sink:
        sink.submit(Documents([b"{}"], None, None), answers)
        sink.flush()

    assert answers.take() == 1
    assert node.requests == []


def test_the_limit_of_the_cluster_bounds_requests(node: HttpNode) -> None:
    lengths = b'{"nodes":{"a":{"http":{"max_content_length_in_bytes":120}}}}'
    node.answers = [(400, b'{"error":{"type":"no"}}'), (200, b"{}"), (200, b"{}"), (200, lengths)]
    node.answers += [(200, STORED)] * 2
    spec = ElasticsearchSink(url=(node.url,), index="events")
    answers = Answers()

    with closing(Elasticsearch(spec)) as sink:
        sink.check()
        sink.submit(Documents([b'{"text":"%s"}' % (b"x" * 20)] * 4, None, None), answers)
        answers.wait_for(4)

    assert [len(body) for _, path, _, body in node.requests if "_bulk" in path][1:] == [90, 90]


def test_a_cluster_that_is_away_at_the_start_is_not_said_to_answer(
    node: HttpNode, nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even while no document waits; without documents, too, it is found when it is back."""
    monkeypatch.setattr(first_answer, "ASKS", Backoff(0.01, 0.01))
    with closing(Elasticsearch(ElasticsearchSink(url=(nowhere,), index="events"))) as sink:
        sink.check()
        assert not sink.state().answers

    node.answers = [(503, b""), (503, b""), (400, b'{"error":{"type":"no"}}')]
    with closing(Elasticsearch(ElasticsearchSink(url=(node.url,), index="events"))) as sink:
        sink.check()
        until(lambda: sink.state() == SinkState())
    assert [path.partition("?")[0] for _, path, _, _ in node.requests][2:] == [
        "/events/_bulk",
        "/_nodes/http",
    ]


def test_the_limit_of_a_cluster_that_was_away_at_the_start_bounds_requests(
    node: HttpNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for when the cluster answers first, and before it is said to answer."""
    monkeypatch.setattr(first_answer, "ASKS", Backoff(0.01, 0.01))
    lengths = b'{"nodes":{"a":{"http":{"max_content_length_in_bytes":120}}}}'
    node.answers = [(503, b""), (400, b'{"error":{"type":"no"}}'), (200, lengths)]
    node.answers += [(200, STORED)] * 2
    answers = Answers()

    with closing(Elasticsearch(ElasticsearchSink(url=(node.url,), index="events"))) as sink:
        sink.check()
        until(lambda: sink.state() == SinkState())
        sink.submit(Documents([b'{"text":"%s"}' % (b"x" * 20)] * 4, None, None), answers)
        answers.wait_for(4)

    assert [len(body) for _, path, _, body in node.requests if "_bulk" in path][2:] == [90, 90]


def test_with_id_none_no_document_has_an_id(node: HttpNode) -> None:
    """Not even if a bulk body names one."""
    node.answers = [(200, STORED)]
    spec = ElasticsearchSink(url=(node.url,), index="events", id="none")
    answers = Answers()

    with closing(Elasticsearch(spec)) as sink:
        sink.submit(Documents([b"{}"] * 2, None, ["a", None]), answers)
        answers.wait_for(2)

    assert b"_id" not in node.requests[0][3]


def test_documents_rejected_at_once_do_not_hide_the_conflicts_of_others(node: HttpNode) -> None:
    conflict = b'{"create":{"status":409,"error":{"type":"c"}}}'
    there = b'{"found":true,"_seq_no":1,"_primary_term":1,"_source":{"f":"theirs"}}'
    node.answers = [
        (200, b'{"errors":true,"items":[%s]}' % conflict),
        (200, b'{"docs":[%s]}' % there),
    ]
    routing = FieldOfDocument(field="r")
    spec = ElasticsearchSink(url=(node.url,), index="events", routing=routing)
    claims: list[Claim | None] = [Claim("f", "mine")] * 2
    answers = Answers()

    with closing(Elasticsearch(spec)) as sink:
        sources = [b"{}", b'{"r":6,"f":"mine"}']
        sink.submit(Documents(sources, None, ["a", "b"], claims=claims), answers)
        answers.wait_for(2)

    assert answers.failed_claims == {1: "theirs"}
    assert [*answers.rejected] == [0]
