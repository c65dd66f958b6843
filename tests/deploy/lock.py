"""Reads a lock file."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.utils import canonicalize_name


def pinned(path: Path) -> dict[str, str]:
    """The version of each package."""
    found = re.findall(r"(?m)^([\w.-]+)==([^ ;\\]+)", path.read_text())
    return {canonicalize_name(name): version for name, version in found}
