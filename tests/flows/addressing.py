"""The addressing that the sink of a spec uses."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.elasticsearch.address import ElasticsearchAddressing


@dataclass(frozen=True)
class Address:
    index: str = "orders"
    index_fallback: str | None = None
    id: str = "auto"


ADDRESSING = ElasticsearchAddressing(Address())
