"""OpenSearch, which answers like Elasticsearch: the contract of the sink, a job, and the checks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.elasticsearch.setup.changes import changes
from connectors.elasticsearch.setup.cluster import SetupCluster
from connectors.elasticsearch.sink import Elasticsearch
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.survey import survey
from connectors.errors import Unavailable
from tests.connectors.elasticsearch.setup.wanting import wants
from tests.contract.sink import SinkContract
from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import publish, spec
from tests.live.queues import RabbitMQRig
from tests.live.sinks import ElasticsearchRig, check_throttled_documents, rig_at
from tests.live.store import StoreClient
from tests.waiting import until
from tools.local.java import find_java
from tools.local.opensearch import OLDEST_JAVA, VERSION, OpenSearchServer

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        find_java(OLDEST_JAVA) is None, reason=f"OpenSearch needs Java {OLDEST_JAVA}"
    ),
]


@pytest.fixture(scope="module")
def opensearch() -> Iterator[str]:
    """A server that can do little at once."""
    settings = {"thread_pool.write.size": "1", "thread_pool.write.queue_size": "2"}
    with OpenSearchServer("sink", settings=settings) as server:
        yield server.url


@pytest.fixture
def name() -> str:
    return f"test-{uuid.uuid4()}"


class TestContractOnOpenSearch(SinkContract):
    @pytest.fixture
    def rig(self, opensearch: str, name: str) -> Iterator[ElasticsearchRig]:
        yield from rig_at(opensearch, name)


def test_throttled_documents_are_stored_in_the_end(opensearch: str, name: str) -> None:
    check_throttled_documents(opensearch, name, windows=8)


def test_a_job_creates_documents_and_parks_those_that_are_refused(
    rig: RabbitMQRig, opensearch: str, name: str, tmp_path: Path
) -> None:
    events = Index(opensearch, name)
    events.create({"n": {"type": "long"}})
    publish(rig, 250)
    rig.publish(b'{"n":{"not":"a number"}}')
    with JobProcess(spec(tmp_path, rig, events, action="create")) as job:
        until(lambda: events.count() == 250)
        [(body, reason)] = until(rig.parked)
        assert job.drain() == 0

    assert body == b'{"n":{"not":"a number"}}'
    assert reason.startswith("mapper_parsing_exception: failed to parse field [n]")
    assert events.numbers() == list(range(250))
    assert rig.left() == 0


def test_an_index_that_would_refuse_every_document_is_found_at_the_start(
    opensearch: str, name: str
) -> None:
    store = StoreClient(opensearch)

    def check(index: str = name, **keys: Any) -> None:
        sink = Elasticsearch(ElasticsearchSink(url=(opensearch,), index=index, **keys))
        try:
            sink.check()
        finally:
            sink.close()

    with pytest.raises(Unavailable, match="the ingest pipeline nowhere does not exist"):
        check(pipeline="nowhere")
    with pytest.raises(Unavailable, match="on_missing_index: reject parks each message"):
        check(on_missing_index="reject")

    template = {"index_patterns": [f"{name}-*"], "data_stream": {}, "priority": 500}
    store.ask("PUT", f"/_index_template/{name}", template)
    with pytest.raises(Unavailable, match="will be a data stream"):
        check(f"{name}-a")
    store.ask("PUT", f"/_data_stream/{name}-a")
    with pytest.raises(Unavailable, match="is a data stream"):
        check(f"{name}-a")
    check(f"{name}-a", action="create")

    store.ask("PUT", f"/{name}", {"settings": {"index.blocks.write": True}})
    with pytest.raises(Unavailable, match=r"is blocked for writing by index\.blocks\.write"):
        check()
    store.ask("PUT", f"/{name}/_settings", {"index.blocks.write": None})
    check()
    store.ask("POST", f"/{name}/_close")
    with pytest.raises(Unavailable, match="is closed: open it"):
        check()


def test_a_survey_tells_what_it_cannot_check(opensearch: str, name: str) -> None:
    sink = ElasticsearchSink(url=(opensearch,), index=name)

    found = survey(sink, ["q"], [(1, {"n": 1})], seconds=10, now=0)

    assert found[0].text.startswith(f"OpenSearch {VERSION} at ")
    assert [(one.subject, one.ok) for one in found] == [
        ("Elasticsearch", True),
        (f"writing to {name}", None),
        (f"index {name}", True),
        ("sample", None),
    ]


def test_an_index_can_be_prepared_and_a_data_stream_cannot(opensearch: str, name: str) -> None:
    cluster = SetupCluster(ElasticsearchSink(url=(opensearch,), index=name), seconds=10)
    mapping = {"properties": {"n": {"type": "long"}}}
    try:
        goal = wants({"template": name, "mapping": mapping}, index=name)
        made, conflicts = changes(goal, cluster.find(goal))
        for one in made:
            cluster.apply(one)
        assert [one.what for one in made] == ["index template", "index"]
        assert (changes(goal, cluster.find(goal)), conflicts) == (([], []), [])

        with pytest.raises(Unavailable, match="has no lifecycles of data streams"):
            cluster.find(wants({"data_stream": {}}, index=name, action="create"))
    finally:
        cluster.close()
