"""An index of a real Elasticsearch, as its readers see it; and who was asked for what."""

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
        """With a mapping, so that some documents do not fit; not `dynamic`: others always do."""
        self._ask("PUT", "", {"mappings": {"properties": properties, "dynamic": dynamic}})

    def count(self) -> int:
        """Documents that a reader finds now."""
        return len(self.documents())

    def documents(self) -> list[dict[str, Any]]:
        """All of them, up to 10,000; none as long as the index is not there."""
        if self._ask("POST", "/_refresh").get("status") == 404:
            return []
        answer = self._ask("GET", "/_search?size=10000")
        hits: list[dict[str, Any]] = answer["hits"]["hits"]
        return hits

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the server says, once the index is not just being made: then it says 503."""
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
        """What Elasticsearch answers."""
        return self._ask("POST", "/_search", query)

    def total(self, field: str) -> tuple[int, int]:
        """How many documents have a field, and the sum of it."""
        if self._ask("POST", "/_refresh").get("status") == 404:
            return 0, 0
        stats = {"aggs": {"stats": {"stats": {"field": field}}}}
        answer = self._ask("POST", "/_search?size=0", stats)["aggregations"]["stats"]
        return answer["count"], int(answer["sum"])

    def numbers(self) -> list[int]:
        """The field `n` of every document, in order."""
        return sorted(document["_source"]["n"] for document in self.documents())


_HTTP = urllib3.PoolManager()
"""Plain HTTP, since the client speaks to servers of its own version only."""


class Watcher(HttpProxy):
    """Counts the documents of each bulk request."""

    def __init__(self, url: str, forgets: int = 0) -> None:
        """Of so many bulk requests, the first ones, the answer does not come back."""
        super().__init__(url)
        self._forgets = forgets
        self.bulks: list[int] = []
        """Documents in each bulk request, in order of the answers."""

    def answers(self, path: str, body: bytes) -> bool:
        if "_bulk" not in path or not body.strip():
            return True
        self.bulks.append(body.count(b"\n") // 2)
        return len(self.bulks) > self._forgets
