"""Queues of groups by time: the earliest comes first, and entries of left groups go."""

from __future__ import annotations

from math import nan

from flows.groups.held import HeldGroup
from flows.groups.lines import TIDY_AFTER, Line
from flows.groups.rules import Rules


def group(at: float) -> HeldGroup:
    return HeldGroup(Rules(), None, None, at)


def test_the_earliest_group_comes_first_and_left_ones_are_skipped() -> None:
    line, groups = Line("opened_at"), [group(1.0), group(2.0), group(3.0)]
    for place, one in enumerate(groups):
        line.append(one, one.opened_at, place + 1)

    assert line.first() == (1.0, groups[0])
    groups[0].opened_at = groups[1].opened_at = nan
    assert line.first() == (3.0, groups[2])
    groups[2].opened_at = nan
    assert line.first() is None


def test_a_group_that_moves_is_at_its_last_place() -> None:
    line, moving, other = Line("last_at"), group(1.0), group(2.0)
    line.append(moving, 1.0, 1)
    line.append(other, 2.0, 2)

    moving.last_at = 3.0
    line.append(moving, 3.0, 2)

    assert line.first() == (2.0, other)
    other.last_at = nan
    assert line.first() == (3.0, moving)


def test_the_length_stays_in_proportion_to_the_open_groups() -> None:
    """Also if one open group stands before all that have left since."""
    line, stays = Line("opened_at"), group(0.0)
    line.append(stays, 0.0, 1)
    for number in range(10 * TIDY_AFTER):
        passing = group(1.0 + number)
        line.append(passing, 1.0 + number, 2)
        passing.opened_at = nan
        assert len(line) <= TIDY_AFTER + 4

    assert line.first() == (0.0, stays)
