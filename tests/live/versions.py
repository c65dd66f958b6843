"""The versions of Elasticsearch that live tests run on, as parameters of a fixture."""

from __future__ import annotations

import pytest

from tools.local.java import find_java, oldest_java

VERSIONS = [
    pytest.param(
        version,
        marks=pytest.mark.skipif(
            find_java(oldest_java(version)) is None,
            reason=f"Elasticsearch {version} needs Java {oldest_java(version)}",
        ),
    )
    for version in ("9.5.0", "8.19.21")
]
