"""What a process remembers when it starts anew."""

from __future__ import annotations

from flows.values.reloads import Reloads, from_carried


def test_a_new_start_counts_one_reload_more_and_forgets_problems() -> None:
    reloads = Reloads(reloaded=2)
    reloads.refuse(["a problem"], at=5.0)

    carried = from_carried(reloads.carried(7.0, paused=True))

    assert carried == Reloads(reloaded=3, refused=1, at=7.0, problems=[], paused=True)


def test_a_first_start_remembers_nothing() -> None:
    assert from_carried(None) == Reloads()
