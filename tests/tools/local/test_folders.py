"""The files of local servers are in folders that the servers' accounts can read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.local.folders import CannotStart, root_folder, take_lock


@pytest.mark.parametrize(
    ("user", "environment", "folder"),
    [
        (0, {}, "/var/cache/hopper"),
        (1000, {"HOME": "/home/ann"}, "/home/ann/.cache/hopper"),
        (1000, {"HOME": "/home/ann", "XDG_CACHE_HOME": "/fast"}, "/fast/hopper"),
        (0, {"HOPPER_LOCAL": "/elsewhere"}, "/elsewhere"),
    ],
)
def test_files_are_where_the_servers_account_can_read_them(
    user: int, environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)

    assert str(root_folder()) == folder


def test_a_folder_that_cannot_be_made_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPPER_LOCAL", "/proc/hopper")

    with pytest.raises(CannotStart, match="set HOPPER_LOCAL"):
        root_folder()


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    held = take_lock(tmp_path / "lock", wait=False)
    with pytest.raises(BlockingIOError):
        take_lock(tmp_path / "lock", wait=False)

    os.close(held)

    os.close(take_lock(tmp_path / "lock", wait=False))
