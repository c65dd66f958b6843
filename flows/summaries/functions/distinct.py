"""`distinct` and `count_distinct`: the different values, and their number.

Values are equal if their canonical JSON is: `1` and `1.0` are, but `1`, `"1"` and `true` are not;
objects and arrays are compared by content. Null is a value. A value that is nested too deeply for
JSON is skipped.
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
"""Up to this number of values, the count is exact. Beyond it, the count has a standard deviation of
1.6 % (one divided by the square root of this number), and takes 32 KiB for any number of values."""


class Distinct(Reducer):
    """Each value once, in the order of its first arrival."""

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
        """Return the value as canonical JSON; `None`: it is absent, or JSON cannot write it."""
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
    """The number of different values, estimated from their smallest hashes.

    It is a k-minimum-values sketch: hashes are spread evenly, so the more values there are, the
    closer to zero the smallest hashes lie. States merge without loss, because the smallest hashes
    of all are among the smallest ones of each.
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
        # One hash more than `MAX_EXACT` is kept: it shows that there are more values, and its
        # distance from zero gives the estimate.
        return round(MAX_EXACT / least[MAX_EXACT] * _HASHES)


def _keep_first(found: dict[str, tuple[int, Any]], text: str, number: int, value: Any) -> None:
    known = found.get(text)
    if known is None or number < known[0]:
        found[text] = number, value


_HASHES = 2**64
