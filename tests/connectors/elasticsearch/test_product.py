"""Which product a server is, by its answer to `GET /`."""

from __future__ import annotations

import pytest

from connectors.elasticsearch.bulk_response import Reply
from connectors.elasticsearch.product import product


@pytest.mark.parametrize(
    ("body", "name", "is_opensearch"),
    [
        (b'{"version":{"number":"9.5.0"}}', "9.5.0", False),
        (
            b'{"version":{"distribution":"opensearch","number":"3.8.0"}}',
            "OpenSearch 3.8.0",
            True,
        ),
        (b"{}", "of an unknown version", False),
        (b"<h1>Forbidden</h1>", "of an unknown version", False),
        (b'{"version":"3.8.0"}', "of an unknown version", False),
    ],
)
def test_only_opensearch_names_its_distribution(
    body: bytes, name: str, is_opensearch: bool
) -> None:
    found = product(Reply(200, body))

    assert (str(found), found.is_opensearch) == (name, is_opensearch)
