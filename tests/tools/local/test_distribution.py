"""The downloaded version is pinned, and the plugin fits it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.local.distribution import PLUGIN, fetch, source_for
from tools.local.folders import CannotStart


def test_a_version_without_a_checksum_is_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"7\.17\.0 is not among 9\.5\.0"):
        fetch("7.17.0", tmp_path)


@pytest.mark.parametrize(("version", "other"), [("9.5.0", 8), ("8.19.21", 9)])
def test_the_plugin_is_compiled_for_one_major_version(version: str, other: int) -> None:
    """Lines for the other version are empty, and all others keep their numbers."""
    source = "\n".join(file.read_text() for file in PLUGIN)
    written = source.splitlines()
    compiled = source_for(version, source).splitlines()

    differing = [line for line, kept in zip(written, compiled, strict=True) if line != kept]
    assert differing
    assert all(line.endswith(f"// only {other}") for line in differing)
    assert not any(line.endswith(f"// only {other}") for line in compiled)
