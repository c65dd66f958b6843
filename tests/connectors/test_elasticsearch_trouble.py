"""When trouble is worth a line in the log."""

from __future__ import annotations

from connectors.elasticsearch.trouble import EVERY, Trouble


def test_trouble_is_spoken_of_at_once_and_then_seldom() -> None:
    trouble = Trouble()

    said = [trouble.begins_or_goes_on(now) for now in (100.0, 101.0, 109.9, 110.0, 111.0, 120.5)]

    assert said == [0.0, None, None, 10.0, None, 20.5]


def test_its_end_is_told_once() -> None:
    trouble = Trouble()
    trouble.begins_or_goes_on(100.0)

    assert trouble.ends(103.5) == 3.5
    assert trouble.ends(104.0) is None


def test_no_trouble_has_no_end() -> None:
    assert Trouble().ends(1.0) is None


def test_trouble_that_comes_and_goes_is_spoken_of_seldom_too() -> None:
    """What was not heard of does not end."""
    trouble = Trouble()
    lines = 0
    for now in range(100):
        lines += trouble.begins_or_goes_on(float(now)) is not None
        lines += trouble.ends(now + 0.5) is not None

    assert lines == 2 * 100 / EVERY
