"""A missing package is installed, or named."""

from __future__ import annotations

import os

import pytest

from tools.local import packages
from tools.local.folders import CannotStart


def test_without_root_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(CannotStart, match="apt-get install rabbitmq-server"):
        packages.install("rabbitmq-server")
