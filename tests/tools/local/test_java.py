"""The search for a suitable Java."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.local.distribution import SHA256
from tools.local.elasticsearch import VERSION, VERSION_FOR_OLD_JAVA
from tools.local.java import find_java, java_version, oldest_java


def _java(folder: Path, version: str, *, compiler: bool = True) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\n')
    if compiler:
        (folder / "bin" / "javac").touch(mode=0o755)
    return folder


def test_the_version_of_java_is_read(tmp_path: Path) -> None:
    assert java_version(_java(tmp_path / "java", "21.0.4")) == 21
    assert java_version(tmp_path / "nothing") == 0


def test_a_configured_java_is_used_if_it_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New enough, and with a compiler; version 99 excludes those of this machine."""
    monkeypatch.setenv("ES_JAVA_HOME", str(_java(tmp_path / "old", "98.0.1")))
    monkeypatch.setenv("JAVA_HOME", str(_java(tmp_path / "new", "99.0.1")))
    assert find_java(99) == tmp_path / "new"

    monkeypatch.setenv("JAVA_HOME", str(_java(tmp_path / "run-only", "99", compiler=False)))
    assert find_java(99) is None


def test_versions_are_pinned_and_fit_their_java() -> None:
    assert oldest_java(VERSION) == 21
    assert oldest_java(VERSION_FOR_OLD_JAVA) == 17
    assert {VERSION, VERSION_FOR_OLD_JAVA} <= SHA256.keys()
