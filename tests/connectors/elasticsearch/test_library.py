"""The official client, without what the connector does not use of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from connectors.elasticsearch.library import UNUSED
from tests.documents import ROOT


def run(code: str, path: Path) -> list[str]:
    """Lines that a fresh interpreter prints, with the modules below `path`."""
    code = f"import sys; sys.path[:0] = [{str(path)!r}, {str(ROOT)!r}]; {code}"
    return subprocess.check_output(
        [sys.executable, "-W", "error", "-c", code], text=True
    ).splitlines()


def install(path: Path) -> None:
    """A module for each unused package, as if all were installed."""
    for name in UNUSED:
        module = path.joinpath(*name.split(".")).with_suffix(".py")
        module.parent.mkdir(exist_ok=True)
        module.write_text("")


def test_unused_packages_are_not_imported(tmp_path: Path) -> None:
    install(tmp_path)
    code = "import connectors.elasticsearch.sink; print(*sys.modules, sep='\\n')"
    modules = set(run(code, tmp_path))

    assert "elasticsearch" in modules
    assert not modules & set(UNUSED)
    assert not [name for name in modules if name.startswith("elasticsearch._async.")]
    assert "elasticsearch._sync.client.indices" in modules
    assert "elasticsearch._sync.client.ml" not in modules


def test_a_user_function_can_import_them_later(tmp_path: Path) -> None:
    """In the same process."""
    install(tmp_path)
    names = [name for name in UNUSED if name != "backports.zstd"]
    code = (
        f"import connectors.elasticsearch.sink, {', '.join(names)}; "
        "from elasticsearch._async.client import AsyncElasticsearch; "
        "import elasticsearch.helpers; print(AsyncElasticsearch.__name__)"
    )
    assert run(code, tmp_path) == ["AsyncElasticsearch"]


def test_a_user_function_can_call_each_api_of_the_client(tmp_path: Path) -> None:
    """The module of an API is imported when one of its methods is called."""
    code = (
        "import connectors.elasticsearch.sink; from elasticsearch import Elasticsearch; "
        "client = Elasticsearch('http://localhost:9200'); print(client.sql.query.__name__); "
        "print(type(client.sql.query.__self__).__module__)"
    )
    assert run(code, tmp_path) == ["query", "elasticsearch._sync.client.sql"]


def test_packages_that_are_imported_already_stay(tmp_path: Path) -> None:
    (tmp_path / "requests.py").write_text("")
    code = (
        "import requests as first, elasticsearch; "
        "import connectors.elasticsearch.library, requests as again; "
        "print(again is first, elasticsearch.AsyncElasticsearch.__name__)"
    )
    assert run(code, tmp_path) == ["True AsyncElasticsearch"]
