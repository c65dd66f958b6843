"""What is asked of a cluster, and what is said of its refusals."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.elasticsearch.setup.changes import changes
from connectors.elasticsearch.setup.cluster import SetupCluster
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable
from tests.connectors.elasticsearch.http_node import HttpNode, no_server
from tests.connectors.elasticsearch.setup.wanting import wants

NO_TEMPLATES: tuple[int, Any] = (200, {"index_templates": []})
SIMULATED = (200, {"template": {"mappings": {"properties": {"n": {"type": "long"}}}}})
MISSING = (404, {"error": {"type": "index_not_found_exception", "reason": "no such index"}})
DONE = (200, {"acknowledged": True})


def prepare(node: HttpNode, *answers: tuple[int, Any]) -> list[str]:
    """Prepare an index, and return the requests."""
    node.answers = [(status, msgspec.json.encode(body)) for status, body in answers]
    cluster = SetupCluster(ElasticsearchSink(url=(node.url,), index="orders"), 5)
    goal = wants({"mapping": {"properties": {"n": {"type": "long"}}}})
    made, _ = changes(goal, cluster.find(goal))
    for one in made:
        cluster.apply(one)
    cluster.close()
    return [f"{method} {path.partition('?')[0]}" for method, path, _, _ in node.requests]


def test_it_reads_first_and_then_writes(node: HttpNode) -> None:
    assert prepare(node, NO_TEMPLATES, SIMULATED, MISSING, DONE, DONE) == [
        "GET /_index_template",
        "POST /_index_template/_simulate/orders",
        "GET /_resolve/index/orders",
        "PUT /_index_template/orders",
        "PUT /orders",
    ]
    assert msgspec.json.decode(node.requests[3][3]) == {
        "index_patterns": ["orders"],
        "priority": 200,
        "template": {"mappings": {"properties": {"n": {"type": "long"}}}},
    }


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refuses the credentials: correct api_key or basic_auth: security_exception: no"),
        (403, "refuses to read index templates: security_exception: no: hopper setup needs the"),
        (500, "refuses to read index templates: security_exception: no"),
    ],
)
def test_a_refusal_is_one_sentence(node: HttpNode, status: int, words: str) -> None:
    with pytest.raises(Unavailable, match=words):
        prepare(node, (status, {"error": {"type": "security_exception", "reason": "no"}}))


def test_a_data_stream_of_opensearch_is_refused_before_anything_changes(node: HttpNode) -> None:
    """Its index templates know no lifecycle."""
    about = {"version": {"number": "3.8.0", "distribution": "opensearch"}}
    node.answers = [(200, msgspec.json.encode(about))]
    cluster = SetupCluster(ElasticsearchSink(url=(node.url,), index="orders", action="create"), 5)

    with pytest.raises(Unavailable, match=r"has no lifecycles of data streams, .* leave out setup"):
        cluster.find(wants({"data_stream": {"retention": "30d"}}, action="create"))
    cluster.close()
    assert len(node.requests) == 1


def test_a_cluster_that_does_not_answer_is_named() -> None:
    url = no_server()
    cluster = SetupCluster(ElasticsearchSink(url=(url,), index="orders"), 5)

    with pytest.raises(Unavailable, match=f"Elasticsearch at {url} does not answer: "):
        cluster.find(wants({}))
    cluster.close()
