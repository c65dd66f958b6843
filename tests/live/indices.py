"""An index of a real Elasticsearch as readers see it, and a proxy that counts bulk requests."""

from __future__ import annotations

from typing import Any

import urllib3

from tests.live.http_proxy import HttpProxy
from tests.waiting import until


class Index:
    """What is in one index."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name = url, name

    def create(self, properties: dict[str, Any], *, dynamic: bool = True) -> None:
        """Create it with a mapping for some documents; if not `dynamic`, all others fit."""
        self._ask("PUT", "", {"mappings": {"properties": properties, "dynamic": dynamic}})

    def count(self) -> int:
        """The number of documents that a reader finds now."""
        return len(self.documents())

    def documents(self) -> list[dict[str, Any]]:
        """All documents, up to 10,000; none while the index does not exist."""
        if self._ask("POST", "/_refresh").get("status") == 404:
            return []
        answer = self._ask("GET", "/_search?size=10000&version=true")
        hits: list[dict[str, Any]] = answer["hits"]["hits"]
        return hits

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of the server, after the index is created: until then it answers 503."""
        answer = until(lambda: self._answer(method, path, body))
        assert answer is not None
        assert answer.status in (200, 404), answer.data
        parsed: dict[str, Any] = answer.json()
        return parsed

    def _answer(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> urllib3.BaseHTTPResponse | None:
        # Elasticsearch 8 refuses to refresh when the request has a body.
        answer = _HTTP.request(method, f"{self.url}/{self.name}{path}", json=body)
        return None if answer.status == 503 else answer

    def search(self, query: dict[str, Any]) -> dict[str, Any]:
        """The answer of Elasticsearch."""
        return self._ask("POST", "/_search", query)

    def total(self, field: str) -> tuple[int, int]:
        """The number of documents with a field, and the sum of the field."""
        if self._ask("POST", "/_refresh").get("status") == 404:
            return 0, 0
        stats = {"aggs": {"stats": {"stats": {"field": field}}}}
        answer = self._ask("POST", "/_search?size=0", stats)["aggregations"]["stats"]
        return answer["count"], int(answer["sum"])

    def numbers(self) -> list[int]:
        """The field `n` of every document, in order."""
        return sorted(document["_source"]["n"] for document in self.documents())


_HTTP = urllib3.PoolManager()
"""Plain HTTP, since the client supports only servers of its own version."""


class BulkCounter(HttpProxy):
    """Counts the documents of each bulk request."""

    def __init__(self, url: str, lost_answers: int = 0) -> None:
        """The first `lost_answers` bulk requests get no answer."""
        super().__init__(url)
        self._lost_answers = lost_answers
        self.bulks: list[int] = []
        """The number of documents in each bulk request, in the order of the answers."""

    def answers(self, path: str, body: bytes) -> bool:
        if "_bulk" not in path or not body.strip():
            return True
        self.bulks.append(body.count(b"\n") // 2)
        return len(self.bulks) > self._lost_answers
