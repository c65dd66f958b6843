"""Durations and sizes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from connectors.units import Duration, Size, duration_text, measured_size, size_text

duration: TypeAdapter[float] = TypeAdapter(Duration)
size: TypeAdapter[int] = TypeAdapter(Size)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("1s", 1.0),
        ("1.5s", 1.5),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("0s", 0.0),
        (0, 0.0),
        ("0.1s", 0.1),
        ("3ms", 0.003),
    ],
)
def test_durations_are_seconds_exactly(text: Any, seconds: float) -> None:
    assert duration.validate_python(text) == seconds


@pytest.mark.parametrize(
    "text", ["5", "s", "5 s", "-5s", "5S", "5sec", "1h30m", ".5s", "5.s", "", None, True, [], "٣s"]
)
def test_an_invalid_duration_is_refused(text: Any) -> None:
    with pytest.raises(ValidationError, match="must be a number and a unit without a space: 500ms"):
        duration.validate_python(text)


@pytest.mark.parametrize(
    ("number", "correct"),
    [
        (5, "5s "),
        (600, "600s or 10m "),
        (3600, "3600s or 1h "),
        (90, "90s "),
        (0.5, "0.5s or 500ms "),
        (-1, "5s "),
        (float("inf"), "5s "),
    ],
)
def test_a_number_without_a_unit_is_refused_with_the_right_spelling(
    number: float, correct: str
) -> None:
    with pytest.raises(ValidationError, match=f"write the unit: {correct}"):
        duration.validate_python(number)


@pytest.mark.parametrize(
    ("text", "correct"),
    [
        ("10 minutes", "10m"),
        ("5sec", "5s"),
        ("1.5 Hours", "1.5h"),
        ("2days", "2d"),
        ("9msec", "9ms"),
    ],
)
def test_a_unit_in_another_spelling_is_refused_with_ours(text: str, correct: str) -> None:
    with pytest.raises(ValidationError, match=f"; write {correct} "):
        duration.validate_python(text)
    with pytest.raises(ValidationError, match="; write 5MiB "):
        size.validate_python("5 mib")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (1000, 1000),
        ("512B", 512),
        ("64KiB", 65536),
        ("5MiB", 5242880),
        ("1.5MiB", 1572864),
        ("1GiB", 1073741824),
        ("1kB", 1000),
        ("1KB", 1000),
        ("10MB", 10_000_000),
        ("1GB", 1_000_000_000),
    ],
)
def test_sizes_are_bytes_exactly(text: Any, number: int) -> None:
    assert size.validate_python(text) == number


@pytest.mark.parametrize("text", ["5", "5M", "5mb", "5 MiB", "-5B", "MiB", "", None, True, 1.5])
def test_an_invalid_size_is_refused(text: Any) -> None:
    with pytest.raises(ValidationError, match="must be a number and a unit without a space: 512B"):
        size.validate_python(text)


def test_a_size_is_a_whole_number_of_bytes() -> None:
    with pytest.raises(ValidationError, match="must be a whole number of bytes"):
        size.validate_python("1.5B")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.05, "50ms"), (1.0, "1s"), (30.0, "30s"), (90.0, "90s"), (1800.0, "30m"), (86400.0, "1d")],
)
def test_durations_are_shown_in_the_largest_unit_without_a_fraction(
    seconds: float, text: str
) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1B"), (1000, "1kB"), (1024, "1KiB"), (10 * 1024**2, "10MiB"), (10**7, "10MB"), (0, "0B")],
)
def test_sizes_are_shown_in_the_largest_unit_without_a_fraction(number: int, text: str) -> None:
    assert size_text(number) == text


@given(st.integers(0, 10**9))
def test_a_printed_size_or_duration_is_read_as_the_same_value(number: int) -> None:
    """One hundred numbers."""
    assert duration.validate_python(duration_text(number / 1000)) == number / 1000
    assert size.validate_python(size_text(number)) == number


@pytest.mark.parametrize(
    ("measured", "text"),
    [(900, "900 B"), (1536, "1.5 KiB"), (634_984, "620 KiB"), (20 * 2**20, "20 MiB")],
)
def test_a_measured_size_is_rounded(measured: int, text: str) -> None:
    assert measured_size(measured) == text
