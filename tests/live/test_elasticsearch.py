"""The sink on real clusters of two major versions: its contract, and their real refusals."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import urllib3
from pydantic import SecretStr

from connectors.elasticsearch.sink import Elasticsearch
from connectors.elasticsearch.spec import Bulk, ElasticsearchSink
from connectors.errors import Unavailable
from connectors.message import Documents
from tests.connectors.elasticsearch.http_node import no_server
from tests.contract.sink import Answers, SinkContract, documents
from tests.live.sinks import (
    MANY,
    ElasticsearchRig,
    RequestObserver,
    check_throttled_documents,
    rig_at,
)
from tests.live.store import PASSWORD, StoreClient
from tests.live.versions import VERSIONS
from tests.waiting import until
from tools.local import elasticsearch as local

pytestmark = pytest.mark.live

DEFAULT, COMPRESSED = Bulk(), Bulk(compress="gzip")


@pytest.fixture
def name() -> str:
    return f"test-{uuid.uuid4()}"


class TestContract(SinkContract):
    """On the shared cluster."""

    @pytest.fixture
    def rig(self, elasticsearch_url: str, name: str) -> Iterator[ElasticsearchRig]:
        yield from rig_at(elasticsearch_url, name)


@pytest.fixture(scope="module", params=VERSIONS)
def small_limits(request: pytest.FixtureRequest) -> Iterator[str]:
    """A cluster with small limits."""
    settings = {
        "http.max_content_length": "128kb",
        "indexing_pressure.memory.limit": "256kb",
        "thread_pool.write.size": "1",
        "thread_pool.write.queue_size": "2",
    }
    server = local.ElasticsearchServer("narrow", version=request.param, settings=settings)
    with server.start():
        yield server.url


class TestContractWithSmallLimits(SinkContract):
    """On both versions."""

    @pytest.fixture
    def rig(self, small_limits: str, name: str) -> Iterator[ElasticsearchRig]:
        yield from rig_at(small_limits, name)


class TestContractWhereRequestsAreCompressed(SinkContract):
    """On both versions."""

    @pytest.fixture
    def rig(self, small_limits: str, name: str) -> Iterator[ElasticsearchRig]:
        yield from rig_at(small_limits, name, COMPRESSED)


def test_throttled_documents_are_stored_in_the_end(small_limits: str, name: str) -> None:
    """Sixteen writers, a queue of two, memory for two: 429 for documents and requests."""
    check_throttled_documents(small_limits, name, windows=40)


@pytest.mark.parametrize("action", ["index", "update"])
def test_throttled_documents_overtake_nothing(
    small_limits: str, name: str, action: Literal["index", "update"]
) -> None:
    """Of many windows for the same documents, the last one of each remains."""
    store, observer = StoreClient(small_limits), RequestObserver()
    store.ask("PUT", f"/{name}", {"settings": {"number_of_shards": 3}})
    spec = ElasticsearchSink(
        url=(small_limits,),
        index=name,
        action=action,
        upsert=action == "update",
        concurrency=16,
        bulk=MANY,
    )
    windows = 40 if action == "index" else 10  # each update waits for the one before
    sink = Elasticsearch(spec, observer)
    answers, others = [Answers() for _ in range(windows)], [Answers() for _ in range(windows)]
    for window, (each, other) in enumerate(zip(answers, others, strict=True)):
        sources = [b'{"n":%d}' % (window * 100 + n) for n in range(100)]
        sink.submit(Documents(sources, None, [f"id-{n % 50}" for n in range(100)]), each)
        sink.submit(Documents(sources, None, [f"{window}-{n}" for n in range(100)]), other)

    for each in (*answers, *others):
        each.wait_for(100)
    sink.close()

    assert observer.again_by_status[429] > 0
    last = (windows - 1) * 100 + 50  # of the last window, the second half replaced the first
    found = [number for number in store.numbers(name) if number >= last]
    assert found == sorted([*range(last, last + 50)] * 2)


def test_a_request_that_never_fits_into_memory_is_halved(small_limits: str, name: str) -> None:
    """Small documents take several times their size."""
    sink, answers = Elasticsearch(ElasticsearchSink(url=(small_limits,), index=name)), Answers()

    sink.submit(documents(5000), answers)
    answers.wait_for(5000)
    sink.close()

    assert StoreClient(small_limits).numbers(name) == [*range(5000)]


def test_one_document_that_never_fits_into_memory_is_rejected(small_limits: str, name: str) -> None:
    """Elasticsearch answers 429, as if waiting helped; the other documents are stored.

    Since version 9 it counts a document several times; before, a request of that size fits.
    """
    counted = StoreClient(small_limits).ask("GET", "/")["version"]["number"] >= "9"
    sink, answers = Elasticsearch(ElasticsearchSink(url=(small_limits,), index=name)), Answers()
    sources = [b'{"n":1}', b'{"n":2,"text":"%b"}' % (b"x" * 90_000), b'{"n":3}']

    sink.submit(Documents(sources, None, None), answers)
    answers.wait_for(3)
    sink.close()

    assert sorted(answers.stored) == ([0, 2] if counted else [0, 1, 2])
    assert all("_bytes=" in reason for reason in answers.rejected.values())


@pytest.mark.parametrize("bulk", [DEFAULT, COMPRESSED])
def test_a_request_that_is_too_large_for_the_cluster_is_halved(
    small_limits: str, name: str, bulk: Bulk
) -> None:
    """Elasticsearch limits the size before compression: these shrink to a hundredth."""
    padding = "x" * 1000
    sources = [json.dumps({"n": n, "padding": padding}).encode() for n in range(500)]
    sources[123] = json.dumps({"n": 123, "padding": "x" * 200_000}).encode()
    spec = ElasticsearchSink(url=(small_limits,), index=name, bulk=bulk)
    sink, answers = Elasticsearch(spec), Answers()

    sink.submit(Documents(sources, None, None), answers)
    answers.wait_for(500)
    sink.close()

    assert list(answers.rejected) == [123]
    assert "too large" in answers.rejected[123]
    assert StoreClient(small_limits).numbers(name) == [n for n in range(500) if n != 123]


def test_the_cluster_reports_its_limit(small_limits: str, name: str) -> None:
    """So no request is refused for its size first."""
    observer, padding = RequestObserver(), "x" * 1000
    sink = Elasticsearch(ElasticsearchSink(url=(small_limits,), index=name), observer)
    answers = Answers()
    sources = [json.dumps({"n": n, "padding": padding}).encode() for n in range(500)]

    sink.check()
    sink.submit(Documents(sources, None, None), answers)
    answers.wait_for(500)
    sink.close()

    assert observer.again_by_status[413] == 0
    assert StoreClient(small_limits).numbers(name) == [*range(500)]


def test_one_node_of_several_that_is_down_is_skipped(
    elasticsearch_url: str, index: str, caplog: pytest.LogCaptureFixture
) -> None:
    observer = RequestObserver()
    spec = ElasticsearchSink(url=(no_server(), elasticsearch_url), index=index)
    sink, answers = Elasticsearch(spec, observer), [Answers() for _ in range(20)]

    sink.check()
    for each in answers:
        sink.submit(documents(300), each)
    sink.flush()
    for each in answers:
        each.wait_for(300)
    sink.close()

    assert not observer.again_by_status
    assert not caplog.messages


def test_one_document_cannot_keep_the_others_from_being_stored(
    small_limits: str, name: str
) -> None:
    """Elasticsearch refuses the whole request for one `_id` that is too long."""
    answers = Answers()
    sink = Elasticsearch(ElasticsearchSink(url=(small_limits,), index=name))
    batch = documents(100, ids=True)
    assert batch.ids is not None
    batch.ids[42] = "x" * 513

    sink.submit(batch, answers)
    answers.wait_for(100)
    sink.close()

    assert list(answers.rejected) == [42]
    assert StoreClient(small_limits).numbers(name) == [n for n in range(100) if n != 42]


def test_half_a_character_rejects_only_its_document(small_limits: str, name: str) -> None:
    """It is valid JSON, and Elasticsearch quotes it in its answer."""
    StoreClient(small_limits).ask(
        "PUT", f"/{name}", {"mappings": {"properties": {"n": {"type": "long"}}}}
    )
    sink, answers = Elasticsearch(ElasticsearchSink(url=(small_limits,), index=name)), Answers()
    sources = [*documents(10).sources, rb'{"n":"\ud83d"}']

    sink.submit(Documents(sources, None, None), answers)
    sink.flush()
    answers.wait_for(11)
    sink.close()

    assert list(answers.rejected) == [10]
    assert StoreClient(small_limits).numbers(name) == [*range(10)]


def test_a_document_that_is_created_twice_counts_twice_and_exists_once(
    small_limits: str, name: str
) -> None:
    spec = ElasticsearchSink(url=(small_limits,), index=name, action="create")
    sink = Elasticsearch(spec)
    for _ in range(2):
        answers = Answers()
        sink.submit(documents(10, ids=True), answers)
        sink.flush()
        answers.wait_for(10)
        assert sorted(answers.stored) == [*range(10)]
    sink.close()

    assert StoreClient(small_limits).numbers(name) == [*range(10)]


def test_documents_go_to_the_index_they_name(small_limits: str, name: str) -> None:
    spec = ElasticsearchSink(url=(small_limits,), index=name + "-{tenant}")
    sink, answers = Elasticsearch(spec), Answers()
    sources = documents(4).sources
    indices: list[str | None] = [f"{name}-a", f"{name}-b", f"{name}-A", f"{name}-a"]

    sink.submit(Documents(sources, indices, ["1", None, None, "2"]), answers)
    sink.flush()
    answers.wait_for(4)
    sink.close()

    assert answers.rejected[2].startswith("invalid_index_name_exception")
    store = StoreClient(small_limits)
    assert (store.numbers(f"{name}-a"), store.numbers(f"{name}-b")) == ([0, 3], [1])


@pytest.fixture(scope="module", params=VERSIONS)
def secured(request: pytest.FixtureRequest) -> Iterator[StoreClient]:
    """A cluster with security."""
    server = local.ElasticsearchServer("secured", version=request.param, password=PASSWORD)
    with server.start():
        yield StoreClient(server.url, **urllib3.make_headers(basic_auth=f"elastic:{PASSWORD}"))


def key(secured: StoreClient, index: str, *privileges: str) -> SecretStr:
    """A new key with these privileges on one index."""
    role = {"indices": [{"names": [index], "privileges": privileges}]}
    body = {"name": str(uuid.uuid4()), "role_descriptors": {"writer": role}}
    return SecretStr(secured.ask("POST", "/_security/api_key", body)["encoded"])


@pytest.mark.parametrize(
    "credentials",
    [{}, {"api_key": SecretStr("bm8tc3VjaDprZXk=")}, {"basic_auth": SecretStr("elastic:no")}],
)
def test_a_refused_login_is_reported_at_the_start(
    secured: StoreClient, name: str, credentials: dict[str, Any]
) -> None:
    sink = Elasticsearch(ElasticsearchSink(url=(secured.url,), index=name, **credentials))

    with pytest.raises(Unavailable, match="refuses the credentials"):
        sink.check()


@pytest.mark.parametrize(
    ("action", "privilege"), [("create", "read"), ("index", "create_doc"), ("index", "none")]
)
def test_a_missing_privilege_is_reported_at_the_start(
    secured: StoreClient, name: str, action: Literal["create", "index"], privilege: str
) -> None:
    api_key = key(secured, name, privilege)
    sink = Elasticsearch(
        ElasticsearchSink(url=(secured.url,), index=name, action=action, api_key=api_key)
    )

    with pytest.raises(Unavailable, match=f"not write to the index {name}"):
        sink.check()


@pytest.mark.parametrize(("action", "privilege"), [("create", "create_doc"), ("index", "index")])
def test_a_key_that_may_only_write_is_enough(
    secured: StoreClient, name: str, action: Literal["create", "index"], privilege: str
) -> None:
    api_key = key(secured, name, privilege, "auto_configure")
    sink = Elasticsearch(
        ElasticsearchSink(url=(secured.url,), index=name, action=action, api_key=api_key)
    )
    answers = Answers()

    sink.check()
    sink.submit(documents(10), answers)
    answers.wait_for(10)
    sink.close()

    assert secured.numbers(name) == [*range(10)]


def test_a_forbidden_index_rejects_only_its_documents(secured: StoreClient, name: str) -> None:
    api_key = key(secured, f"{name}-a", "index", "auto_configure")
    spec = ElasticsearchSink(url=(secured.url,), index=name + "-{tenant}", api_key=api_key)
    sink, answers = Elasticsearch(spec), Answers()
    sink.check()

    indices: list[str | None] = [f"{name}-a", f"{name}-b"]
    sink.submit(Documents(documents(2).sources, indices, None), answers)
    sink.flush()
    answers.wait_for(2)
    sink.close()

    assert answers.stored == [0]
    assert answers.rejected[1].startswith("security_exception")


def test_a_killed_cluster_loses_no_document_reported_as_stored(name: str) -> None:
    """Killed with requests in flight, and started again: the rest is stored then."""
    with local.ElasticsearchServer("killed").start() as server:
        sink = Elasticsearch(ElasticsearchSink(url=(server.url,), index=name))
        answers = [Answers() for _ in range(100)]
        for n, each in enumerate(answers):
            batch = [b'{"n":%d}' % number for number in range(n * 100, n * 100 + 100)]
            ids: list[str | None] = [str(number) for number in range(n * 100, n * 100 + 100)]
            sink.submit(Documents(batch, None, ids), each)
        sink.flush()
        until(lambda: sum(each.take() for each in answers) > 1000, timeout=60)

        server.kill()
        server.start()

        for each in answers:
            each.wait_for(100)
        sink.close()
        assert not any(each.rejected for each in answers)
        assert StoreClient(server.url).numbers(name) == [*range(10_000)]
