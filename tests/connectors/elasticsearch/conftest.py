"""HTTP servers that give the answers of a test, and an address without a server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.elasticsearch.http_node import HttpNode, a_node, no_server


@pytest.fixture
def node() -> Iterator[HttpNode]:
    with a_node() as node:
        yield node


@pytest.fixture
def nowhere() -> str:
    return no_server()
