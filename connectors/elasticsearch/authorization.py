"""The current credentials, read again when the cluster refuses them.

A key or a password in a file may be replaced while the job runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from connectors.elasticsearch.library import basic_auth_to_header, url_to_node_config
from connectors.elasticsearch.spec import ElasticsearchSink

ReloadSpec = Callable[[], "ElasticsearchSink | None"]
"""Reads the spec file and its secrets again; `None`: they cannot be read now."""


class Authorization:
    """The header `Authorization` of requests; thread-safe."""

    def __init__(self, spec: ElasticsearchSink, reload: ReloadSpec | None) -> None:
        """`reload`: `None`: the credentials never change."""
        self.header, self._reload = _header(spec), reload
        """`None`: requests have no credentials."""
        self._renewing = threading.Lock()

    def renew(self, used: str | None) -> bool:
        """Read the credentials again; return whether they differ from those that were used."""
        with self._renewing:
            if self.header == used and self._reload is not None:
                spec = self._reload()
                self.header = used if spec is None else _header(spec)
            return self.header != used


def _header(spec: ElasticsearchSink) -> str | None:
    """Return the header: of the spec's key, else of the first URL with a user."""
    if spec.api_key is not None:
        return f"ApiKey {spec.api_key.get_secret_value()}"
    if spec.basic_auth is not None:
        user, _, password = spec.basic_auth.get_secret_value().partition(":")
        return basic_auth_to_header((user, password))
    nodes = [url_to_node_config(url, use_default_ports_for_scheme=True) for url in spec.url]
    return next((node.headers["authorization"] for node in nodes if node.headers), None)
