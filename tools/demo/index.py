"""Elasticsearch for the demo: creates the index, and reads it afterwards.

It shares no code with the job, so it checks the job independently.
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
"""The time that Elasticsearch itself allows for creating an index."""


class BulkCounts(NamedTuple):
    """The bulk requests to an index, as Elasticsearch counts them."""

    requests: int
    size_bytes: int
    """The size of all of them together."""


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
        """A command to look at more documents."""
        if parts.username:
            self.search_command = (
                f"curl --user {parts.username} '{self._url}/{name}/_search?pretty'"
            )

    def make_anew(self, mapping: dict[str, Any]) -> None:
        """Create it empty, also if it exists.

        Raises:
            DemoTrouble: Elasticsearch cannot be reached, or refuses; as with every method.
        """
        self._ask("DELETE", "?ignore_unavailable=true")
        # Without replicas a cluster of one node is healthy.
        self._ask("PUT", "", {"mappings": mapping, "settings": {"number_of_replicas": 0}})

    def refresh(self) -> None:
        """Make all stored documents visible to searches."""
        self._ask("POST", "/_refresh")

    def count(self) -> int:
        """Count its documents."""
        count: int = self._ask("GET", "/_count")["count"]
        return count

    def first(self, kind: str) -> dict[str, Any]:
        """Return the oldest document of a type, or an empty one if there is none."""
        query = {"size": 1, "query": {"term": {"type": kind}}, "sort": ["@timestamp"]}
        hits = self._ask("POST", "/_search", query)["hits"]["hits"]
        source: dict[str, Any] = hits[0]["_source"] if hits else {}
        return source

    def bulks(self) -> BulkCounts:
        """Return the counts since the index was created."""
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
