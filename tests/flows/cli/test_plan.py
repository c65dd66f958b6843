"""`hopper plan`, as users call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.cli.command import hopper, json_of

SPEC = """\
version: 1
name: orders
source: {rabbitmq: {url: "${BROKER}", queue: orders}}
aggregate:
  by: order.id
  window: {time: 5m}
sink: {elasticsearch: {url: http://h, index: orders}}
dead_letter: {rabbitmq: {routing_key: parked}}
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.yaml"
    path.write_text(SPEC)
    return path


def new(old: Path, *replaced: tuple[str, str]) -> Path:
    text = SPEC
    for before, after in replaced:
        assert before in text
        text = text.replace(before, after)
    path = old.with_name("new.yaml")
    path.write_text(text)
    return path


def test_the_same_file_changes_nothing(old: Path) -> None:
    result = hopper("plan", str(old), str(new(old)))

    assert (result.code, result.out, result.err) == (0, "nothing changes\n", "")


def test_a_restart_is_enough_for_a_prefetch(old: Path) -> None:
    result = hopper(
        "plan", str(old), str(new(old, ("queue: orders", "queue: orders, prefetch: 9")))
    )

    assert result.code == 0
    assert 'source.rabbitmq.prefetch: "auto" -> 9\n  restart: ' in result.out
    assert "1 key differs: a restart is enough\n" in result.out


def test_each_key_has_its_place_and_its_effect(old: Path) -> None:
    path = new(old, ("5m", "6m"), ("  by: order.id", "  by: order.id\n  on_stop: write"))

    result = hopper("plan", "old.yaml", path.name, folder=old.parent)

    assert result.code == 5
    assert (
        'new.yaml:7:12: aggregate.window.time: "5m" -> "6m"\n'
        "  groups: open groups are requeued whole, and the new rules complete them\n" in result.out
    )
    assert "new.yaml:6:3: aggregate.on_stop: " in result.out
    assert "2 keys differ: this needs attention\n  1. stop all processes" in result.out


def test_a_file_may_be_standard_input(old: Path) -> None:
    path = new(old, ("routing_key: parked", "routing_key: other"))

    result = json_of(hopper("plan", "--json", "-", str(path), stdin=SPEC), "plan")

    [change] = result["changes"]
    assert change["path"] == "dead_letter.rabbitmq.routing_key"
    assert change["place"] == f"{path}:8:26"
    assert (change["old"], change["new"], change["about"]) == ("parked", "other", "dead letters")
    assert result["needs_attention"] is True
    assert hopper("plan", "-", "-").code == 2


def test_a_key_that_is_removed_is_placed_in_the_old_file(old: Path) -> None:
    path = new(old, ("dead_letter: {rabbitmq: {routing_key: parked}}\n", ""))

    result = json_of(hopper("plan", "--json", str(old), str(path)), "plan")

    assert result["changes"][0]["place"] == f"{old}:8:1"
    assert result["changes"][0]["new"] is None


def test_a_file_that_is_wrong_is_an_error(old: Path) -> None:
    result = hopper("plan", str(old), str(new(old, ("5m", "5"))))

    assert result.code == 2
    assert "aggregate.window.time: write the unit: 5s" in result.err
