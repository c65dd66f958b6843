"""Which queue the commands for dead letters work on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.cli.command import hopper

SPEC = """
version: 1
name: test
source: {rabbitmq: {url: "amqp://127.0.0.1:1/", queue: "orders.{0..1}"}}
aggregate: {window: {count: 10, time: 1s}}
sink: {elasticsearch: {url: "http://127.0.0.1:1", index: orders}}
dead_letter: {rabbitmq: {routing_key: orders.parked}}
"""


@pytest.mark.parametrize("command", ["list", "show", "replay", "discard --yes"])
def test_a_queue_that_the_job_consumes_has_no_dead_letters(command: str, tmp_path: Path) -> None:
    """Otherwise `--queue orders`, meant as a filter, would discard messages that wait there."""
    (tmp_path / "pipeline.yaml").write_text(SPEC)

    result = hopper("dead-letters", *command.split(), "--queue", "orders.1", folder=tmp_path)

    assert (result.code, result.out) == (2, "")
    words = " ".join(result.err.split())
    assert "the job consumes the queue orders.1, so its messages are no dead letters" in words
