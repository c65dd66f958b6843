"""Compiles an expression to closures over the values that it reads; each takes 0.1 µs.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows.conditions.cel.arithmetic import compute, negate
from flows.conditions.cel.comparisons import (
    NAMES,
    Operand,
    Test,
    among,
    compare,
    compare_field,
    contains,
    pick,
)
from flows.conditions.cel.functions import CALLS, METHODS, ConditionFunction, apply
from flows.conditions.cel.logic import LOGIC, QUANTIFIERS, as_value, choice, chosen, selection
from flows.conditions.cel.references import OfGroup, OfItem, OfMessage, Reference, Scope, refer
from flows.conditions.cel.tokens import Wrong
from flows.conditions.cel.tree import Node
from flows.conditions.cel.values import TYPES
from flows.values.group import ABSENT
from flows.values.paths import Path, walk_objects


class Evaluation:
    """Compiles one expression."""

    def __init__(
        self, text: str, positions: Mapping[Path, int], running: Mapping[OfGroup, int]
    ) -> None:
        """`positions` of paths among a message's values; `running`: of a group's running values."""
        self._text = text
        self._positions = positions
        self._running = running

    def truth(self, node: Node, scope: Scope) -> Test:
        """Build the test of a node.

        Raises:
            Wrong: a function is called with an invalid constant.
        """
        test = None
        if node.kind == "operator":
            test = self._operator(node, scope)
        elif node.kind == "method" and node.name in QUANTIFIERS:
            test = self._quantifier(node, scope)
        elif node.kind == "call" and node.name == "has":
            test = self._presence(node, scope)
        return test or self._bare(node, scope)

    def operand(self, node: Node, scope: Scope) -> Operand:
        """Build the function that returns the value of a node.

        Raises:
            Wrong: a function is called with an invalid constant.
        """
        constant = self._constant(node)
        if constant is not ABSENT:
            return lambda _values, _group: constant
        reference = refer(node, self._text, scope)
        if reference is not None:
            return self._find(reference, scope)
        if node.kind == "operator":
            return self._computed(node, scope)
        function = _function(node)
        if function is None and node.kind in ("call", "method"):
            return self._macro(node, scope)
        operands = [self.operand(part, scope) for part in node.parts]
        if function is None:
            return _combine(node, operands)
        self._check(node, function)
        return apply(function, operands, self._constant(node.parts[-1]))

    def _operator(self, node: Node, scope: Scope) -> Test | None:
        if node.name in LOGIC:
            return LOGIC[node.name](*(self.truth(part, scope) for part in node.parts))
        if node.name == "?:":
            return choice(*(self.truth(part, scope) for part in node.parts))
        if node.name not in (*_TURNED, "in"):
            return None
        if node.name == "in":
            items = self._constant(node.parts[1])
            what = self.operand(node.parts[0], scope)
            if items.__class__ is list:
                return among(what, items)
            return contains(what, self.operand(node.parts[1], scope))
        simple = self._with_literal(node, scope)
        return simple or compare(node.name, *(self.operand(part, scope) for part in node.parts))

    def _computed(self, node: Node, scope: Scope) -> Operand:
        if node.name == "neg":
            return negate(self.operand(node.parts[0], scope))
        if node.name == "?:":
            condition, *results = node.parts
            then, other = (self.operand(part, scope) for part in results)
            return chosen(self.truth(condition, scope), then, other)
        if node.name in _ARITHMETIC:
            return compute(node.name, *(self.operand(part, scope) for part in node.parts))
        return as_value(self.truth(node, scope))

    def _with_literal(self, node: Node, scope: Scope) -> Test | None:
        left, right = node.parts
        for sign, field, literal in ((node.name, left, right), (_TURNED[node.name], right, left)):
            reference = refer(field, self._text, scope)
            if literal.kind == "literal" and isinstance(reference, OfMessage):
                return compare_field(sign, self._positions[reference.path], literal.value)
        return None

    def _presence(self, node: Node, scope: Scope) -> Test:
        find = self.operand(node.parts[0], scope)
        return lambda values, group: find(values, group) is not ABSENT

    def _quantifier(self, node: Node, scope: Scope) -> Test:
        over, variable, body = node.parts
        items = self.operand(over, scope)
        return QUANTIFIERS[node.name](items, self.truth(body, (*scope, variable.name)))

    def _macro(self, node: Node, scope: Scope) -> Operand:
        if node.name == "has" or node.name in QUANTIFIERS:
            return as_value(self.truth(node, scope))
        over, variable, *bodies = node.parts
        items, inner = self.operand(over, scope), (*scope, variable.name)
        make = self.operand(bodies.pop(), inner) if node.name == "map" else None
        keep = self.truth(bodies[0], inner) if bodies else None
        return selection(items, keep, make)

    def _bare(self, node: Node, scope: Scope) -> Test:
        operand = self.operand(node, scope)

        def test(values: Sequence[Any], group: Any) -> bool | None:
            value = operand(values, group)
            return value if value.__class__ is bool else None

        return test

    def _find(self, reference: Reference, scope: Scope) -> Operand:
        if isinstance(reference, OfMessage):
            position = self._positions[reference.path]
            return lambda values, _group: values[position]
        if isinstance(reference, OfItem):
            # Items of lists follow the values; that of the innermost list is the last.
            position, names = -1 - scope[::-1].index(reference.variable), reference.names
            if not names:
                return lambda values, _group: values[position]
            return lambda values, _group: walk_objects(values[position], names)
        if reference.path is not None:
            index = self._running[reference]
            return lambda _values, group: group.results[index]
        return _OF_GROUP[reference.name]

    def _constant(self, node: Node) -> Any:
        """Return the value of a node that is the same for all messages; else `ABSENT`."""
        if node.kind in ("literal", "name"):
            return TYPES.get(node.name, ABSENT) if node.name else node.value
        function = _function(node)
        if node.kind not in ("list", "map") and function is None:
            return ABSENT
        parts = [self._constant(part) for part in node.parts]
        if any(part is ABSENT for part in parts):
            return ABSENT
        if function is None:
            return parts if node.kind == "list" else _object(parts)
        self._check(node, function)
        return self._called(node, function, parts)

    def _called(self, node: Node, function: ConditionFunction, parts: Sequence[Any]) -> Any:
        """Return the result of a function for constants; `ABSENT`: it does not take them."""
        if not function.allows(parts):
            return ABSENT
        try:
            return function.call(*parts)
        except ValueError as error:
            raise Wrong(self._text, node.at, f"{node.name}: {error}") from None

    def _check(self, node: Node, function: ConditionFunction) -> None:
        """Check the last argument at load: see `ConditionFunction.check`."""
        if function.check is None or len(node.parts) < len(function.takes):
            return
        last = node.parts[-1]
        try:
            function.check(self._constant(last))
        except ValueError as error:
            raise Wrong(self._text, last.at, str(error)) from None


def _function(node: Node) -> ConditionFunction | None:
    if node.kind == "method":
        return METHODS.get(node.name)
    return CALLS.get(node.name) if node.kind == "call" else None


def _combine(node: Node, operands: Sequence[Operand]) -> Operand:
    """Build a field, an item, a list or an object from its operands."""
    if node.kind == "select":
        return pick(operands[0], lambda _values, _group: node.name)
    if node.kind == "index":
        return pick(*operands)
    return _listed(operands) if node.kind == "list" else _mapped(operands)


def _listed(operands: Sequence[Operand]) -> Operand:
    def value(values: Sequence[Any], group: Any) -> Any:
        items = [operand(values, group) for operand in operands]
        return ABSENT if any(item is ABSENT for item in items) else items

    return value


def _mapped(operands: Sequence[Operand]) -> Operand:
    items = _listed(operands)

    def value(values: Sequence[Any], group: Any) -> Any:
        found = items(values, group)
        return ABSENT if found is ABSENT else _object(found)

    return value


def _object(items: Sequence[Any]) -> Any:
    """Make an object of alternating names and values; `ABSENT`: a name is invalid or repeated."""
    names = items[::2]
    if any(name.__class__ not in NAMES for name in names) or len(set(names)) < len(names):
        return ABSENT
    return dict(zip(names, items[1::2], strict=True))


_OF_GROUP: dict[str, Operand] = {
    "key": lambda _values, group: group.value_of_key,
    "count": lambda _values, group: group.count,
    "bytes": lambda _values, group: group.bytes,
    "age": lambda _values, group: group.age,
}
_ARITHMETIC = ("+", "-", "*", "/", "%")
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Comparisons, and the same with exchanged sides."""
