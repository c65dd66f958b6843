"""Elasticsearch as the demo needs it: makes the index, and asks afterwards what is in it.

It shares nothing with the job: what arrived is to be seen with other eyes than the writer's.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from connectors.url import without_password
from tools.demo.trouble import DemoTrouble

TIMEOUT_SECONDS = 30
"""What Elasticsearch itself gives to the making of an index."""


class BulkCounts(NamedTuple):
    """What Elasticsearch has counted of the bulk requests to an index."""

    requests: int
    size_bytes: int
    """Of all of them together."""


class DemoIndex:
    """One index."""

    def __init__(self, url: str, name: str) -> None:
        """`url` may name a user and a password."""
        parts = urlsplit(url)
        self._login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        place = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        self._url = place.geturl().rstrip("/")
        self._name = name
        self.search_command = f"curl '{self._url}/{name}/_search?pretty'"
        """For people who want to look further."""
        if parts.username:
            self.search_command = (
                f"curl --user {parts.username} '{self._url}/{name}/_search?pretty'"
            )

    def make_anew(self, mapping: dict[str, Any]) -> None:
        """Make it, empty, also where one was.

        Raises:
            Trouble: Elasticsearch cannot be reached, or refuses; as with every method.
        """
        self._ask("DELETE", "?ignore_unavailable=true")
        # Without replicas a cluster of one node is as healthy as it can be.
        self._ask("PUT", "", {"mappings": mapping, "settings": {"number_of_replicas": 0}})

    def refresh(self) -> None:
        """Let everything that is stored be found."""
        self._ask("POST", "/_refresh")

    def count(self) -> int:
        """Count its documents."""
        count: int = self._ask("GET", "/_count")["count"]
        return count

    def first(self, kind: str) -> dict[str, Any]:
        """Return the oldest document of a type, or an empty one when there is none."""
        query = {"size": 1, "query": {"term": {"type": kind}}, "sort": ["@timestamp"]}
        hits = self._ask("POST", "/_search", query)["hits"]["hits"]
        source: dict[str, Any] = hits[0]["_source"] if hits else {}
        return source

    def bulks(self) -> BulkCounts:
        """Return what Elasticsearch has counted since the index was made."""
        bulk = self._ask("GET", "/_stats/bulk")["_all"]["primaries"]["bulk"]
        return BulkCounts(bulk["total_operations"], bulk["total_size_in_bytes"])

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self._url}/{self._name}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        if self._login != ":":
            login = base64.b64encode(self._login.encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.read(500).decode(errors='replace')}"
        except OSError as error:
            reason = str(getattr(error, "reason", error))
        raise DemoTrouble(f"Elasticsearch at {without_password(self._url)}: {reason}")
