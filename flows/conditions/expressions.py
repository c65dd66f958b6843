"""Conditions in CEL: what they look at, and their tests.

Pure. Only a job with such a condition imports this module, and CEL with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import floor
from typing import NamedTuple

from flows.conditions.cel.checker import Checker
from flows.conditions.cel.comparisons import Test
from flows.conditions.cel.evaluation import Evaluation
from flows.conditions.cel.references import OfGroup, OfMessage, refer
from flows.conditions.cel.tree import Node, parse
from flows.values.paths import Path


class Expression(NamedTuple):
    """An expression that has been read; see `conditions.Condition`."""

    paths: tuple[Path, ...]
    group: tuple[tuple[str, Path], ...]
    bind: Callable[[Sequence[Path]], Test]


def read(text: str, allow_group: bool) -> Expression:
    """Read an expression.

    Raises:
        ValueError: it is invalid, or can never hold; the text has the place and the remedy.
        RecursionError: it is nested too deeply.
    """
    tree = parse(text)
    checker = Checker(text, allow_group)
    checker.check(tree)
    paths, running = [], []
    for reference in checker.references:
        if isinstance(reference, OfMessage):
            paths.append(reference.path)
        elif isinstance(reference, OfGroup) and reference.path is not None:
            running.append((reference.name, reference.path))
    places = {OfGroup(*one): place for place, one in enumerate(running)}
    return Expression(tuple(paths), tuple(running), partial(_bind, text, tree, places))


def reached_by(text: str) -> tuple[tuple[str, float], ...]:
    """See `conditions.reached_by`."""
    return _reached(parse(text), text)


def _bind(text: str, tree: Node, places: Mapping[OfGroup, int], paths: Sequence[Path]) -> Test:
    positions = {path: position for position, path in enumerate(paths)}
    return Evaluation(text, positions, places).truth(tree, ())


def _reached(tree: Node, text: str) -> tuple[tuple[str, float], ...]:
    if tree.name == "||":
        alternatives = [_reached(part, text) for part in tree.parts]
        return sum(alternatives, ()) if all(alternatives) else ()
    if tree.kind != "operator" or tree.name not in _SWAPPED:
        return ()
    sides = [refer(part, text, ()) for part in tree.parts]
    swapped = isinstance(sides[1], OfGroup)
    reference, number = (sides[1], tree.parts[0]) if swapped else (sides[0], tree.parts[1])
    sign, least = _SWAPPED[tree.name] if swapped else tree.name, number.value
    if not isinstance(reference, OfGroup) or reference.name not in ("count", "bytes"):
        return ()
    if not isinstance(least, (int, float)) or isinstance(least, bool):
        return ()
    if sign == ">":
        return ((reference.name, floor(least) + 1),)
    counted = sign == "==" and reference.name == "count" and least == int(least) > 0
    return ((reference.name, least),) if sign == ">=" or counted else ()


_SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
"""Comparisons, and the same with exchanged sides."""
