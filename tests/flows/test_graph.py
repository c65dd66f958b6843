"""What the picture of a pipeline shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.graph import as_mermaid, as_text, graph
from flows.spec import Pipeline
from tests.documents import WHOLE
from tests.flows.cli.command import TOP, hopper, json_of

KEYED = """
version: 1
name: orders
source:
  rabbitmq: {url: "amqp://guest:s3cret@localhost", queue: orders, consumers: 2, prefetch: 100}
aggregate:
  by: [order.id, tenant]
  missing_key: {default: none}
  window:
    last: message.type == "end|<b>"
    time: 10m
    size: n
  incomplete: park
  late: drop
  remember: 1000
  reduce: {total: {sum: amount}, lines: {list: line}}
sink:
  elasticsearch: {url: "http://localhost:9200", index: sums, pipeline: clean}
dead_letter:
  rabbitmq: {exchange: failed, routing_key: orders}
"""


def spec(text: str, **options: Any) -> Pipeline:
    return Pipeline.model_validate({**yaml.safe_load(text), **options})


def test_a_picture_shows_the_zone_of_windows() -> None:
    window = {"tumbling": {"every": "12h", "zone": "Europe/Berlin"}}
    options = {"aggregate": {"window": window}, "source": {"memory": {}}, "dead_letter": None}

    assert graph(spec(KEYED, **options)).completed_by[0].text == (
        "the end of each 12h in Europe/Berlin by time of arrival"
    )


@pytest.mark.parametrize("by", ["id", ["id", "no"]])
def test_a_picture_shows_distinct_values(by: Any) -> None:
    distinct = {"by": by, "for": "1h"}
    rules = {"distinct": distinct, "window": {"time": "1s"}}
    options = {"aggregate": rules, "source": {"memory": {}}, "dead_letter": None}

    lines = graph(spec(KEYED, **options)).correlate

    paths = "id" if by == "id" else "id, no"
    assert lines[-1] == f"sent once: messages with the same {paths}, for 1h"


def test_a_picture_shows_early_summaries() -> None:
    window = {"tumbling": {"every": "1h", "emit_every": "1m"}}
    rules = {"by": "k", "window": window, "reduce": {"n": "count"}}
    options = {"aggregate": rules, "source": {"memory": {}}, "dead_letter": None}

    assert "early: its summary, each 1m" in graph(spec(KEYED, **options)).becomes


def test_a_picture_shows_what_completes_groups_and_where_messages_end() -> None:
    drawn = graph(spec(KEYED))

    assert [(rule.name, rule.text) for rule in drawn.completed_by] == [
        ("last", 'a message with message.type == "end|<b>", which is in the group'),
        ("size", "as many messages as n says"),
        ("time", "10m after its first message"),
        ("max_groups", "more than 1000000 open groups: the oldest"),
    ]
    assert drawn.correlate == ["key: order.id, tenant", "without a key: the key none"]
    assert drawn.becomes == [
        "complete: one document of total, lines",
        "incomplete: park",
        "open at a stop: requeue",
        "late: drop",
    ]
    assert drawn.sink[0] == "index sums at http://localhost:9200"
    assert drawn.dead_letter == ["exchange failed, routing key orders"]
    assert drawn.rejected == [
        "correlate: bodies that cannot be read",
        "aggregate: groups that are not complete",
        "write: documents that are refused",
    ]


def test_windows_by_time_are_shown() -> None:
    tumbling = {"tumbling": {"every": "1m", "event_time": "at", "lateness": "5s"}}
    drawn = graph(spec(KEYED, aggregate={"window": tumbling}))

    assert [rule.text for rule in drawn.completed_by] == [
        "the end of each 1m by time at at, and 5s later"
    ]
    assert drawn.becomes[-1] == "late: park"
    assert drawn.rejected[1] == "aggregate: late messages"


def test_the_end_of_rejected_messages_without_a_dead_letter_is_shown() -> None:
    drawn = graph(spec(KEYED, dead_letter=None))

    assert drawn.dead_letter[0].startswith("rejected messages are lost, unless ")


def test_no_drawing_shows_a_password() -> None:
    picture = graph(spec(KEYED))

    for drawn in (as_text(picture), as_mermaid(picture)):
        assert "amqp://guest:***@localhost" in drawn
        assert "s3cret" not in drawn


def test_the_text_has_the_steps_in_their_order() -> None:
    steps = ["source", "correlate", "aggregate", "write", "acknowledge", "rejected"]

    lines = [line.split()[0] for line in as_text(graph(spec(KEYED))).splitlines() if line.strip()]

    assert [word for word in lines if word in steps] == steps


def test_text_has_no_meaning_in_mermaid() -> None:
    lines = as_mermaid(graph(spec(KEYED))).splitlines()

    assert lines[0] == "flowchart TD"
    escaped = "".join(f"#{ord(c)};" if c in '"|<>' else c for c in '"end|<b>"')
    assert f"message.type == {escaped}" in "\n".join(lines)
    for line in lines[1:]:
        outside = "".join(line.split('"')[::2])  # without quotes around it
        assert outside.count("[") == outside.count("]"), line
        assert line.count('"') in (0, 2), line


def test_the_command_draws_a_file(tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(WHOLE.text)

    text = hopper("graph", "orders.yaml", folder=tmp_path)
    assert (text.code, text.err) == (0, "")
    assert text.out.startswith("orders\n\n  source ")
    mermaid = hopper("graph", "orders.yaml", "--format", "mermaid", folder=tmp_path)
    assert mermaid.out.startswith("flowchart TD\n")
    drawn = json_of(hopper("graph", "orders.yaml", "--json", folder=tmp_path), "graph")
    assert drawn["name"] == "orders"


def test_a_wrong_file_is_not_drawn(tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text("version: 2\n")

    drawn = hopper("graph", "orders.yaml", folder=tmp_path)

    assert (drawn.code, drawn.out) == (2, "")
    assert "error: orders.yaml:1:10: version: must be 1" in drawn.err
    assert hopper("graph", str(TOP)).code == 2
    assert "'dot' is not one of 'text', 'mermaid'" in hopper("graph", "--format", "dot").err
