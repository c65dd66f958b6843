"""Keys decide which messages belong together."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.message import Properties
from flows.messages.keys import Keys, canonical, shard_of
from flows.values.group import ABSENT
from flows.values.paths import parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def key(document: dict[str, Any], *by: str, default: Any = ABSENT) -> Any:
    paths = [parse(path) for path in by]
    keys = Keys(paths[0] if len(paths) == 1 else paths, default)
    return keys.key(document, Properties(headers={"x": "h"}), "tasks")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (100, 1e2),
        (0, -0.0),
        (2**63, float(2**63)),
        (10**22, 1e22),
        ({"a": 1, "b": [2.0]}, {"b": [2], "a": 1.0}),
        ([1, {"x": None}], [1.0, {"x": None}]),
        ("a", "\u0061"),
    ],
)
def test_equal_values_are_one_key(one: object, other: object) -> None:
    assert key({"k": one}, "k") == key({"k": other}, "k")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (1, True),
        (0, False),
        ("true", True),
        ("null", None),
        ("", None),
        (2**53, 2**53 + 1),
        (10**30, 10**30 + 1),
        (1.5, 1),
        ("a", "A"),
        ("a", "a "),
        ("ä", "a\u0308"),
        ([1, 2], [2, 1]),
        (["1"], [1]),
        ([], {}),
        ([], ""),
        ({"a": 1}, {"a": True}),
        ({"a": None}, {}),
        ([[1], 2], [1, [2]]),
        ('["a"]', ["a"]),
        ('a"', "a"),
    ],
)
def test_different_values_are_two_keys(one: object, other: object) -> None:
    assert key({"k": one}, "k") != key({"k": other}, "k")


def test_an_empty_text_is_a_key() -> None:
    assert key({"k": ""}, "k") == '""'


@pytest.mark.parametrize("document", [{}, {"k": None}, {"k": float("nan")}, {"k": float("inf")}])
def test_null_absent_values_and_nan_are_missing_keys(document: dict[str, Any]) -> None:
    assert key(document, "k") is ABSENT
    assert key(document, "k", default="none") == '"none"'


def test_nan_inside_a_key_is_null_as_in_json() -> None:
    assert key({"k": [float("nan"), 1]}, "k") == key({"k": [None, 1]}, "k")


def test_a_list_with_one_missing_part_is_missing() -> None:
    assert key({"a": 1}, "a", "b") is ABSENT
    assert key({"a": 1, "b": None}, "a", "b") is ABSENT
    assert key({"a": 1, "b": 2}, "a", "b") == "[1,2]"


def test_the_default_fills_the_part() -> None:
    assert key({"a": 1}, "a", "b", default="none") == '[1,"none"]'


def test_the_default_is_the_same_key_as_this_text_in_a_message() -> None:
    assert key({}, "k", default="none") == key({"k": "none"}, "k", default="none")


def test_parts_of_a_key_never_run_together() -> None:
    assert key({"a": "x", "b": "y,z"}, "a", "b") != key({"a": "x,y", "b": "z"}, "a", "b")
    assert key({"a": 'x","y', "b": "z"}, "a", "b") != key({"a": "x", "b": 'y","z'}, "a", "b")
    assert key({"a": "", "b": "x"}, "a", "b") != key({"a": "x", "b": ""}, "a", "b")


def test_a_key_may_come_from_any_part_of_the_message() -> None:
    assert key({"a": 1}, "a", "header.x", "queue") == '[1,"h","tasks"]'


def test_an_envelope_that_no_path_names_is_no_key() -> None:
    assert key({}, "property.message_id") is ABSENT


def test_a_value_that_is_nested_too_deeply_is_missing() -> None:
    """It must not end the job."""
    deep: Any = 1
    for _ in range(20_000):
        deep = [deep]

    assert key({"k": deep}, "k") is ABSENT


@given(JSON)
def test_a_key_is_json_of_its_value(value: Any) -> None:
    text = canonical(value)

    if text is ABSENT:
        assert value is None or value in (float("inf"), -float("inf"))
    else:
        assert canonical(msgspec.json.decode(text)) == text


@given(JSON, JSON)
def test_two_values_are_one_key_if_they_are_equal_and_of_one_type(one: Any, other: Any) -> None:
    def typed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: typed(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [typed(inner) for inner in value]
        if value in (float("inf"), -float("inf")):
            return None
        return (isinstance(value, bool), value)

    same = canonical(one) == canonical(other)
    if ABSENT not in (canonical(one), canonical(other)):
        assert same == (typed(one) == typed(other))


@given(st.text(), st.integers(1, 4096))
def test_every_key_has_one_of_the_shards(text: str, shards: int) -> None:
    assert 0 <= shard_of(text, shards) < shards


def test_every_process_finds_the_same_shard() -> None:
    """Python's own hash of a text differs between processes."""
    code = "from flows.messages.keys import shard_of; print(shard_of('\"order-1\"', 64))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert int(run.stdout) == shard_of('"order-1"', 64) == 29


def test_half_a_character_has_a_shard_too() -> None:
    assert shard_of('"\ud800"', 64) in range(64)


def test_keys_are_spread_evenly() -> None:
    counts = Counter(shard_of(f'"order-{number}"', 16) for number in range(16_000))

    assert len(counts) == 16
    assert 850 < min(counts.values()) <= max(counts.values()) < 1150
