"""Starts a headless Chromium, which it installs first if it is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from tools.local.folders import CannotStart
from tools.local.packages import install

OPTIONS = (
    "--no-sandbox",  # Chromium refuses root without it
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; skips the test if there can be none, but fails in CI."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_path(), args=OPTIONS)
        yield browser
        browser.close()


def _path() -> str:
    try:
        if shutil.which("chromium") is None:
            install("chromium")
    except CannotStart as error:
        if "CI" in os.environ or "HOPPER_LIVE" in os.environ:
            raise
        pytest.skip(str(error))
    path = shutil.which("chromium")
    assert path
    return path
