"""The line that shows the progress of the demo."""

from __future__ import annotations

import io

from tools.demo.counters import Counters
from tools.demo.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_progress_is_one_line() -> None:
    out = Terminal()

    with ProgressLine(out) as progress:
        for second in range(3):
            progress.show(Counters(stored=100 * second), now=second)

    assert out.getvalue().count("\n") == 1
    assert out.getvalue().count("\r") == 3
    last = out.getvalue().split("\r")[-1]
    assert "stored    200" in last
    assert "rate   100/s" in last


def test_elsewhere_progress_is_a_line_a_second_and_the_last_one() -> None:
    out = io.StringIO()

    with ProgressLine(out) as progress:
        for half in range(6):
            progress.show(Counters(received=half), now=half / 2)

    lines = out.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["0", "2", "4", "5"]
    assert "\r" not in out.getvalue()


def test_warnings_are_printed_above_the_line() -> None:
    out = Terminal()

    with ProgressLine(out) as progress:
        progress.show(Counters(), now=0)
        progress.print_above("WARNING")

    above, line, _ = out.getvalue().split("\n")
    assert above.endswith("  WARNING")
    assert "stored" in line
