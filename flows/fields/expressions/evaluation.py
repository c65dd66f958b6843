"""Turns an expression into a function of the values that it looks at.

Pure. What compares, computes and combines is closures, at 0.1 µs each; what calls functions goes to
CEL's evaluator. That one stops at an error in an item of a list although a later one decides, where
CEL's rules go on; so lists are gone through here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from flows.fields.expressions import cel
from flows.fields.expressions.comparisons import (
    Operand,
    Test,
    among,
    compare,
    compare_field,
    compute,
    contains,
    length,
    pick,
)
from flows.fields.expressions.logic import LOGIC, QUANTIFIERS, choice
from flows.fields.expressions.references import OfGroup, OfItem, OfMessage, Reference, Scope, refer
from flows.fields.expressions.tree import Node
from flows.fields.paths import Path, walk_objects
from flows.group import ABSENT


class Evaluation:
    """Makes closures of one expression."""

    def __init__(
        self, text: str, positions: Mapping[Path, int], running: Mapping[OfGroup, int]
    ) -> None:
        """Where among a message's values, and among a group's running ones, is what."""
        self._text = text
        self._positions = positions
        self._running = running

    def truth(self, node: Node, scope: Scope) -> Test:
        """What tells whether it is true.

        Raises:
            Wrong: CEL's evaluator is needed and does not know it.
        """
        test = None
        if node.kind == "operator":
            test = self._operator(node, scope)
        elif node.kind == "method" and node.name in QUANTIFIERS:
            test = self._quantifier(node, scope)
        elif node.kind == "call" and node.name == "has":
            test = self._presence(node, scope)
        return test or self._bare(node, scope)

    def operand(self, node: Node, scope: Scope) -> Operand | None:
        """What gets at a value; `None`: only CEL can."""
        constant = _constant(node)
        if constant is not ABSENT:
            return lambda _values, _group: constant
        reference = refer(node, self._text, scope)
        if reference is not None:
            return self._find(reference, scope)
        how = _how(node)
        operands = self._operands(node.parts, scope) if how else []
        return how(*operands) if how and operands else None

    def _operands(self, nodes: Sequence[Node], scope: Scope) -> list[Operand]:
        """All of them, or none when one is for CEL only."""
        found = [self.operand(node, scope) for node in nodes]
        known = [operand for operand in found if operand is not None]
        return known if len(known) == len(found) else []

    def _operator(self, node: Node, scope: Scope) -> Test | None:
        if node.name in LOGIC:
            return LOGIC[node.name](*(self.truth(part, scope) for part in node.parts))
        if node.name == "?:":
            return choice(*(self.truth(part, scope) for part in node.parts))
        if node.name not in (*_TURNED, "in"):
            return None
        operands = self._operands(node.parts, scope)
        if not operands:
            return None
        if node.name == "in":
            items = _constant(node.parts[1])
            return contains(*operands) if items is ABSENT else among(operands[0], items)
        return self._with_literal(node, scope) or compare(node.name, *operands)

    def _with_literal(self, node: Node, scope: Scope) -> Test | None:
        left, right = node.parts
        for sign, field, literal in ((node.name, left, right), (_TURNED[node.name], right, left)):
            reference = refer(field, self._text, scope)
            if literal.kind == "literal" and isinstance(reference, OfMessage):
                return compare_field(sign, self._positions[reference.path], literal.value)
        return None

    def _presence(self, node: Node, scope: Scope) -> Test | None:
        find = self.operand(node.parts[0], scope)
        return find and (lambda values, group: find(values, group) is not ABSENT)

    def _quantifier(self, node: Node, scope: Scope) -> Test | None:
        over, variable, body = node.parts
        items = self.operand(over, scope)
        if items is None:
            return None
        return QUANTIFIERS[node.name](items, self.truth(body, {**scope, variable.name: True}))

    def _bare(self, node: Node, scope: Scope) -> Test:
        operand = self.operand(node, scope) or self._piece(node, scope)

        def test(values: Sequence[Any], group: Any) -> bool | None:
            value = operand(values, group)
            return value if value.__class__ is bool else None

        return test

    def _piece(self, node: Node, scope: Scope) -> Operand:
        """What CEL evaluates."""
        piece = cel.Piece(self._text, node, scope)
        evaluate = cel.compile(piece, self._text, node)
        variables = [
            (name, self._find(reference, scope), presence)
            for (reference, presence), name in piece.variables.items()
        ]
        if len(variables) == 1 and not variables[0][2]:
            return _of_one(evaluate, *variables[0][:2])

        def value(values: Sequence[Any], group: Any) -> Any:
            context = {}
            for name, find, presence in variables:
                found = find(values, group)
                if presence:
                    context[name] = found is not ABSENT
                elif found is not ABSENT:
                    context[name] = found
            return evaluate(context)

        return value

    def _find(self, reference: Reference, scope: Scope) -> Operand:
        if isinstance(reference, OfMessage):
            position = self._positions[reference.path]
            return lambda values, _group: values[position]
        if isinstance(reference, OfItem):
            # Items come after the values, those of the innermost list last.
            position, names = list(scope).index(reference.variable) - len(scope), reference.names
            return lambda values, _group: walk_objects(values[position], names)
        if reference.path is not None:
            index = self._running[reference]
            return lambda _values, group: group.results[index]
        return _OF_GROUP[reference.name]


def _of_one(evaluate: cel.Evaluate, name: str, find: Operand) -> Operand:
    """What asks CEL about one value.

    CEL knows neither time nor chance, so it is asked once about a short text, which many messages
    may share: 0.2 µs where it takes 2 µs, and 24 µs for a regular expression.
    """
    of_text = lru_cache(_TEXTS_KEPT)(lambda text: evaluate({name: text}))
    of_nothing = evaluate({})

    def value(values: Sequence[Any], group: Any) -> Any:
        found = find(values, group)
        if found is ABSENT:
            return of_nothing
        if found.__class__ is str and len(found) <= _TEXT_KEPT_MOST:
            return of_text(found)
        return evaluate({name: found})

    return value


def _how(node: Node) -> Callable[..., Operand] | None:
    """How a value is made of others; `None`: only CEL can."""
    if node.kind == "operator" and node.name in ("+", "-", "*", "/", "%"):
        return partial(compute, node.name)
    if node.kind == "operator" and node.name == "neg":
        return partial(compute, "-", lambda _values, _group: 0)
    if node.kind in ("call", "method") and node.name == "size":
        return length
    if node.kind == "select":
        return partial(pick, which=lambda _values, _group: node.name)
    return pick if node.kind == "index" else None


def _constant(node: Node) -> Any:
    """The value of a literal, or of a list or an object of them; else `ABSENT`."""
    if node.kind not in ("list", "map"):
        return node.value if node.kind == "literal" else ABSENT
    items = [_constant(part) for part in node.parts]
    if ABSENT in items:
        return ABSENT
    if node.kind == "list":
        return items
    names = items[::2]
    plain = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return dict(zip(names, items[1::2], strict=True)) if plain else ABSENT


_OF_GROUP: dict[str, Operand] = {
    "key": lambda _values, group: group.value_of_key,
    "count": lambda _values, group: group.count,
    "bytes": lambda _values, group: group.bytes,
    "age": lambda _values, group: group.age,
}
_TEXTS_KEPT, _TEXT_KEPT_MOST = 1024, 100
"""At most some 200 KB for each place in a condition."""
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Comparisons, and what they are with the sides exchanged."""
