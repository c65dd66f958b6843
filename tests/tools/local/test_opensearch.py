"""The downloaded jars are pinned; `tests/live/test_opensearch.py` starts them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.local.folders import CannotStart
from tools.local.opensearch import POM, VERSION, fetch


def test_jars_with_another_checksum_are_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text(
        '#!/bin/sh\nfor last; do :; done\nmkdir -p "${last#*=}"\necho evil > "${last#*=}/a.jar"\n'
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:/usr/bin:/bin")
    monkeypatch.setenv("HOPPER_LOCAL", str(tmp_path / "local"))

    with pytest.raises(CannotStart, match=r"the jars of OpenSearch .* have the sha256 "):
        fetch()

    assert [path.name for path in (tmp_path / "local").iterdir()] == ["opensearch.lock"]


def test_maven_fetches_the_version_that_is_started() -> None:
    assert re.findall("<version>([0-9].*)</version>", POM.read_text())[0] == VERSION
