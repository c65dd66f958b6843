"""How YAML is read: types, places, merging and substitution."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.config.substitution import substitute
from flows.config.yaml import Place, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("y", "y"),
        ("'true'", "true"),
        ('"true"', "true"),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("010", 10),
        ("0o10", 8),
        ("0x10", 16),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z"),
        ("=", "="),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("12 monkeys", "12 monkeys"),
        (">\n  folded\n  text", "folded text"),
    ],
)
def test_scalars_have_the_types_of_yaml_1_2(text: str, value: Any) -> None:
    document = read(f"key: {text}", {})

    assert document.problems == []
    assert document.value == {"key": value}
    assert type(document.value["key"]) is type(value)


def test_a_nan_is_not_a_number() -> None:
    assert math.isnan(read(".nan", {}).value)


@pytest.mark.parametrize("key", ["on", "yes", "true", "null", "1", "1.5", "~", "<", "'on'"])
def test_keys_are_texts(key: str) -> None:
    assert read(f"{key}: 1", {}).value == {key.strip("'"): 1}


def test_each_value_and_each_key_has_its_place() -> None:
    document = read("a:\n  - b: 1\n    c:  x\n", {})

    assert document.value == {"a": [{"b": 1, "c": "x"}]}
    assert document.places == {
        (): Place(1, 1),
        ("a",): Place(2, 3),
        ("a", 0): Place(2, 5),
        ("a", 0, "b"): Place(2, 8),
        ("a", 0, "c"): Place(3, 9),
    }
    assert document.keys == {
        ("a",): Place(1, 1),
        ("a", 0, "b"): Place(2, 5),
        ("a", 0, "c"): Place(3, 5),
    }


def test_an_alias_is_the_value_of_its_anchor() -> None:
    assert read("a: &x {b: [1]}\nc: *x", {}).value == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_a_mapping_overrides_what_it_merges() -> None:
    text = """
    one: &one {a: 1, b: 1, c: 1}
    two: &two {<<: *one, b: 2}
    three: {c: 3, <<: [*two, {d: 4, a: 4}]}
    """
    document = read(text, {})

    assert document.problems == []
    assert document.value["two"] == {"a": 1, "b": 2, "c": 1}
    assert document.value["three"] == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert document.places["three", "b"] == document.places["two", "b"]


def test_only_mappings_are_merged() -> None:
    document = read("a: {<<: 1, b: 2}", {})

    assert [problem.text for problem in document.problems] == ["<< needs another mapping"]
    assert document.value == {"a": {"b": 2}}


def test_a_substituted_plain_scalar_gets_the_type_of_its_value() -> None:
    text = 'a: ${N}\nb: "${N}"\nc: ${T}\nd: ${N}${N}\ne: ${E}\nf: ${M:-2.5}'
    document = read(text, {"N": "12", "T": "true", "E": ""})

    assert document.value == {"a": 12, "b": "12", "c": True, "d": 1212, "e": None, "f": 2.5}
    assert document.substituted["a",] == "12"


@given(st.text(alphabet="a{}[]:#&*!|>'\"%@`,? \n\\-"))
def test_a_value_never_becomes_syntax(value: str) -> None:
    """One hundred values made of characters of YAML's syntax."""
    document = read("a: x${V}\nb: 'x${V}'", {"V": value})

    assert document.problems == []
    assert document.value == {"a": f"x{value}", "b": f"x{value}"}


def test_keys_are_not_substituted() -> None:
    assert read('"${V}": 1', {"V": "a"}).value == {"${V}": 1}


def test_all_problems_are_found_and_the_rest_is_read() -> None:
    document = read("a: ${A}\nb: 1\nb: 2\nc: [!x 3, '${C!}', 4]\nd: TRUE", {})

    assert [(problem.place.line, problem.path) for problem in document.problems] == [
        (1, ("a",)),
        (3, ("b",)),
        (4, ("c", 0)),
        (4, ("c", 1)),
        (5, ("d",)),
    ]
    assert document.value == {"a": None, "b": 1, "c": [None, None, 4], "d": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "value"),
        ("a${NAME}b${NAME}", "avaluebvalue"),
        ("${NAME:-default}", "value"),
        ("${UNSET:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY}", ""),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:-b}", "a:-b"),
        ("${UNSET:-amqp://u:p@h/?a=1}", "amqp://u:p@h/?a=1"),
        ("$${NAME}", "${NAME}"),
        ("$$$${NAME}", "$${NAME}"),
        ("$$", "$"),
        ("$NAME costs 5$", "$NAME costs 5$"),
        ("${LOOKS}", "${NAME}"),
    ],
)
def test_substitution(text: str, value: str) -> None:
    environment = {"NAME": "value", "EMPTY": "", "LOOKS": "${NAME}"}

    assert substitute(text, environment) == value


@pytest.mark.parametrize("content", ["", " NAME", "NAME ", "NAME-x", "NAME:?x", "a.b", "1", "x:y"])
def test_an_invalid_substitution_is_refused_without_quoting_it(content: str) -> None:
    with pytest.raises(ValueError, match=r"^write \$\{NAME\}, \$\{NAME:-default\} or"):
        substitute(f"${{{content}}}", {})


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ValueError, match=r"^the environment variable NAME is not set$"):
        substitute("${NAME}", {})


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_loses_only_its_final_newline(end: str, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(f" two\nlines {end}".encode())

    assert substitute(f"${{file:{path}}}", {}) == " two\nlines "


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "password"
    with pytest.raises(ValueError, match=f"^the file {path} cannot be read: No such file"):
        substitute(f"${{file:{path}}}", {})

    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=f"^the file {path} is not text in UTF-8$"):
        substitute(f"${{file:{path}}}", {})


@pytest.mark.parametrize("text", ["5$", "'^a$'", "$type", "$$NAME", "a.$oid", "$5"])
def test_a_dollar_without_a_variable_stands_for_itself(text: str) -> None:
    assert read(f"a: {text}", {}).value == {"a": text.strip("'").replace("$$", "$")}
