"""What specs want of a cluster, for tests."""

from __future__ import annotations

from typing import Any

from connectors.elasticsearch.setup.spec import ElasticsearchSetup
from connectors.elasticsearch.setup.wanted import Wanted, wanted
from connectors.elasticsearch.spec import ElasticsearchSink


def wants(setup: dict[str, Any], index: str = "orders", **sink: Any) -> Wanted:
    """What a spec wants; `setup` and `sink`: as in YAML."""
    return wanted(
        ElasticsearchSetup.model_validate(setup),
        ElasticsearchSink.model_validate({"url": "http://h", "index": index, **sink}),
        "Orders",
    )
