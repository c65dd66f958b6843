"""A state allows what the broker alone does not; its refusals are in `broken_specs.yaml`."""

from __future__ import annotations

from pathlib import Path

from flows.spec import Pipeline, load, warnings

SPEC = """
version: 1
name: a
source: {{rabbitmq: {{url: amqp://h, queue: q{source}}}}}
aggregate: {{by: order, reduce: {{n: count}}, window: {window}{aggregate}}}
sink: {{elasticsearch: {{url: http://h, index: i}}}}
dead_letter: {{rabbitmq: {{routing_key: parked}}}}
{state}
"""
STATE = "state: {path: /s}"


def loaded(
    folder: Path, window: str = "{time: 12h}", source: str = "", aggregate: str = ""
) -> Pipeline:
    path = folder / "pipeline.yaml"
    path.write_text(SPEC.format(window=window, source=source, aggregate=aggregate, state=STATE))
    return load(path, {})


def test_windows_may_be_longer_than_the_consumer_timeout(tmp_path: Path) -> None:
    for window in (
        "{time: 12h}",
        "{idle: 1d, time: 7d}",
        "{tumbling: {every: 1d, event_time: at, lateness: 1h}}",
        "{size: lines}",
        "{count: 1000000}",
    ):
        assert warnings(loaded(tmp_path, window)) == [], window


def test_what_a_shard_remembers_may_be_kept(tmp_path: Path) -> None:
    for aggregate in (
        ", distinct: {by: id, for: 1h}",
        ", remember: 10",
    ):
        assert warnings(loaded(tmp_path, aggregate=aggregate)) == [], aggregate


def test_groups_may_keep_their_messages(tmp_path: Path) -> None:
    """So they may be parked, or sorted."""
    for more in ("order: n", "incomplete: park", "on_stop: park"):
        spec = loaded(tmp_path, "{size: lines, time: 12h}", aggregate=f", {more}")
        assert warnings(spec) == [], more
        assert spec.aggregate.keeps_members
    assert not loaded(tmp_path).aggregate.keeps_members


def test_windows_may_be_written_early_and_amended(tmp_path: Path) -> None:
    assert warnings(loaded(tmp_path, "{tumbling: {every: 1h, emit_every: 1m}}")) == []
    tumbling = "{tumbling: {every: 1h, event_time: at}}"
    assert warnings(loaded(tmp_path, tumbling, aggregate=", late: amend")) == []


def test_a_stop_keeps_open_groups_if_nothing_else_is_said(tmp_path: Path) -> None:
    assert loaded(tmp_path).aggregate.on_stop == "keep"
    assert loaded(tmp_path, aggregate=", on_stop: write").aggregate.on_stop == "write"


def test_a_prefetch_limits_what_is_acknowledged_in_a_commit(tmp_path: Path) -> None:
    assert warnings(loaded(tmp_path, source=", prefetch: 100")) == [
        "source.rabbitmq.prefetch: is an upper limit: a consumer acknowledges at most 100 messages "
        "in each state.commit (1s); omit it, so that it grows"
    ]
