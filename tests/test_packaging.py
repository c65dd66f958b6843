"""The lock file fits pyproject.toml, and the version is in one place."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flows.version import VERSION

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [*PROJECT["dependencies"], *EXTRAS["traces"], *EXTRAS["dev"]]
LOCKED = {
    canonicalize_name(name): pinned
    for name, pinned in re.findall(r"(?m)^([\w.-]+)==([^ ;\\]+)", LOCK)
}


@pytest.mark.parametrize("text", REQUIREMENTS)
def test_the_lock_has_each_dependency_within_its_range(text: str) -> None:
    """After a change of pyproject.toml, run make lock."""
    requirement = Requirement(text)
    pinned = LOCKED[canonicalize_name(requirement.name)]

    assert requirement.specifier.contains(pinned, prereleases=True)


def test_only_bytewax_is_pinned_exactly() -> None:
    """So that Hopper can be installed beside other packages."""
    exact = [text for text in REQUIREMENTS if "==" in str(Requirement(text).specifier)]

    assert exact == ["bytewax==0.21.1"]


def test_the_lock_pins_hashes_and_names_no_index() -> None:
    entries = re.split(r"(?m)^(?=[\w.-]+==)", LOCK)[1:]

    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in LOCK
    assert "--index-url" not in LOCK


def test_the_version_is_in_one_place() -> None:
    assert "version" in PROJECT["dynamic"]
    assert version("rabbit-hopper") == VERSION


@pytest.mark.parametrize("package", ["flows", "connectors"])
def test_types_are_exported(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()
