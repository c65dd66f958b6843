"""Servers that answer what a test wants, and an address where nobody answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.http_node import Node, a_node, nobody


@pytest.fixture
def node() -> Iterator[Node]:
    with a_node() as node:
        yield node


@pytest.fixture
def nowhere() -> str:
    return nobody()
