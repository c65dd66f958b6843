"""How the demo looks: one line of progress that refreshes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, TextIO

from deploy.show.counters import Counters

RATE_SECONDS = 2.0
"""Over how long the rate is taken: windows complete up to a second apart, and a rate over less
would jump."""

PLAIN_SECONDS = 1.0
"""Between two lines where they cannot be refreshed."""


class Progress:
    """Where the job stands, while it runs."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._refreshes = out, out.isatty()
        self._shown_at = float("-inf")
        self._looks: deque[tuple[float, int]] = deque()

    def show(self, counters: Counters, now: float) -> None:
        """Show one look at the job; `now` is in seconds."""
        self._looks.append((now, counters.settled))
        while now - self._looks[0][0] > RATE_SECONDS:
            self._looks.popleft()
        if self._refreshes:
            # One column less, or some terminals go on to the next line.
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r{self._line(counters)[:width]}\x1b[K")
        elif now - self._shown_at >= PLAIN_SECONDS:
            self._shown_at = now
            self._write(self._line(counters) + "\n")

    def end(self) -> None:
        """Leave the line as it is, and go on below it."""
        if self._refreshes and self._looks:
            self._write("\n")

    def _line(self, counters: Counters) -> str:
        (began_at, fewer), (now, settled) = self._looks[0], self._looks[-1]
        rate = (settled - fewer) / (now - began_at) if now > began_at else 0
        return (
            f"  in {counters.received:>6,}  stored {counters.stored:>6,}"
            f"  bulks {counters.bulks:>3,}  rate {rate:>5,.0f}/s"
            f"  open {counters.open:>5,}  parked {counters.parked:,}"
        )

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def document(fields: dict[str, Any]) -> str:
    """Print a document as JSON, what belongs together on one line where it fits."""
    inner = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items()]
    return "\n".join(["{", ",\n".join(inner), "}"])


def side_by_side(left: Sequence[tuple[str, int]], right: Sequence[tuple[str, int]]) -> list[str]:
    """Make lines of two small tables, each of names and numbers."""
    cells = zip_longest(_column(left), _column(right), fillvalue="")
    width = max(map(len, _column(left)), default=0)
    return [f"{one:<{width}}      {other}".rstrip() for one, other in cells]


def _column(rows: Sequence[tuple[str, int]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}  {number:>5,}" for name, number in rows]
