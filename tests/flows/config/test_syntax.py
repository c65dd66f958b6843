"""A mistake in the syntax of a file is explained at its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.config.yaml import read

SPACE = "a space is missing after the colon: write {}: and then the value"
VALUE = "is indented further than line {}, which has a value already: align it with the key"
FITS = "is indented by {} spaces, and the lines above by {}"
ANOTHER = "the {0} that opens here needs another {0}"
NEEDS = "the {} that opens here needs its {}"


@pytest.mark.parametrize(
    ("text", "place", "explanation"),
    [
        ("a:\n  url: x\n    queue: q\n  b: 1\n", (3, 5), VALUE.format(2)),
        ("version: 1\n name: a\n", (2, 2), VALUE.format(1)),
        ("bind:\n  - exchange: a\n      routing_key: b\n", (3, 7), VALUE.format(2)),
        ("a:\n  b:\n    url: x\n   queue: q\nc: 1\n", (4, 4), FITS.format(3, "0 or 2 or 4")),
        (
            "a:\n    b:\n        c: x\n      # why\n      d: q\n",
            (5, 7),
            FITS.format(6, "0 or 4 or 8"),
        ),
        ("  version: 1\nname: a\n", (2, 1), FITS.format(0, "2")),
        ("by:\n  - a\n  b: 1\n", (3, 3), "there is a key among the items of a list"),
        ("by: - a\n", (1, 5), "a list begins on the next line, or is written [a, b]"),
        ("a: 1\nsource:\n\tmemory: {}\n", (3, 1), "a tab does not indent: write spaces"),
        ("a:\n  \tmemory: {}\n", (2, 3), "a tab does not indent: write spaces"),
        ("version:\t1\n", (1, 9), "write a space in place of the tab"),
        ("a:\n\u00a0 b: 1\n", (2, 1), "indent by spaces only"),
        ("version: 1\nname:a\nsource: 1\n", (2, 6), SPACE.format("name")),
        ("a:\n  url: x\n  queue:q\n  b: 1\n", (3, 9), SPACE.format("queue")),
        ("a:\n  url:x\n\n  # why\n  queue: q\n", (2, 7), SPACE.format("url")),
        ("a: 1\nname:x\n", (2, 6), SPACE.format("name")),
        ("a: 1\r\nname:x\r\nb: 1\r\n", (2, 6), SPACE.format("name")),
        ("version: 1\nname\nsource: 1\n", (2, 1), "a key needs a colon and a value"),
        ("a: 1\nwindow: {count: 1\nsink: {memory: {}}\n", (2, 9), NEEDS.format("{", "}")),
        ("window: {count: 1\n", (1, 9), NEEDS.format("{", "}")),
        ("a: 1\nby: [a, b\nsink: {x: []}\n", (2, 5), NEEDS.format("[", "]")),
        ("s: {memory: {name: a}\nsink: {memory: {}}\nx: y\n", (1, 4), NEEDS.format("{", "}")),
        ("a: 1\nw: {count: 1}}\nsink: 1\n", (2, 14), "no { is open that this } could close"),
        ("by: [a]]\n", (1, 8), "no [ is open that this ] could close"),
        ('a: 1\nname: "a\nsource: 1\n', (2, 7), ANOTHER.format('"')),
        ("a: 1\nname: 'a\nsource: 1\n", (2, 7), ANOTHER.format("'")),
        ('a: 1\nname: "a\nsource: "b"\nx: 1\n', (2, 7), ANOTHER.format('"')),
        ("a: 1\nlast: 'a == 1\nsource: 'b'\nx: 1\n", (2, 7), ANOTHER.format("'")),
        ('a: "\\d"\n', (1, 6), "in double quotes a \\ begins an escape"),
        ("last: | x\n  y\n", (1, 9), "after | or > the text begins on the next line"),
        ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\n", (2, 1), "the mark of a merge conflict"),
        ("a: b: c\n", (1, 5), "quote the whole value, if it is text"),
        ("a: {b: ${X}}\n", (1, 9), "quote ${…}"),
    ],
)
def test_a_mistake_is_reported_at_its_place(
    text: str, place: tuple[int, int], explanation: str
) -> None:
    [problem] = read(text, {}).problems

    assert problem.place == place
    assert problem.text.startswith("not YAML: ")
    assert explanation in problem.text


def test_a_value_with_braces_needs_quotes() -> None:
    [problem] = read("index: {{ x }}\n", {}).problems

    assert problem.text == "a key must be text; quote a value that begins with {"


@given(
    st.lists(
        st.sampled_from(["a: ", "b", "- ", "{", "}", "[", "]", '"', "'", "\n", "\n  ", ": ", "\t"])
    )
)
def test_every_text_is_read_or_refused_with_a_place(pieces: list[str]) -> None:
    text = "".join(pieces)
    lines = text.split("\n")
    for problem in read(text, {}).problems:
        assert 1 <= problem.place.line <= len(lines)
        assert problem.place.column >= 1
