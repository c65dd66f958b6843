"""What the connector uses of the official client, imported without what it does not use.

By itself, the package imports its asynchronous client too, 3.5 MiB, and the methods of all APIs of
Elasticsearch, 2 MiB; its transport imports each other HTTP library that is installed, 4 MiB and
more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

UNUSED = (
    *("aiohttp", "httpx", "requests", "orjson", "pyarrow", "opentelemetry"),
    *("brotli", "brotlicffi", "backports.zstd"),
)
"""What the client, or `urllib3` below it, imports where it is installed, and does without where it
is not. The last three are for compressed answers, which the job does not request."""


_CLIENT = "elasticsearch._sync.client"
_USED = ("_base", "utils", "indices", "ingest", "nodes", "security")
"""The modules of this package that are imported at once."""


class _AsynchronousClient(ModuleType):
    """Stands in for the module of the asynchronous client."""

    AsyncElasticsearch = None


class _ApiModule(ModuleType):
    """Stands in for a module with the methods of an API; imports it when one is called."""

    def __getattr__(self, client_class: str) -> Callable[[object], _Api]:
        return lambda client: _Api(self.__name__, client_class, client)


class _Api:
    """The methods of an API, such as `client.sql`: a user function may call them."""

    def __init__(self, module: str, client_class: str, client: object) -> None:
        self._place, self._client = (module, client_class), client

    def __getattr__(self, method: str) -> Any:
        module, client_class = self._place
        return getattr(getattr(import_module(module), client_class)(self._client), method)


def _stand_ins() -> Mapping[str, ModuleType | None]:
    """Return what stands in for each unused module, by its name; `None`: its import fails."""
    package = find_spec("elasticsearch")
    assert package is not None
    assert package.origin is not None
    names = [path.stem for path in Path(package.origin).parent.glob("_sync/client/*.py")]
    unused = [f"{_CLIENT}.{name}" for name in names if name not in ("__init__", *_USED)]
    asynchronous = "elasticsearch._async.client"
    return {
        asynchronous: _AsynchronousClient(asynchronous),
        **{name: _ApiModule(name) for name in unused},
        **dict.fromkeys(UNUSED),
    }


@contextmanager
def _unused_left_out() -> Iterator[None]:
    """Leave out what is unused from the imports in the block; before and after, it is as it was."""
    stand_ins = _stand_ins()
    before = {name: sys.modules[name] for name in stand_ins if name in sys.modules}
    sys.modules.update(stand_ins)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in stand_ins:
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
