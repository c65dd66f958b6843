"""Names of queues: one, a list, or a pattern of a range."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from connectors.queue_names import MAX_QUEUES, QueueNames, expand, named

NAMES: TypeAdapter[tuple[str, ...]] = TypeAdapter(QueueNames)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("orders", ["orders"]),
        ("orders.{0..2}", ["orders.0", "orders.1", "orders.2"]),
        ("{8..11}-in", ["8-in", "9-in", "10-in", "11-in"]),
        ("orders.{00..02}", ["orders.00", "orders.01", "orders.02"]),
        ("orders.{08..10}", ["orders.08", "orders.09", "orders.10"]),
        ("orders.{0..0}", ["orders.0"]),
        ("orders.{9..010}", ["orders.009", "orders.010"]),
        ("{1..2}.{0..1}", ["1.0", "1.1", "2.0", "2.1"]),
    ],
)
def test_a_range_stands_for_its_numbers_as_in_a_shell(pattern: str, names: list[str]) -> None:
    assert expand(pattern) == names


@pytest.mark.parametrize(
    "pattern",
    [
        *("a{b}", "a{}", "a{0..}", "a{..7}", "a{0,7}", "a{-1..3}", "a{0..7..2}", "a{0..b}"),
        *("a{0..7", "a}", "a{{0..7}}", "a{0 .. 7}", "a{0..\u0667}"),
    ],
)
def test_braces_without_a_range_are_refused_with_the_remedy(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"write orders\.\{0\.\.7\}"):
        expand(pattern)


def test_a_range_that_goes_down_is_written_the_other_way_round() -> None:
    with pytest.raises(ValueError, match=r"write \{0\.\.7\}"):
        expand("orders.{7..0}")


@pytest.mark.parametrize("pattern", ["a{1..257}", "a{0..9}{0..9}{0..9}", "a{0..999999999}"])
def test_a_pattern_of_too_many_names_is_refused_before_it_is_expanded(pattern: str) -> None:
    with pytest.raises(ValueError, match=f"at most {MAX_QUEUES}"):
        expand(pattern)
    with pytest.raises(ValueError, match="at most 9 digits"):
        expand("a{0..99999999999999999999}")


def test_a_list_has_names_and_patterns() -> None:
    assert NAMES.validate_python("orders") == ("orders",)
    assert NAMES.validate_python(["b", "a.{0..1}"]) == ("b", "a.0", "a.1")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (["a", "b", "a"], "entries 1 and 3 of the list name the same queue: name each queue once"),
        (["a.{0..3}", "a.2"], "entries 1 and 2 of the list name the same queue"),
        ("a{1..11}{1..11}", "the ranges name a queue twice: write a text between them"),
        (["a.{0..199}", "b.{0..99}"], "stands for 300 queues, and a job has at most 256"),
        ([], "at least 1 item"),
        ("", "at least 1 character"),
        (["a", ""], "at least 1 character"),
        (7, "valid string"),
        ({"a": 1}, "valid tuple"),
    ],
)
def test_what_cannot_be_the_queues_of_a_job_is_refused(value: Any, error: str) -> None:
    with pytest.raises(ValidationError, match=error):
        NAMES.validate_python(value)


def test_a_line_of_text_has_all_of_a_few_names_and_two_of_many() -> None:
    assert named(["orders"]) == "queue orders"
    assert named(["a", "b"]) == "queues a, b"
    assert named(expand("o-{0..7}"), "stream") == "8 streams, o-0 to o-7,"
