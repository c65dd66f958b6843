"""Where the job stands: one line that refreshes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
from collections import deque
from typing import TextIO

from tools.demo.counters import Counters

RATE_SECONDS = 2.0
"""Over how long the rate is taken, at least: in quiet times windows complete a second apart, and
over less than two of them it would jump."""

PLAIN_SECONDS = 1.0
"""Between two lines where they cannot be refreshed."""


class ProgressLine:
    """Shows one look at the job after the other; the last stands when the `with` block ends."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._refreshes = out, out.isatty()
        self._samples: deque[tuple[float, int]] = deque()
        self._line = ""
        self._printed_at = float("-inf")

    def show(self, counters: Counters, now: float) -> None:
        """Show a look that was taken `now`, in seconds of a clock that only goes forward."""
        self._samples.append((now, counters.settled))
        while len(self._samples) > 2 and now - self._samples[1][0] >= RATE_SECONDS:
            self._samples.popleft()
        self._line = _line(counters, self._rate())
        if self._refreshes:
            self._refresh()
        elif now - self._printed_at >= PLAIN_SECONDS:
            self._print(now)

    def print_above(self, text: str) -> None:
        """Print something else, above the line."""
        if self._refreshes:
            self._out.write("\r\x1b[K")
        self._out.write(f"  {text}\n")
        if self._refreshes:
            self._refresh()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._refreshes:
            self._out.write("\n")
        elif self._samples and self._samples[-1][0] > self._printed_at:
            self._print(self._samples[-1][0])

    def _rate(self) -> float:
        (began_at, before), (now, settled) = self._samples[0], self._samples[-1]
        return (settled - before) / (now - began_at) if now > began_at else 0.0

    def _refresh(self) -> None:
        # One column less: some terminals go on to the next line when the last one is written.
        width = shutil.get_terminal_size().columns - 1
        self._out.write(f"\r{self._line[:width]}\x1b[K")
        self._out.flush()

    def _print(self, now: float) -> None:
        self._printed_at = now
        self._out.write(f"{self._line}\n")
        self._out.flush()


def _line(counters: Counters, rate: float) -> str:
    """Keep every number in its place, so that only digits move."""
    return (
        f"  in {counters.received:>6,}   stored {counters.stored:>6,}   bulks {counters.bulks:>3,}"
        f"   rate {rate:>5,.0f}/s   open {counters.open:>5,}   parked {counters.parked:,}"
    )
