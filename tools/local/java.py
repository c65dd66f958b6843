"""Finds a Java that a version of Elasticsearch can run on, or installs one if it may."""

from __future__ import annotations

import logging
import os
import re
import shutil
from pathlib import Path

from tools.local import packages
from tools.local.folders import CannotStart

log = logging.getLogger(__name__)


def oldest_java(version: str) -> int:
    """The oldest Java that a version of Elasticsearch runs on, by Elastic's support matrix."""
    return 17 if version.startswith("8.") else 21


def find_or_install_java(oldest: int) -> Path:
    """The home of a JDK of that version or newer; the oldest of several.

    Raises:
        CannotStart: there is none, and none can be installed.
    """
    return find_java(oldest) or _install_java(oldest)


def find_java(oldest: int) -> Path | None:
    """The home of an installed JDK (with a compiler) of that version or newer."""
    named = [os.environ.get("ES_JAVA_HOME"), os.environ.get("JAVA_HOME")]
    homes = [Path(home) for home in named if home]
    compiler = shutil.which("javac")
    if compiler:
        homes.append(Path(compiler).resolve().parents[1])
    homes += sorted(Path("/usr/lib/jvm").glob("*"), key=java_version)
    return next((home for home in homes if java_version(home) >= oldest and _compiles(home)), None)


def java_version(home: Path) -> int:
    """The major version of the Java in a folder; 0 when there is none."""
    try:
        found = re.search(r'^JAVA_VERSION="(\d+)', (home / "release").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _compiles(home: Path) -> bool:
    return os.access(home / "bin" / "javac", os.X_OK)


def _install_java(oldest: int) -> Path:
    pattern = r"^openjdk-([0-9]+)-jdk-headless$"
    versions = sorted(int(re.sub(r"\D", "", name)) for name in packages.offered(pattern))
    fitting = [version for version in versions if version >= oldest]
    if not fitting:
        raise CannotStart(f"there is no JDK {oldest} or newer: install one, or set ES_JAVA_HOME")
    packages.install(f"openjdk-{fitting[0]}-jdk-headless")
    home = find_java(oldest)
    if home is None:
        raise CannotStart(f"openjdk-{fitting[0]}-jdk-headless was installed, but is not found")
    return home
