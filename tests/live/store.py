"""The content of an Elasticsearch cluster of any version."""

from __future__ import annotations

import json
from typing import Any

import urllib3

PASSWORD = "of-tests"


class StoreClient:
    """Reads a cluster with plain JSON, which every version supports."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url, self._headers = url, {"content-type": "application/json", **headers}
        self._pool = urllib3.PoolManager(maxsize=8)

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = self._pool.request(
            method,
            self.url + path,
            body=None if body is None else json.dumps(body),
            headers=self._headers,
        )
        assert answer.status < 300, answer.data
        found: dict[str, Any] = json.loads(answer.data)
        return found

    def documents(self, index: str) -> list[dict[str, Any]]:
        """The documents that a reader finds, up to 10,000."""
        self.ask("POST", f"/{index}/_refresh?ignore_unavailable=true")
        answer = self.ask("GET", f"/{index}/_search?size=10000&ignore_unavailable=true")
        return [hit["_source"] for hit in answer["hits"]["hits"]]

    def numbers(self, index: str) -> list[int]:
        return sorted(document["n"] for document in self.documents(index))


TIME_SERIES = {
    "settings": {
        "index.mode": "time_series",
        "index.routing_path": ["host"],
        "index.time_series.start_time": "2026-01-01T00:00:00Z",
        "index.time_series.end_time": "2027-01-01T00:00:00Z",
    },
    "mappings": {
        "properties": {
            "@timestamp": {"type": "date"},
            "host": {"type": "keyword", "time_series_dimension": True},
            "n": {"type": "integer"},
        }
    },
}
