"""The base of all specs, and the keys that sources share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connectors.memory.spec import MemorySink, MemorySource
from connectors.spec import OneOf, Problem, Spec


class Range(Spec):
    least: int
    most: int = 10

    def problems(self) -> Iterator[Problem]:
        if self.least > self.most:
            yield Problem(("least",), "is more than {most}")
        if self.most > 100:
            yield Problem(("most",), "is too much")


class Choice(OneOf):
    range: Range | None = None
    ranges: tuple[Range, ...] | None = None
    named: dict[str, Range] | None = None


def errors(model: type[Spec], value: Any) -> list[ErrorDetails]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    return caught.value.errors()


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Range(least=1).least = 2  # type: ignore[misc]


def test_a_spec_has_no_other_keys() -> None:
    assert [error["type"] for error in errors(Range, {"least": 1, "lest": 1})] == [
        "extra_forbidden"
    ]


@pytest.mark.parametrize("value", ["1", 1.0, True, None])
def test_a_spec_converts_nothing(value: Any) -> None:
    assert [error["loc"] for error in errors(Range, {"least": value})] == [("least",)]


def test_all_broken_rules_are_reported_at_once() -> None:
    (error,) = errors(Range, {"least": 300, "most": 200})

    assert error["msg"] == "is more than {most}; is too much"
    assert error["ctx"]["problems"] == [
        Problem(("least",), "is more than {most}"),
        Problem(("most",), "is too much"),
    ]


def test_no_error_shows_a_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Range.model_validate({"least": "hidden"})

    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("value", [{}, {"range": None}, {"range": {"least": 1}, "ranges": ()}])
def test_one_of_several_keys_is_given(value: Any) -> None:
    assert [error["msg"] for error in errors(Choice, value)] == [
        "needs exactly one of: range, ranges, named"
    ]


def test_the_mappings_below_a_spec_are_found() -> None:
    assert Choice.mapping_at("range") is Range
    assert Choice.mapping_at("ranges") is Range
    assert Choice.mapping_at("named") is Range
    assert Range.mapping_at("least") is None


def test_names_of_the_user_are_no_keys_of_a_spec() -> None:
    assert Choice.has_names_at("named")
    assert not Choice.has_names_at("ranges")


def test_memory_needs_no_keys() -> None:
    source, sink = MemorySource(), MemorySink()

    assert (source.name, source.consumers, source.prefetch) == (("memory",), "auto", "auto")
    assert (source.format, sink.name) == ("auto", "memory")


@pytest.mark.parametrize("consumers", ["auto", 1, 1000])
def test_consumers_are_counted_or_auto(consumers: Any) -> None:
    assert MemorySource(consumers=consumers).consumers == consumers


@pytest.mark.parametrize("consumers", ["3", "all", 0, -1, 1001, 1.0, True, None])
def test_other_consumers_are_refused(consumers: Any) -> None:
    assert [error["msg"] for error in errors(MemorySource, {"consumers": consumers})] == [
        "Value error, must be auto, or a whole number from 1 to 1000"
    ]


@pytest.mark.parametrize("prefetch", [0, 65536, -1, "1", True])
def test_prefetch_is_within_the_limits_of_amqp(prefetch: Any) -> None:
    assert [error["loc"] for error in errors(MemorySource, {"prefetch": prefetch})] == [
        ("prefetch",)
    ]
