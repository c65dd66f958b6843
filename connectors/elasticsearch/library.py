"""What the connector uses of the official client, imported without what it does not use.

By itself, the package imports its asynchronous client too, 3.5 MiB, and its transport imports each
other HTTP library that is installed, 4 MiB and more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

UNUSED = (
    *("aiohttp", "httpx", "requests", "orjson", "pyarrow", "opentelemetry"),
    *("brotli", "brotlicffi", "backports.zstd"),
)
"""What the client, or `urllib3` below it, imports where it is installed, and does without where it
is not. The last three are for compressed answers, which the job does not request."""


class _AsynchronousClient(ModuleType):
    """Stands in for the module of the asynchronous client."""

    AsyncElasticsearch = None


@contextmanager
def _unused_left_out() -> Iterator[None]:
    """Leave out what is unused from the imports in the block; before and after, it is as it was."""
    client = "elasticsearch._async.client"
    replaced = {client: _AsynchronousClient(client), **dict.fromkeys(UNUSED)}
    before = {name: sys.modules[name] for name in replaced if name in sys.modules}
    sys.modules.update(replaced)  # type: ignore[arg-type]  # None: its import fails
    try:
        yield
    finally:
        for name in replaced:
            del sys.modules[name]
        sys.modules.update(before)


with _unused_left_out():
    from elastic_transport import (
        ApiResponse,
        ConnectionTimeout,
        NodeConfig,
        Serializer,
        TlsError,
        TransportError,
        Urllib3HttpNode,
    )
    from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config
    from elasticsearch import Elasticsearch

__all__ = [
    "ApiResponse",
    "ConnectionTimeout",
    "Elasticsearch",
    "NodeConfig",
    "Serializer",
    "TlsError",
    "TransportError",
    "Urllib3HttpNode",
    "basic_auth_to_header",
    "url_to_node_config",
]
