"""Each action on a real Elasticsearch, and indices with unusual settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.elasticsearch.sink import Elasticsearch
from connectors.elasticsearch.spec import DocumentId, ElasticsearchSink, FieldOfDocument
from connectors.elasticsearch.template import parse_template
from connectors.errors import Unavailable
from connectors.message import Documents, Properties
from tests.contract.sink import Answers
from tests.live.store import TIME_SERIES, StoreClient
from tests.waiting import until

pytestmark = pytest.mark.live


@pytest.fixture
def store(elasticsearch_url: str) -> StoreClient:
    return StoreClient(elasticsearch_url)


Build = Callable[..., Elasticsearch]


@pytest.fixture
def sink(store: StoreClient) -> Iterator[Build]:
    """Make sinks for an index, and close them."""
    made = []

    def make(index: str, **keys: Any) -> Elasticsearch:
        made.append(Elasticsearch(ElasticsearchSink(url=(store.url,), index=index, **keys)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def write(some: Elasticsearch, *sources: bytes, **columns: Any) -> Answers:
    """The answers for these documents, complete; the ids are a, b, c and so on."""
    answers, ids = Answers(), [*"abcdefgh"[: len(sources)]]
    some.submit(Documents([*sources], None, ids)._replace(**columns), answers)
    some.flush()
    answers.wait_for(len(sources))
    return answers


def by_id(store: StoreClient, index: str) -> dict[str, Any]:
    store.ask("POST", f"/{index}/_refresh")
    answer = store.ask("GET", f"/{index}/_search?size=100")
    return {hit["_id"]: hit for hit in answer["hits"]["hits"]}


def test_an_update_changes_a_part(store: StoreClient, sink: Build, index: str) -> None:
    write(sink(index), b'{"n":1,"o":{"x":1}}')

    answers = write(sink(index, action="update"), b'{"o":{"y":2}}', b'{"n":3}')

    assert answers.stored == [0]
    assert answers.rejected[1].startswith("document_missing_exception")
    assert by_id(store, index)["a"]["_source"] == {"n": 1, "o": {"x": 1, "y": 2}}


def test_an_upsert_creates_a_missing_document(store: StoreClient, sink: Build, index: str) -> None:
    some = sink(index, action="update", upsert=True)
    for source in (b'{"n":1}', b'{"m":2}'):
        assert write(some, source).stored == [0]

    assert by_id(store, index)["a"]["_source"] == {"n": 1, "m": 2}


def test_deleting_a_missing_document_counts_as_done(
    store: StoreClient, sink: Build, index: str
) -> None:
    write(sink(index), b'{"n":1}')

    answers = write(sink(index, action="delete"), b'{"n":1}', b'{"n":2}')

    assert sorted(answers.stored) == [0, 1]
    assert by_id(store, index) == {}


def test_the_version_decides_and_not_the_order(store: StoreClient, sink: Build, index: str) -> None:
    some = sink(index, version=FieldOfDocument(field="v"), id=DocumentId(field="k"))
    for version in (2, 5, 3, 1, 4):
        assert write(some, b'{"v":%d}' % version, b'{"n":0}').stored == [0]

    assert by_id(store, index)["a"]["_source"] == {"v": 5}


def test_an_old_version_deletes_nothing(store: StoreClient, sink: Build, index: str) -> None:
    version = FieldOfDocument(field="v")
    write(sink(index, version=version), b'{"v":5}', b'{"v":5}')

    answers = write(sink(index, version=version, action="delete"), b'{"v":4}', b'{"v":6}')

    assert sorted(answers.stored) == [0, 1]
    assert [*by_id(store, index)] == ["a"]


def test_routing_selects_the_shard(store: StoreClient, sink: Build, index: str) -> None:
    store.ask("PUT", f"/{index}", {"settings": {"number_of_shards": 3}})
    some = sink(index, routing=FieldOfDocument(field="customer"))

    answers = write(some, b'{"customer":"acme"}', b'{"n":2}')

    assert answers.stored == [0]
    assert answers.rejected[1].startswith("missing_routing")
    assert by_id(store, index)["a"]["_routing"] == "acme"


def test_an_ingest_pipeline_processes_documents(
    store: StoreClient, sink: Build, index: str
) -> None:
    name = f"{index}-pipeline"
    store.ask("PUT", f"/_ingest/pipeline/{name}", {"processors": [PROCESSOR]})
    try:
        assert write(sink(index, pipeline=name), b'{"n":1}').stored == [0]
        assert by_id(store, index)["a"]["_source"] == {"n": 1, "seen": True}

        answers = write(sink(index, pipeline=f"{name}-absent"), b'{"n":1}')
        assert "does not exist" in answers.rejected[0]
    finally:
        store.ask("DELETE", f"/_ingest/pipeline/{name}")


PROCESSOR = {"set": {"field": "seen", "value": True}}


def test_an_alias_is_required(store: StoreClient, sink: Build, index: str) -> None:
    store.ask("PUT", f"/{index}", {"aliases": {f"{index}-alias": {}}})

    assert write(sink(f"{index}-alias", require_alias=True), b'{"n":1}').stored == [0]
    answers = write(sink(index, require_alias=True), b'{"n":1}')
    assert "is not an alias" in answers.rejected[0]


def test_a_missing_index_rejects(store: StoreClient, sink: Build, index: str) -> None:
    some = sink(index + "-{tenant}", on_missing_index="reject")
    store.ask("PUT", f"/{index}-a")

    indices = [f"{index}-a", f"{index}-b", f"{index}-a"]
    answers = write(some, b'{"n":0}', b'{"n":1}', b'{"n":2}', indices=indices)

    assert sorted(answers.stored) == [0, 2]
    assert answers.rejected[1] == f"index_not_found_exception: no such index [{index}-b]"
    assert store.numbers(f"{index}-*") == [0, 2]
    assert store.documents(f"{index}-b") == []


def test_a_missing_index_is_waited_for(store: StoreClient, sink: Build, index: str) -> None:
    some, answers = sink(index, on_missing_index="wait"), Answers()
    some.submit(Documents([b'{"n":1}'], None, None), answers)
    some.flush()
    assert answers.take() == 0

    store.ask("PUT", f"/{index}")

    answers.wait_for(1)
    assert store.numbers(index) == [1]


def test_every_accepted_index_name_is_one_for_elasticsearch(
    store: StoreClient, sink: Build, index: str
) -> None:
    """A document with a name that Elasticsearch refuses would be parked with another reason."""
    some = sink(index + "{tenant}")
    tenants = [*"-_+.!$%&'()=@[]^`{};~é漢🐰"]
    template = parse_template(index + "x{tenant}")
    names = [template.render({"tenant": f"a{tenant}"}, Properties(), 0.0) for tenant in tenants]
    indices = [name for name in names if isinstance(name, str)]

    answers = Answers()
    sources = [b'{"n":%d}' % n for n in range(len(indices))]
    some.submit(Documents(sources, [*indices], None), answers)
    some.flush()
    answers.wait_for(len(indices))

    assert len(indices) == len(tenants)
    assert answers.rejected == {}


@pytest.fixture
def data_stream(store: StoreClient, index: str) -> Iterator[str]:
    template = {"index_patterns": [f"{index}-stream"], "data_stream": {}, "priority": 500}
    store.ask("PUT", f"/_index_template/{index}", template)
    store.ask("PUT", f"/_data_stream/{index}-stream")
    yield f"{index}-stream"
    store.ask("DELETE", f"/_data_stream/{index}-stream")
    store.ask("DELETE", f"/_index_template/{index}")


def test_a_data_stream_takes_new_documents_only(
    store: StoreClient, sink: Build, data_stream: str
) -> None:
    with pytest.raises(Unavailable, match="is a data stream"):
        sink(data_stream).check()

    some = sink(data_stream, action="create")
    some.check()
    for _ in range(2):  # the second time, it exists already
        answers = write(some, b'{"@timestamp":"2026-01-31T00:00:00Z","n":1}', b'{"n":2}')
        assert answers.stored == [0]
        assert "timestamp field [@timestamp] is missing" in answers.rejected[1]
    until(lambda: store.numbers(data_stream) == [1])


def test_a_document_that_does_not_fit_may_be_in_a_failure_store(
    store: StoreClient, sink: Build, index: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Elasticsearch answers that it is stored: with its reason, in the failure store."""
    template = {
        "index_patterns": [f"{index}-stream"],
        "data_stream": {},
        "priority": 500,
        "template": {"data_stream_options": {"failure_store": {"enabled": True}}},
    }
    store.ask("PUT", f"/_index_template/{index}", template)
    store.ask("PUT", f"/_data_stream/{index}-stream")
    try:
        some = sink(f"{index}-stream", action="create")
        answers = write(some, b'{"@timestamp":"2026-01-31T00:00:00Z","n":1}', b'{"n":2}')
        if answers.rejected:
            pytest.skip("this Elasticsearch knows no failure stores")
        assert sorted(answers.stored) == [0, 1]
        until(lambda: "data stream into its failure store, 1 so far" in caplog.text)
        store.ask("POST", f"/{index}-stream::failures/_refresh")
        [found] = store.documents(f"{index}-stream::failures")
        assert found["document"]["source"] == {"n": 2}
        assert "timestamp field [@timestamp] is missing" in found["error"]["message"]
        until(lambda: store.numbers(f"{index}-stream") == [1])
    finally:
        store.ask("DELETE", f"/_data_stream/{index}-stream")
        store.ask("DELETE", f"/_index_template/{index}")


def test_another_document_of_a_time_series_is_no_copy(
    store: StoreClient, sink: Build, index: str
) -> None:
    """Of two with the same dimensions and time, the second is parked, unless it was redelivered."""
    store.ask("PUT", f"/{index}", TIME_SERIES)
    some = sink(index, action="create", id="none")
    sources = [b'{"@timestamp":"2026-06-01T00:00:00Z","host":"a","n":%d}' % n for n in range(2)]

    answers = write(some, *sources)
    assert answers.stored == [0]
    assert answers.rejected[1].startswith("version_conflict: another document has the _id ")
    assert "version_conflict_engine_exception" in answers.rejected[1]

    assert write(some, sources[0], redelivered=[True]).stored == [0]
    assert 0 in write(some, sources[0], redelivered=[False]).rejected
    store.ask("POST", f"/{index}/_refresh")
    assert store.numbers(index) == [0]


def test_a_cluster_that_would_refuse_every_document_is_found_at_the_start(
    store: StoreClient, sink: Build, index: str
) -> None:
    with pytest.raises(Unavailable, match="the ingest pipeline nowhere does not exist"):
        sink(index, pipeline="nowhere").check()
    with pytest.raises(Unavailable, match="on_missing_index: reject parks each message"):
        sink(index, on_missing_index="reject").check()
    template = {"index_patterns": [f"{index}-*"], "data_stream": {}, "priority": 500}
    store.ask("PUT", f"/_index_template/{index}", template)
    try:
        with pytest.raises(Unavailable, match=f"will be a data stream, by .* {index}, .* create"):
            sink(f"{index}-a").check()
        sink(f"{index}-a", action="create").check()
    finally:
        store.ask("DELETE", f"/_index_template/{index}")

    store.ask("PUT", f"/{index}", {"settings": {"index.blocks.write": True}})
    with pytest.raises(Unavailable, match=r"is blocked for writing by index.blocks.write"):
        sink(index).check()
    store.ask("PUT", f"/{index}/_settings", {"index.blocks.write": None})
    sink(index).check()
    store.ask("POST", f"/{index}/_close")
    with pytest.raises(Unavailable, match="is closed: open it"):
        sink(index).check()
