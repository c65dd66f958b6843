"""`hopper state`, as users call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config.decides import decides
from flows.spec import load
from flows.state.commit import Changes, Commit, Table
from flows.state.folder import StateFolder
from flows.state.rows import encoded
from tests.flows.cli.command import hopper, json_of
from tests.waiting import until

SPEC = """\
version: 1
name: orders
source: {memory: {}}
aggregate: {by: order, reduce: {n: count}, window: {time: 12h}}
sink: {memory: {}}
state: {path: %s}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A pipeline whose state has a group of three messages, and one that waits for the sink."""
    file = tmp_path / "orders.yaml"
    file.write_text(SPEC % (tmp_path / "state"))
    folder = StateFolder(tmp_path / "state", 1.0)
    folder.open("orders", ("shard/0",), decides(load(file).aggregate))
    row = encoded((('"a"', None, 1764327600.0, 0.0), (3, 0, None, False), [3], None))
    store = folder.begin("shard/0", [folder.view()])
    store.recover()
    store.write(
        Commit(1, b"", {Table.GROUPS: Changes([(1, row)]), Table.LEFT: Changes([(1, b"")])})
    )
    until(store.take_durable)
    folder.close()
    return file


def test_it_shows_what_is_open(file: Path) -> None:
    called = hopper("state", f"{file}")

    assert called.code == 0
    assert "1 open group of 3 messages, 1 wait for the sink" in called.out
    assert "the oldest since 2025-11-28T11:00:00+00:00" in called.out
    [shard] = json_of(hopper("state", f"{file}", "--json"), "state")["shards"]
    assert (shard["groups"], shard["messages"], shard["waiting"]) == (1, 3, 1)


def test_it_discards_the_state_only_when_asked_to(file: Path) -> None:
    assert hopper("state", f"{file}", "--discard").code == 2  # there is no terminal to ask
    assert hopper("state", f"{file}", "--discard", "--yes").out.startswith("discarded: ")

    called = hopper("state", f"{file}")
    assert called.code == 1
    assert "has no state: no job with this folder has run" in called.err


def test_a_pipeline_without_a_state_has_nothing_to_show(file: Path) -> None:
    file.write_text(file.read_text().partition("state:")[0])

    called = hopper("state", f"{file}")

    assert (called.code, f"{file}: has no state" in called.err) == (2, True)
