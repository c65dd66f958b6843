"""Prints dates for names of indices, by formats such as `%Y.%m.%d`, in UTC.

Pure. `strftime` would print the year 1 as `1`, which sorts wrongly among names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache


def date_printer(dates: str) -> Callable[[float], str]:
    """Return a function that prints a time, in seconds since 1970, by this format.

    Raises:
        ValueError: the format has no directive, or one that is not among `_DIRECTIVES`.
    """
    pieces = re.split("(%.?)", dates)
    texts, directives = pieces[0::2], pieces[1::2]
    if not directives or any(directive not in _DIRECTIVES for directive in directives):
        raise ValueError(f"a date is made of {' '.join(_DIRECTIVES)}")

    @lru_cache(maxsize=1024)
    def print_hour(hour: int) -> str:
        at, printed = _EPOCH + timedelta(hours=hour), texts[0]
        for directive, text in zip(directives, texts[1:], strict=True):
            printed += _DIRECTIVES[directive](at) + text
        return printed

    return lambda seconds: print_hour(int(seconds // 3600))


_EPOCH = datetime(1970, 1, 1)
_DIRECTIVES: dict[str, Callable[[datetime], str]] = {
    "%Y": lambda at: f"{at.year:04}",
    "%y": lambda at: f"{at.year % 100:02}",
    "%m": lambda at: f"{at.month:02}",
    "%d": lambda at: f"{at.day:02}",
    "%H": lambda at: f"{at.hour:02}",
    "%j": lambda at: f"{at.timetuple().tm_yday:03}",
    "%G": lambda at: f"{at.isocalendar().year:04}",
    "%V": lambda at: f"{at.isocalendar().week:02}",
}
"""Numbers only, and no minutes: an index a minute would be a mistake."""
