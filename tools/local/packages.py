"""Installs packages of Debian and Ubuntu, if we are root."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.local.commands import run
from tools.local.folders import CannotStart, locked, root_folder

log = logging.getLogger(__name__)

POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian's policy program: packages ask it whether they may start their services."""


def install(package: str) -> None:
    """Install a package, but start none of its services.

    Raises:
        CannotStart: we are not root, there is no apt, or it fails.
    """
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotStart(f"{package} is not installed; as root: apt-get install {package}")
    log.info("installing the package %s", package)
    with locked(root_folder() / "packages.lock"), _services_left_alone():
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", package)


def offered(pattern: str) -> list[str]:
    """Names of the packages that match, whether installed or not; empty without apt."""
    if shutil.which("apt-cache") is None:
        return []
    command = ["apt-cache", "search", "--names-only", pattern]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return re.findall(r"^\S+", found, re.MULTILINE)


@contextmanager
def _services_left_alone() -> Iterator[None]:
    """Without this, the package of a server would start it, open to the whole network."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")  # 101: forbidden, by Debian's policy
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _apt_get(*arguments: str) -> None:
    # Wait two minutes for another running installation, usually one of the system.
    options = ["--quiet", "-o", "DPkg::Lock::Timeout=120"]
    run(["apt-get", *options, *arguments], {"DEBIAN_FRONTEND": "noninteractive"})
