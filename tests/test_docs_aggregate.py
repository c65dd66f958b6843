"""The page on groups: each example does what stands below it, and the picture shows it."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
import yaml

from flows.spec import Pipeline, load, warnings
from tests.documents import PAGE, Block, blocks, table
from tests.examples import Example, examples, played, shown, values
from tests.picture import drawn
from tests.test_docs import ENVIRONMENT, WHOLE

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
    """But for the picture, and for parts of a pipeline that change no document."""
    used = {block for example in EXAMPLES for block in example[1:]}
    left = [block for block in BLOCKS if block not in used]
    assert [block.language for block in left] == ["", "yaml"]
    assert "aggregate" not in yaml.safe_load(left[1].text)


def test_the_picture_shows_what_happens() -> None:
    [picture] = [block.text for block in BLOCKS if not block.language]
    rows = [line.partition("  ")[0] for line in picture.splitlines()[2:]]

    assert picture == drawn(rows)


def test_each_kind_is_in_the_table_of_contents() -> None:
    """In the order of the page."""
    titles = [line[3:] for line in PAGE.read_text().splitlines() if line.startswith("## ")]
    linked = [row[0] for row in table(PAGE, "To be seen")]

    anchors = [link.rpartition("#")[2].rstrip(")") for link in linked]
    assert anchors == [title.lower().replace(" ", "-") for title in titles[1 : 1 + len(anchors)]]
