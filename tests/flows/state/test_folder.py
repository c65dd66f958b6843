"""The folder of a state is whole, of one job and of one spec; it never begins empty in silence."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import Unavailable
from flows.state.folder import StateFolder
from flows.state.inspect import discard, inspect

SHARDS = ("shard/3", "shard/0")
SPEC: dict[str, Any] = {"aggregate.by": "order.id"}
OTHER: dict[str, Any] = {"aggregate.by": "user"}


def opened(
    path: Path, shards: tuple[str, ...] = SHARDS, spec: dict[str, Any] = SPEC
) -> StateFolder:
    folder = StateFolder(path, 1.0)
    folder.open("orders", shards, spec)
    return folder


def refusal(path: Path, shards: tuple[str, ...] = SHARDS, spec: dict[str, Any] = SPEC) -> str:
    with pytest.raises(Unavailable) as refused:
        opened(path, shards, spec)
    return str(refused.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    opened(tmp_path / "state").close()
    return tmp_path / "state"


def test_a_new_folder_says_that_it_begins_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "hopper.state"):
        folder = opened(tmp_path / "a" / "b")
        token = folder.token
        folder.close()
        assert "the state is new: the job begins without open groups" in caplog.text
        caplog.clear()
        again = opened(tmp_path / "a" / "b")

    assert not caplog.records
    assert again.token == token
    assert again.shard("shard/3") is again.shard("shard/3")
    again.close()


def test_the_second_job_is_refused(path: Path) -> None:
    first = opened(path)
    assert "another process has this folder" in refusal(path)
    with pytest.raises(Unavailable, match="another process has this folder"):
        discard(path)
    first.close()
    opened(path).close()


def test_a_missing_shard_is_never_begun_empty(path: Path) -> None:
    (path / "shard-0.sqlite").unlink()

    assert "shard-0.sqlite is missing: restore the folder" in refusal(path)


def test_damage_is_found_before_the_job_begins(path: Path) -> None:
    file = path / "shard-0.sqlite"
    file.write_bytes(file.read_bytes()[:1500])

    assert "shard-0.sqlite: cannot be used: " in refusal(path)


def test_a_missing_or_damaged_description_is_refused(path: Path) -> None:
    (path / "state.json").write_text("{")
    assert "state.json is damaged: restore the folder" in refusal(path)
    (path / "state.json").unlink()
    assert "state.json is missing, but shard-0.sqlite is there" in refusal(path)


def test_another_spec_is_refused_with_what_has_changed(path: Path) -> None:
    assert 'aggregate.by was "order.id", and is "user"' in refusal(path, spec=OTHER)
    assert "groups had 2 shards, and have 1" in refusal(path, SHARDS[:1])


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert refusal(tmp_path / "file") == f"state: {tmp_path / 'file'}: File exists"


def test_a_log_that_sqlite_removes_meanwhile_is_no_error(path: Path) -> None:
    """As when the job ends at that moment."""
    expected = inspect(path)
    (path / "shard-0.sqlite-old").symlink_to(path / "gone")

    assert inspect(path) == expected


def test_a_discarded_state_begins_anew(path: Path) -> None:
    assert [shard.groups for shard in inspect(path).shards] == [0, 0]
    assert inspect(path).job == "orders"
    assert discard(path).discarded
    with pytest.raises(Unavailable, match="has no state"):
        inspect(path)

    opened(path, spec=OTHER).close()


def test_a_damaged_state_can_be_discarded(path: Path) -> None:
    (path / "shard-0.sqlite").write_bytes(b"no database")

    assert discard(path).shards == []
