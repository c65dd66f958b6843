"""The names of the queues of a source: one, a list, or a pattern of a range.

Pure. `orders.{0..7}` stands for `orders.0` to `orders.7`, as in a shell, and `{00..07}` for `00` to
`07`. A pattern may have several ranges.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Annotated

from pydantic import AfterValidator, Field

from connectors.spec import OneOrMore

MAX_QUEUES = 256
"""Queues of one job: each has a consumer, with a connection and a thread of its own."""

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]+)\.\.([0-9]+)")
_NO_RANGE = "braces are for a range of whole numbers: write orders.{0..7}"


def expand(pattern: str) -> list[str]:
    """Return the names that a pattern stands for; a text without braces is a name.

    Raises:
        ValueError: it is no pattern, or stands for too many names.
    """
    pieces = _BRACES.split(pattern)
    texts, ranges = pieces[0::2], [_range(inner) for inner in pieces[1::2]]
    if any("{" in text or "}" in text for text in texts):
        raise ValueError(_NO_RANGE)
    _check_count(prod(len(numbers) for numbers, _ in ranges))
    written = [[f"{number:0{width}}" for number in numbers] for numbers, width in ranges]
    return [
        texts[0] + "".join(map("".join, zip(chosen, texts[1:], strict=True)))
        for chosen in product(*written)
    ]


def _range(inner: str) -> tuple[range, int]:
    """Return the numbers of a range, and with how many digits they are written at least."""
    found = _RANGE.fullmatch(inner)
    if found is None:
        raise ValueError(_NO_RANGE)
    first, last = found.groups()
    if len(first) > MAX_DIGITS or len(last) > MAX_DIGITS:
        raise ValueError(f"a number of a range has at most {MAX_DIGITS} digits")
    if int(last) < int(first):
        raise ValueError(f"a range goes upwards: write {{{last}..{first}}}")
    padded = any(len(text) > 1 and text[0] == "0" for text in (first, last))
    return range(int(first), int(last) + 1), max(len(first), len(last)) if padded else 1


MAX_DIGITS = 9
"""Of a number in a range."""


def _check_count(count: int) -> None:
    if count > MAX_QUEUES:
        raise ValueError(
            f"stands for {count} queues, and a job has at most {MAX_QUEUES}: let several jobs "
            "consume a part of them each"
        )


def _check(pattern: str) -> str:
    expand(pattern)
    return pattern


def _names(patterns: tuple[str, ...]) -> tuple[str, ...]:
    positions: dict[str, int] = {}
    for position, pattern in enumerate(patterns, start=1):
        for name in expand(pattern):
            before = positions.get(name)
            if before == position:
                raise ValueError("the ranges name a queue twice: write a text between them")
            if before is not None:
                raise ValueError(
                    f"entries {before} and {position} of the list name the same queue: name each "
                    "queue once"
                )
            positions[name] = position
    _check_count(len(positions))
    return tuple(positions)


QueueNames = Annotated[
    OneOrMore[Annotated[str, Field(min_length=1), AfterValidator(_check)]],
    AfterValidator(_names),
]
"""Names of queues, each once; written as one name, a list of names, or patterns."""


def named(names: Sequence[str], kind: str = "queue") -> str:
    """Return names of queues for a line of text: all of a few, or the first and the last one."""
    if len(names) == 1:
        return f"{kind} {names[0]}"
    if len(names) <= FEW:
        return f"{kind}s {', '.join(names)}"
    return f"{len(names)} {kind}s, {names[0]} to {names[-1]},"


FEW = 4
"""Names that are all written."""
