"""The page on groups: each example has the shown output, and the picture is correct."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from flows.spec import Pipeline, load, warnings
from tests.documents import ENVIRONMENT, PAGE, WHOLE, Block, blocks, table
from tests.examples import Example, Play, examples, played, shown, values
from tests.picture import drawn

BLOCKS = blocks(path=PAGE)
EXAMPLES = list(examples(BLOCKS))
MODULE = "my_rules"
"""The name of the reader's own module in the page."""
_names = itertools.count()


@pytest.fixture(autouse=True)
def in_a_folder_of_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    return tmp_path


def write_module(example: Example, folder: Path) -> None:
    if example.module is not None:
        (folder / f"{MODULE}.py").write_text(example.module.text)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_has_the_shown_output(example: Example, tmp_path: Path) -> None:
    """Exactly this output, at these times; `_id`s only where they are shown."""
    write_module(example, tmp_path)
    expected = values(example.goes_out)

    play = played(in_memory(example), values(example.comes_in), expected[-1]["at"])

    found = [shown(event, like) for event, like in zip(play.outcomes, expected, strict=False)]
    assert found == [shown(event, event) for event in expected]
    assert len(play.outcomes) == len(expected)
    assert play.queue.unacknowledged == 0


def restarts() -> Iterator[tuple[Example, int]]:
    """Each example, and each place in its input before the first output."""
    for example in EXAMPLES:
        comes_in, out = values(example.comes_in), values(example.goes_out)[0]["at"]
        for at in range(1, len(comes_in)):
            if comes_in[at]["at"] < out and comes_in[at - 1]["at"] < comes_in[at]["at"]:
                yield example, at


@pytest.mark.parametrize(("example", "at"), [*restarts()], ids=str)
def test_an_example_has_the_same_output_with_a_restart(
    example: Example, at: int, tmp_path: Path
) -> None:
    """SIGTERM in the middle, and a new process: the same documents and parked messages.

    Only the clock shows that there was another process: `time` and `idle` start again.
    """
    write_module(example, tmp_path)
    spec, comes_in = in_memory(example), values(example.comes_in)
    stop = {"at": comes_in[at]["at"], "stopped": "SIGTERM"}

    whole = played(in_memory(example), comes_in, "23:00:00")
    through = played(spec, [*comes_in[:at], stop, *comes_in[at:]], "23:00:00")

    by_event_time = "event_time" in example.spec.text
    assert without_clock(through, by_event_time) == without_clock(whole, by_event_time)
    assert through.queue.unacknowledged == 0


def without_clock(play: Play, by_event_time: bool) -> list[str]:
    """The output in a fixed order, without the times of arrival.

    A fingerprint lists redelivered messages, so it is left out too.
    """
    found = []
    for event in play.outcomes:
        source = event.get("_source", {})
        left_out = ["fingerprint", *(() if by_event_time else ("window_start", "window_end"))]
        document = {name: value for name, value in source.items() if name not in left_out}
        rest = {name: value for name, value in event.items() if name not in ("at", "_source")}
        if isinstance(rest.get("parked"), dict):
            rest["parked"] = {n: v for n, v in rest["parked"].items() if n != "fingerprint"}
        found.append(json.dumps([rest, document], sort_keys=True))
    return sorted(found)


def in_memory(example: Example) -> Pipeline:
    """The pipeline of an example, on the memory connector."""
    part = yaml.safe_load(example.spec.text)
    source = dict(part.get("source", {}).get("rabbitmq", {}))
    source.pop("consumer_timeout", None)  # nothing in memory takes messages back
    name = f"example-{next(_names)}"
    return Pipeline.model_validate(
        {
            "version": 1,
            "name": name,
            "source": {"memory": {"name": name, **source}},
            "aggregate": part["aggregate"],
            "sink": {"memory": {"name": name}},
        }
    )


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "yaml"], ids=str)
def test_a_pipeline_is_valid_without_warnings(block: Block, tmp_path: Path) -> None:
    """On RabbitMQ and Elasticsearch too, in the pipeline of the README."""
    for example in EXAMPLES:
        if example.spec == block:
            write_module(example, tmp_path)
    whole, part = yaml.safe_load(WHOLE.text), yaml.safe_load(block.text)
    for connector, keys in part.get("source", {}).items():
        whole["source"][connector] |= keys
    if "reduce" in part.get("aggregate", {}):
        # The README's orders have an id and a date; summaries have none.
        whole["sink"]["elasticsearch"] |= {"id": "auto", "index": "summaries"}
    text = ""
    if "aggregate" in part:
        del whole["aggregate"]
        text = block.text[block.text.index("aggregate:") :]  # as written
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(whole) + text)

    assert warnings(load(path, ENVIRONMENT)) == []


def test_each_block_belongs_to_an_example() -> None:
    """Except the picture, a query, and parts of a pipeline that change no document."""
    used = {block for example in EXAMPLES for block in example[1:]}
    left = [block for block in BLOCKS if block not in used]
    assert [block.language for block in left] == ["", "json", "yaml"]
    assert "aggregate" not in yaml.safe_load(left[2].text)


def test_the_picture_shows_what_happens() -> None:
    [picture] = [block.text for block in BLOCKS if not block.language]
    rows = [line.partition("  ")[0] for line in picture.splitlines()[2:]]

    assert picture == drawn(rows)


def test_each_kind_is_in_the_table_of_contents() -> None:
    """In the order of the page."""
    titles = [line[3:] for line in PAGE.read_text().splitlines() if line.startswith("## ")]
    linked = [row[0] for row in table(PAGE, "Example")]

    anchors = [link.rpartition("#")[2].rstrip(")") for link in linked]
    assert anchors == [title.lower().replace(" ", "-") for title in titles[1 : 1 + len(anchors)]]
