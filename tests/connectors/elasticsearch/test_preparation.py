"""What is sent of the documents of a `submit`, and in which requests."""

from __future__ import annotations

from typing import Any

from connectors.elasticsearch.preparation import Division, DocumentPreparation
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.message import Answer, Documents, Rejection


def spec(**keys: Any) -> ElasticsearchSink:
    return ElasticsearchSink.model_validate({"url": "http://h", "index": "a", **keys})


def documents(*numbers: int, ids: list[str | None] | None = None) -> Documents:
    return Documents([b'{"n":%d}' % n for n in numbers], indices=None, ids=ids)


def test_a_rejected_document_is_not_sent_and_the_others_keep_their_positions() -> None:
    answers: list[Answer] = []
    prepare = DocumentPreparation(spec(version={"field": "v"}, id={"field": "n"}))
    given = Documents([b'{"v":1}', b"{}", b'{"v":3}'], indices=None, ids=["a", "b", "c"])

    sent, reply = prepare(given, answers.append)
    reply(Answer([0], [(1, Rejection("wrong"))]))

    assert (sent.sources, sent.versions) == ([b'{"v":1}', b'{"v":3}'], [1, 3])
    missing, [*_, last] = answers[0], answers
    assert [(at, why.reason) for at, why in missing.rejected] == [
        (1, "missing_version: no whole number in the field v")
    ]
    assert (last.stored, [at for at, _ in last.rejected]) == ([0], [2])


def test_without_ids_none_is_sent() -> None:
    sent, _ = DocumentPreparation(spec(id="none"))(documents(1, ids=["a"]), lambda _: None)
    assert sent.ids is None


def test_a_window_is_one_request_and_a_larger_one_takes_several() -> None:
    given = documents(1, 2, 3)
    whole, small = Division(spec(), "a"), Division(spec(bulk={"max_bytes": "50B"}), "a")

    assert [list(each) for each in whole.requests(given)] == [[0, 1, 2]]
    assert [list(each) for each in small.requests(given)] == [[0, 1], [2]]
    assert small.body(given, [2]) == b'{"index":{}}\n{"n":3}\n'


def test_updates_of_one_document_do_not_share_a_request() -> None:
    """As in the job: Elasticsearch may apply them in any order."""
    given = documents(1, 2, 3, ids=["a", "b", "a"])
    updates, whole = Division(spec(action="update"), "a"), Division(spec(), "a")

    assert [list(each) for each in updates.requests(given)] == [[0, 1], [2]]
    assert [list(each) for each in whole.requests(given)] == [[0, 1, 2]]


def test_nothing_takes_no_request() -> None:
    assert list(Division(spec(), "a").requests(documents())) == []
