"""Reads which product a server is: Elasticsearch, or OpenSearch, which answers like it. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from connectors.elasticsearch.bulk_response import Reply

ABOUT = "version.number,version.distribution"
"""The parts of the answer to `GET /` that are read."""


class Product(NamedTuple):
    """The product and its version, for messages to the user."""

    version: str
    is_opensearch: bool

    def __str__(self) -> str:
        return f"OpenSearch {self.version}" if self.is_opensearch else self.version


def product(reply: Reply) -> Product:
    """Read the answer to `GET /`; one that says nothing is taken for Elasticsearch's."""
    try:
        version = msgspec.json.decode(reply.body, type=_About).version
    except ValueError:
        version = _Version()
    return Product(version.number, version.distribution == "opensearch")


class _Version(msgspec.Struct):
    number: str = "of an unknown version"
    distribution: str = ""
    """Only OpenSearch names one."""


class _About(msgspec.Struct):
    version: _Version = msgspec.field(default_factory=_Version)
