"""The page on groups: each example does what stands below it, and the picture shows it."""

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
"""What the page calls a module of the reader's own."""
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
def test_an_example_does_what_is_told(example: Example, tmp_path: Path) -> None:
    """Exactly that, when it is told, and nothing is left over; `_id`s only where they are shown."""
    write_module(example, tmp_path)
    expected = values(example.goes_out)

    play = played(in_memory(example), values(example.comes_in), expected[-1]["at"])

    told = [shown(event, like) for event, like in zip(play.told, expected, strict=False)]
    assert told == [shown(event, event) for event in expected]
    assert len(play.told) == len(expected)
    assert play.queue.unacknowledged == 0


def restarts() -> Iterator[tuple[Example, int]]:
    """Each example, and each place among what comes in before anything comes out."""
    for example in EXAMPLES:
        comes_in, out = values(example.comes_in), values(example.goes_out)[0]["at"]
        for at in range(1, len(comes_in)):
            if comes_in[at]["at"] < out and comes_in[at - 1]["at"] < comes_in[at]["at"]:
                yield example, at


@pytest.mark.parametrize(("example", "at"), [*restarts()], ids=str)
def test_an_example_comes_to_the_same_through_a_restart(
    example: Example, at: int, tmp_path: Path
) -> None:
    """SIGTERM in the middle and a new process: the same documents, and the same is parked.

    Only the clock tells that there was another process: `time` and `idle` run anew.
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
    """What came out of it, in some order, but for the times of arrival.

    A fingerprint tells who had a message in hand before: it is left out too.
    """
    told = []
    for event in play.told:
        source = event.get("_source", {})
        left_out = ["fingerprint", *(() if by_event_time else ("window_start", "window_end"))]
        document = {name: value for name, value in source.items() if name not in left_out}
        rest = {name: value for name, value in event.items() if name not in ("at", "_source")}
        if isinstance(rest.get("parked"), dict):
            rest["parked"] = {n: v for n, v in rest["parked"].items() if n != "fingerprint"}
        told.append(json.dumps([rest, document], sort_keys=True))
    return sorted(told)


def in_memory(example: Example) -> Pipeline:
    """The pipeline of an example, on the memory connector."""
    part = yaml.safe_load(example.spec.text)
    source = part.get("source", {}).get("rabbitmq", {})
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
def test_a_pipeline_is_right_and_nothing_is_to_be_said_of_it(block: Block, tmp_path: Path) -> None:
    """On RabbitMQ and Elasticsearch too, in the pipeline of the README."""
    for example in EXAMPLES:
        if example.spec == block:
            write_module(example, tmp_path)
    whole, part = yaml.safe_load(WHOLE.text), yaml.safe_load(block.text)
    for connector, keys in part.get("source", {}).items():
        whole["source"][connector] |= keys
    if "reduce" in part.get("aggregate", {}):
        # Documents of the README's orders have an id and a date of their own; summaries have not.
        whole["sink"]["elasticsearch"] |= {"id": "auto", "index": "summaries"}
    text = ""
    if "aggregate" in part:
        del whole["aggregate"]
        text = block.text[block.text.index("aggregate:") :]  # as it is written
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(whole) + text)

    assert warnings(load(path, ENVIRONMENT)) == []


def test_each_block_belongs_to_an_example() -> None:
    """But for the picture, a query, and parts of a pipeline that change no document."""
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
