"""The output at the end of the demo."""

from __future__ import annotations

from tools.demo import report


def test_a_wrong_sum_is_reported() -> None:
    assert "nothing is lost" in " ".join(report.conclusion(10, stored=9, parked=1))
    assert "WRONG by -1" in " ".join(report.conclusion(10, stored=8, parked=1))
