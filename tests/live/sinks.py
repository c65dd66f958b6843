"""Sinks on a real cluster of any version: the rig of the contract, and what was requested."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from connectors.connector import Sink
from connectors.elasticsearch.observer import NoObserver
from connectors.elasticsearch.sink import Elasticsearch
from connectors.elasticsearch.spec import Bulk, ElasticsearchSink
from tests.contract.sink import Answers, documents
from tests.live.forwarder import Forwarder
from tests.live.store import StoreClient


class RequestObserver(NoObserver):
    """Records the answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.again_by_status: Counter[int | None] = Counter()

    def requested(self, documents: int, size_bytes: int, seconds: float) -> None:
        with self._lock:
            self.requests += 1

    def retried(self, documents: int, status: int | None) -> None:
        with self._lock:
            self.again_by_status[status] += documents


class ElasticsearchRig:
    """A sink that reaches its cluster through a forwarder, which can be cut."""

    def __init__(self, url: str, index: str, forwarder: Forwarder, bulk: Bulk) -> None:
        self._store, self._index, self._forwarder = StoreClient(url), index, forwarder
        self._bulk = bulk
        self._sinks: list[Sink] = []
        properties = {"n": {"type": "long"}}
        self._store.ask("PUT", f"/{index}", {"mappings": {"properties": properties}})

    def sink(self) -> Sink:
        url = f"http://127.0.0.1:{self._forwarder.port}"
        spec = ElasticsearchSink(url=(url,), index=self._index, bulk=self._bulk)
        self._sinks.append(Elasticsearch(spec))
        self._sinks[-1].check()
        return self._sinks[-1]

    def stored(self) -> list[dict[str, Any]]:
        return self._store.documents(self._index)

    def poison(self) -> bytes:
        return b'{"n":"poison"}'

    def change(self, id: str, source: bytes) -> None:
        self._store.ask("PUT", f"/{self._index}/_doc/{id}", json.loads(source))

    def go_down(self) -> None:
        self._forwarder.refuse(True)
        self._forwarder.cut()

    def come_up(self) -> None:
        self._forwarder.refuse(False)

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()
        self._store.ask("DELETE", f"/{self._index}")


def rig_at(url: str, index: str, bulk: Bulk | None = None) -> Iterator[ElasticsearchRig]:
    parts = urlsplit(url)
    with Forwarder(str(parts.hostname), parts.port or 9200) as forwarder:
        rig = ElasticsearchRig(url, index, forwarder, bulk or Bulk())
        yield rig
        rig.close()


MANY = Bulk(max_bytes=2048)
"""Many requests at once: small documents are not enough to share one."""


def check_throttled_documents(url: str, index: str, windows: int) -> None:
    """Sixteen requests at once, to a server that can do little: all is stored in the end."""
    store, observer = StoreClient(url), RequestObserver()
    store.ask("PUT", f"/{index}", {"settings": {"number_of_shards": 3}})
    spec = ElasticsearchSink(url=(url,), index=index, concurrency=16, bulk=MANY)
    sink, answers = Elasticsearch(spec, observer), [Answers() for _ in range(windows)]
    for each in answers:
        sink.submit(documents(250), each)

    for each in answers:
        each.wait_for(250)
    sink.close()

    assert observer.again_by_status[429] > 0
    assert not any(each.rejected for each in answers)
    assert store.numbers(index) == sorted([*range(250)] * windows)
