"""Outcomes are stale when their connection is gone, whether there is a new one or not."""

from __future__ import annotations

from connectors.current_origin import CurrentOrigin
from connectors.message import Origin

ORIGIN, NEXT = Origin("q/0", 1), Origin("q/0", 2)


def test_an_outcome_of_a_lost_connection_is_stale() -> None:
    """Before the next one is there, and afterwards."""
    current = CurrentOrigin("q/0")
    assert current.is_stale(ORIGIN)
    assert current.open() == ORIGIN
    assert not current.is_stale(ORIGIN)
    assert current.lose() == ORIGIN
    assert current.is_stale(ORIGIN)
    assert current.open() == NEXT
    assert current.is_stale(ORIGIN)
    assert not current.is_stale(NEXT)
