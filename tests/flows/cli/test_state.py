"""`hopper state`, as users call it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from connectors.memory import sink
from connectors.message import StreamOpened
from flows.config.fixed_keys import fixed_keys
from flows.groups.departures import ShardOutput
from flows.groups.kept_shard import KeptShard
from flows.groups.rules import Rules
from flows.spec import load
from flows.state.commit import ShardStore
from flows.state.folder import Owner, StateFolder
from flows.steps.routing import SHARDS
from flows.summaries.functions.function import Function
from flows.summaries.reducers import Tally
from tests.flows.cli.command import hopper, json_of
from tests.flows.kept_shards import alone, commit, sent
from tests.flows.members import FIRST, WITH_KEYS
from tests.waiting import until

SPEC = """\
version: 1
name: orders
source: {memory: {}}
aggregate: {by: order, reduce: {n: count}, window: {time: 12h}}
sink: {memory: {name: %s}}
state: {path: %s}
"""
OPENED_AT = 1764327600.0
"""2025-11-28T11:00:00Z."""


def begun(folder_of_file: Path) -> tuple[Path, StateFolder, KeptShard, ShardStore]:
    """Return a pipeline, the folder of its state, and a shard in it."""
    file = folder_of_file / "orders.yaml"
    file.write_text(SPEC % (folder_of_file.name, folder_of_file / "state"))
    folder = StateFolder(folder_of_file / "state", 1.0)
    folder.open(Owner("orders", ["q"]), SHARDS, fixed_keys(load(file).aggregate))
    shard = KeptShard(
        Rules(**WITH_KEYS, tally=Tally({"n": Function("count")}), hold=False), 1, "t", alone
    )
    store = folder.begin("shard/0", [folder.view()])
    shard.recover(store.recover(), OPENED_AT)
    shard.open_stream(StreamOpened(FIRST, "s"))
    return file, folder, shard, store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A pipeline whose state has a group of three messages, and one that waits for the sink."""
    file, folder, shard, store = begun(tmp_path)
    shard.add([sent(tag, offset=tag) for tag in range(3)], OPENED_AT)
    shard.add([sent(tag, '"b"', offset=tag) for tag in range(3, 8)], OPENED_AT)
    shard.complete('"b"', OPENED_AT)
    store.write(commit(shard, OPENED_AT))
    until(store.take_durable)
    folder.close()
    return file


def test_it_shows_what_is_open(file: Path) -> None:
    called = hopper("state", f"{file}")

    assert called.code == 0
    assert "1 open group of 3 messages, 1 group of 5 messages waiting for the sink" in called.out
    assert "the oldest since 2025-11-28T11:00:00+00:00" in called.out
    assert "q: counted up to offset 7" in called.out
    assert re.search(r"waiting for the sink, [0-9.]+ [KM]iB, the oldest", called.out)
    found = json_of(hopper("state", f"{file}", "--json"), "state")
    assert found["streams"] == {"q": 7}
    [shard] = found["shards"]
    assert (shard["groups"], shard["messages"]) == (1, 3)
    assert (shard["waiting"], shard["waiting_messages"]) == (1, 5)


def test_a_shard_whose_file_is_gone_is_no_shard_of_another_folder(file: Path) -> None:
    lost = file.parent / "state" / "shard-0.sqlite"
    for each in lost.parent.glob(f"{lost.name}*"):
        each.unlink()

    called = hopper("state", f"{file}")

    assert called.code == 1
    assert f"  shard/0: its file {lost} is gone\n" in called.out
    assert "shard/0" not in called.out.partition("not in this folder: ")[2]
    assert json_of(hopper("state", f"{file}", "--json"), "state")["lost"] == ["shard/0"]


def test_it_discards_the_state_only_when_asked_to(file: Path) -> None:
    assert hopper("state", f"{file}", "--discard").code == 2  # there is no terminal to ask
    assert hopper("state", f"{file}", "--discard", "--yes").out.startswith("discarded: ")

    for again in ((), ("--discard", "--yes")):
        called = hopper("state", f"{file}", *again)
        assert called.code == 1
        assert "has no state: no job has begun one here, or it was discarded" in called.err


def test_a_pipeline_without_a_state_has_nothing_to_show(file: Path) -> None:
    file.write_text(file.read_text().partition("state:")[0])

    called = hopper("state", f"{file}")

    assert (called.code, f"{file}: has no state" in called.err) == (2, True)


def test_it_writes_what_is_open_only_when_asked_to(file: Path) -> None:
    """Then the folder has no group, and can be discarded for another spec."""
    assert hopper("state", f"{file}", "--flush").code == 2  # there is no terminal to ask
    assert "two steps" in hopper("state", f"{file}", "--flush", "--discard", "--yes").err

    called = hopper("state", f"{file}", "--flush", "--yes")

    assert called.code == 0, called.err
    assert called.out.startswith("wrote 2 groups, 0 dead letters: ")
    assert "0 open groups of 0 messages, 0 groups of 0 messages waiting for the sink" in called.out
    written = [json.loads(document.source) for document in sink.store(file.parent.name).documents]
    assert {(one["n"], one["completed_by"]) for one in written} == {(3, "stop"), (5, "forced")}
    shown = json_of(hopper("state", f"{file}", "--flush", "--yes", "--json"), "state")
    assert (shown["flushed"], shown["dead_lettered"]) == (0, 0)


def test_it_writes_many_groups_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones are stored before the next ones are complete."""
    file, folder, shard, store = begun(tmp_path)
    shard.add([sent(tag, f"{tag}", offset=tag) for tag in range(5)], OPENED_AT)
    store.write(commit(shard, OPENED_AT + 1))
    until(store.take_durable)
    folder.close()
    stop_some, store_of_sink = KeptShard.stop_some, sink.store(tmp_path.name)
    stored: list[int] = []

    def noted(shard: KeptShard, most: int) -> list[ShardOutput]:
        stored.append(len(store_of_sink.documents))
        return stop_some(shard, most)

    monkeypatch.setattr(KeptShard, "stop_some", noted)
    monkeypatch.setattr("flows.process.flush.AT_ONCE", 2)

    called = hopper("state", f"{file}", "--flush", "--yes")

    assert called.out.startswith("wrote 5 groups, 0 dead letters: "), called.err
    assert stored == [0, 2, 4]
    written = [json.loads(document.source)["key"] for document in store_of_sink.documents]
    assert sorted(written) == [*range(5)]


def test_a_job_that_runs_keeps_its_groups(file: Path) -> None:
    folder = StateFolder(file.parent / "state", 1.0)
    folder.open(Owner("orders", ["q"]), SHARDS, fixed_keys(load(file).aggregate))

    called = hopper("state", f"{file}", "--flush", "--yes")

    assert (called.code, "another process has this folder" in called.err) == (1, True)
    folder.close()


def test_a_changed_spec_is_refused_before_anything_is_written(file: Path) -> None:
    file.write_text(file.read_text().replace("by: order", "by: user"))

    called = hopper("state", f"{file}", "--flush", "--yes")

    assert called.code == 1
    assert "with the old spec, write what is open (`hopper state --flush`)" in called.err
