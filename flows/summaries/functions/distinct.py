"""`distinct` and `count_distinct`: which values there are, and how many.

Values are the same if they are as JSON: `1` and `1.0`, but not `1`, `"1"` and `true`; objects and
arrays by what is in them. Null is a value. What is nested too deeply to be spelled is none.
"""

from __future__ import annotations

import operator
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from typing_extensions import override

from flows.messages.keys import canonical
from flows.summaries.functions.function import Reducer, State
from flows.values.group import ABSENT

MAX_EXACT = 4096
"""So many are counted exactly; of more, the count is off by 1.6 % (its standard deviation, one by
the square root of this), and takes 32 KiB, however many there are."""


class Distinct(Reducer):
    """Each value once, in the order in which the first of its kind came."""

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        value = values[self._position]
        text = self._spelled(value)
        if text is None:
            return
        if state[self._slot] is None:
            state[self._slot] = {}
        _keep_first(state[self._slot], text, number, value)

    @override
    def result(self, states: Sequence[State]) -> list[Any]:
        found: dict[str, tuple[int, Any]] = {}
        for state in states:
            for text, (number, value) in (state[self._slot] or {}).items():
                _keep_first(found, text, number, value)
        return [value for _, value in sorted(found.values(), key=operator.itemgetter(0))]

    def _spelled(self, value: Any) -> str | None:
        """The value in JSON's one spelling; `None` where there is nothing that has one."""
        if value is ABSENT:
            return None
        if value is None:
            return "null"
        text = canonical(value)
        if text is ABSENT:
            self._unfit.count += 1
            return None
        return str(text)


class CountDistinct(Distinct):
    """How many values there are: of all their hashes, it keeps the least ones.

    Hashes are spread evenly, so the more values there are the closer to nothing the least ones
    lie (a k-minimum-values sketch). The least ones of several states are found among the least
    ones of each: putting states together loses nothing.
    """

    @override
    def add(self, state: State, values: Sequence[Any], number: int) -> None:
        text = self._spelled(values[self._position])
        if text is None:
            return
        hashed = int.from_bytes(
            blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
        )
        kept = state[self._slot]
        if kept is None:
            state[self._slot] = array("Q", (hashed,))
            return
        if len(kept) > MAX_EXACT and hashed > kept[-1]:
            return
        place = bisect_left(kept, hashed)
        if place == len(kept) or kept[place] != hashed:
            kept.insert(place, hashed)
            if len(kept) > MAX_EXACT + 1:
                kept.pop()

    @override
    def result(self, states: Sequence[State]) -> int:  # type: ignore[override]
        least: list[int] = sorted(set().union(*(state[self._slot] or () for state in states)))
        if len(least) <= MAX_EXACT:
            return len(least)
        # One more than is counted exactly is kept: it shows that there are more, and lies where
        # the rest of them begins.
        return round(MAX_EXACT / least[MAX_EXACT] * _HASHES)


def _keep_first(found: dict[str, tuple[int, Any]], text: str, number: int, value: Any) -> None:
    known = found.get(text)
    if known is None or number < known[0]:
        found[text] = number, value


_HASHES = 2**64
