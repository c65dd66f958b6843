"""What `hopper check --connect` asks a cluster, and what it reports."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.survey import survey
from tests.connectors.elasticsearch.http_node import HttpNode, no_server

Answer = tuple[int, Any]

LET_IN: Answer = (400, {"error": {"type": "action_request_validation_exception"}})
VERSION: Answer = (200, {"version": {"number": "9.5.0"}})
OPENSEARCH: Answer = (200, {"version": {"number": "3.8.0", "distribution": "opensearch"}})
MAY: Answer = (200, {"has_all_requested": True})
MAY_NOT: Answer = (200, {"has_all_requested": False})
INDEX = {"indices": [{"name": "events"}], "aliases": [], "data_streams": []}
NO_BLOCKS: Answer = (200, {})


def findings(node: HttpNode, *answers: Answer, sample: Any = (), **options: Any) -> list[Any]:
    """The findings: whether each is ok, and its text."""
    node.answers = [(status, msgspec.json.encode(body)) for status, body in answers]
    spec = ElasticsearchSink(url=(node.url,), **{"index": "events", **options})
    numbered = list(enumerate(sample, start=1))
    return [(one.subject, one.ok, one.text) for one in survey(spec, ["q"], numbered, 5, 0.0)]


def requested(node: HttpNode) -> list[str]:
    return [path.partition("?")[0] for _, path, _, _ in node.requests]


def test_the_survey_asks_everything_and_writes_nothing(node: HttpNode) -> None:
    found = findings(
        node, LET_IN, VERSION, MAY, (200, INDEX), NO_BLOCKS, (200, {"p": {}}), pipeline="p"
    )

    assert found == [
        ("Elasticsearch", True, f"9.5.0 at {node.url} accepts the login"),
        ("writing to events", True, "is permitted"),
        ("index events", True, "is an index"),
        ("ingest pipeline p", True, "exists"),
    ]
    assert requested(node) == [
        "/events/_bulk",
        "/",
        "/_security/user/_has_privileges",
        "/_resolve/index/events",
        "/events/_settings/index.blocks.*",
        "/_ingest/pipeline/p",
    ]
    assert node.requests[0][3] == b"\n"  # a bulk request without documents


def test_the_survey_continues_after_a_problem(node: HttpNode) -> None:
    stream = {**INDEX, "indices": [], "data_streams": [{"name": "events"}]}

    _, privilege, index, pipeline = findings(
        node, LET_IN, VERSION, MAY_NOT, (200, stream), (404, {}), pipeline="p"
    )

    assert privilege[1] is False
    assert "give the api_key or the user its privilege" in privilege[2]
    assert index[1] is False
    assert "write action: create" in index[2]
    assert pipeline[1] is False
    assert "the ingest pipeline p does not exist" in pipeline[2]


@pytest.mark.parametrize(
    ("kind", "words"), [("aliases", "is an alias"), ("indices", "is an index")]
)
def test_the_kind_of_index_is_reported(node: HttpNode, kind: str, words: str) -> None:
    found = {"indices": [], "aliases": [], "data_streams": [], kind: [{"name": "events"}]}

    assert findings(node, LET_IN, VERSION, MAY, (200, found), NO_BLOCKS)[-1][2] == words


def test_an_index_that_the_job_may_not_look_up_is_reported_as_unknown(node: HttpNode) -> None:
    may_not: Answer = (403, {"error": {"type": "security_exception"}, "status": 403})

    index = findings(node, LET_IN, VERSION, MAY, may_not)[-1]

    assert index == ("index events", None, "cannot be checked: Elasticsearch answers 403")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (VERSION, "9.5.0"),
        (OPENSEARCH, "OpenSearch 3.8.0"),
        ((403, {"error": {"type": "security_exception"}}), "of an unknown version"),
        ((200, []), "of an unknown version"),
    ],
)
def test_the_version_of_the_server_is_reported(node: HttpNode, answer: Answer, words: str) -> None:
    access, *_ = findings(node, LET_IN, answer, MAY, (200, INDEX), NO_BLOCKS)

    assert access == ("Elasticsearch", True, f"{words} at {node.url} accepts the login")


def test_what_opensearch_does_not_tell_is_reported_as_unknown(node: HttpNode) -> None:
    """Neither privileges nor a simulation; everything else is checked."""
    no_simulation = {"error": "no handler found for uri [/_ingest/_simulate] and method [POST]"}
    found = findings(
        node,
        *(LET_IN, OPENSEARCH, (200, INDEX), NO_BLOCKS, (404, {}), (400, no_simulation)),
        sample=[{"n": 1}],
        pipeline="p",
    )

    assert [(subject, ok) for subject, ok, _ in found] == [
        ("Elasticsearch", True),
        ("writing to events", None),
        ("index events", True),
        ("ingest pipeline p", False),
        ("sample", None),
    ]
    assert found[1][2] == "cannot be checked: OpenSearch tells no privileges"
    assert found[-1][2].endswith(
        "answers 400 to a simulation, which needs Elasticsearch 8.12 or later"
    )


def test_after_a_refused_login_the_survey_asks_no_more(node: HttpNode) -> None:
    refused = (401, {"error": {"type": "security_exception", "reason": "no"}})

    [(_, ok, text)] = findings(node, refused, basic_auth="user:s3cret")

    assert ok is False
    assert "correct api_key or basic_auth" in text
    assert "s3cret" not in text
    assert requested(node) == ["/events/_bulk"]


def test_a_cluster_that_is_down_is_reported() -> None:
    spec = ElasticsearchSink(url=(no_server(),), index="events")

    [found] = survey(spec, ["q"], [], 5, 0.0)

    assert found.ok is False
    assert "takes no documents now: the job would wait" in found.text


def test_sample_documents_tell_which_indices_of_a_template_to_check(node: HttpNode) -> None:
    [_, index] = findings(node, LET_IN, VERSION, index="events-{tenant}")
    assert index[:2] == ("index events-{tenant}", None)
    assert "a --sample" in index[2]

    simulated: Answer = (200, {"docs": [{"doc": {}}, {"doc": {}}]})
    found = findings(
        node,
        *(LET_IN, VERSION),
        *(MAY, (200, INDEX), NO_BLOCKS) * 2,
        simulated,
        sample=[{"tenant": "a"}, {"tenant": "b"}, {"n": 1}],
        index="events-{tenant}",
    )
    assert [subject for subject, _, _ in found] == [
        "Elasticsearch",
        *("writing to events-a", "index events-a", "writing to events-b", "index events-b"),
        *("sample", "sample"),
    ]
    assert found[-2][1] is False
    assert found[-2][2].startswith("line 3: no_index: ")
    assert found[-1] == ("sample", True, "all 2 documents fit, by simulation")


@pytest.mark.parametrize("answer", [(403, {"error": "no"}), (200, {"docs": []}), (200, [])])
def test_an_unavailable_simulation_is_reported_as_unknown(node: HttpNode, answer: Answer) -> None:
    """Simulating an index needs a privilege, and Elasticsearch 8.12."""
    found = findings(node, LET_IN, VERSION, MAY, (200, INDEX), NO_BLOCKS, answer, sample=[{"n": 1}])

    assert found[-1][:2] == ("sample", None)
    assert found[-1][2].startswith("cannot be checked")
