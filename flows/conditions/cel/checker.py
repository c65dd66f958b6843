"""Finds at load the errors of an expression: unknown names, wrong kinds of values. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from flows.conditions.cel.functions import CALLS, METHODS, ConditionFunction
from flows.conditions.cel.kinds import MACROS, SPOKEN, Kind, fits, of_literal, of_reference, result
from flows.conditions.cel.references import (
    FUNCTIONS,
    VARIABLES,
    OfGroup,
    Reference,
    Scope,
    refer,
    unknown,
)
from flows.conditions.cel.remedies import of_call, of_method
from flows.conditions.cel.tokens import Wrong
from flows.conditions.cel.tree import Node
from flows.conditions.cel.values import TYPES


class Checker:
    """Checks one expression, and collects its references."""

    def __init__(self, text: str, group: bool) -> None:
        """`group`: the expression may read the group so far."""
        self.references: dict[Reference, None] = {}
        """The references in the order of the text, each once."""
        self._text = text
        self._variables = VARIABLES if group else VARIABLES[:-1]

    def check(self, node: Node) -> None:
        """Check the whole expression.

        Raises:
            Wrong: it can never be true or false.
        """
        self._expect(node, _TRUTH, "compare it with something", ())

    def _expect(self, node: Node, kinds: Sequence[str], remedy: str, scope: Scope) -> None:
        """Check that a node is of one of these kinds; of any kind if there are none."""
        if node.kind == "operator" and node.name == "?:":
            self._expect(node.parts[0], _TRUTH, "compare it with something", scope)
            for part in node.parts[1:]:
                self._expect(part, kinds, remedy, scope)
            return
        found = self._kind(node, scope)
        if found is not None and kinds and found not in kinds:
            raise self._wrong(node, f"{SPOKEN[found]} is not {_any_of(kinds)}: {remedy}")

    def _wrong(self, node: Node, what: str) -> Wrong:
        return Wrong(self._text, node.at, what)

    def _kind(self, node: Node, scope: Scope) -> Kind:
        reference = refer(node, self._text, scope)
        if isinstance(reference, OfGroup) and "group" not in self._variables:
            raise self._wrong(node, "only until can read the group")
        if reference is not None:
            self.references.setdefault(reference)
            return of_reference(reference)
        return getattr(self, f"_{node.kind}")(node, scope)  # type: ignore[no-any-return]

    def _literal(self, node: Node, _scope: Scope) -> Kind:
        return of_literal(node.value)

    def _name(self, node: Node, scope: Scope) -> Kind:
        if node.name in scope:
            return None
        if node.name in TYPES:
            return "type"
        raise unknown(node, self._text, (*scope, *self._variables))

    def _select(self, node: Node, scope: Scope) -> Kind:
        kind = self._kind(node.parts[0], scope)
        if kind not in (None, "map"):
            raise self._wrong(node, f"{SPOKEN[kind]} has no {node.name}")
        return None

    def _index(self, node: Node, scope: Scope) -> Kind:
        of, which = node.parts
        if self._kind(of, scope) not in (None, "list", "map"):
            raise self._wrong(node, "only lists and objects have items")
        if self._kind(which, scope) == "type":
            raise unknown(which, self._text, (*scope, *self._variables))
        return None

    def _list(self, node: Node, scope: Scope) -> Kind:
        for part in node.parts:
            self._kind(part, scope)
        return "list"

    def _map(self, node: Node, scope: Scope) -> Kind:
        for name, value in zip(node.parts[::2], node.parts[1::2], strict=True):
            self._expect(name, ("text", "number"), "it is the name of a field", scope)
            self._kind(value, scope)
        return "map"

    def _call(self, node: Node, scope: Scope) -> Kind:
        if node.name == "has":
            return self._presence(node, scope)
        if node.name not in CALLS:
            raise self._wrong(node, of_call(node.name, (*CALLS, "has"), METHODS, FUNCTIONS))
        function = CALLS[node.name]
        self._arguments(node, node.parts, function, function.takes, scope)
        return function.kind

    def _presence(self, node: Node, scope: Scope) -> Kind:
        if len(node.parts) != 1 or node.parts[0].kind != "select":
            at = node.parts[0] if len(node.parts) == 1 else node
            raise self._wrong(at, "has takes a field, as in has(message.order)")
        [field] = node.parts
        self._kind(field if refer(field, self._text, scope) else field.parts[0], scope)
        return "truth"

    def _method(self, node: Node, scope: Scope) -> Kind:
        receiver, *arguments = node.parts
        if node.name in MACROS:
            return self._macro(node, scope)
        if node.name not in METHODS:
            raise self._wrong(node, of_method(node.name, (*METHODS, *MACROS)))
        function = METHODS[node.name]
        kind = self._kind(receiver, scope)
        if kind is not None and kind not in function.takes[0]:
            raise self._wrong(node, f"{SPOKEN[kind]} has no {node.name}")
        self._arguments(node, arguments, function, function.takes[1:], scope)
        return function.kind

    def _macro(self, node: Node, scope: Scope) -> Kind:
        over, *rest = node.parts
        if len(rest) != 2 and not (len(rest) == 3 and node.name == "map"):
            raise self._wrong(node, f"write .{node.name}(x, …) with x for an item")
        if self._kind(over, scope) not in (None, "list", "map"):
            raise self._wrong(node, f"{node.name} needs a list")
        variable, *bodies = rest
        taken = (*self._variables, *TYPES)
        if variable.kind != "name" or variable.name in taken:
            raise self._wrong(variable, "write a new name here, for an item")
        inner = (*scope, variable.name)
        for body in bodies:
            if node.name == "map" and body is bodies[-1]:
                self._kind(body, inner)
            else:
                self._expect(body, _TRUTH, "compare it with something", inner)
        return MACROS[node.name]

    def _arguments(
        self,
        node: Node,
        arguments: Sequence[Node],
        function: ConditionFunction,
        takes: Sequence[Sequence[str]],
        scope: Scope,
    ) -> None:
        """Check the arguments in the parentheses."""
        least = len(takes) - function.optional
        if not least <= len(arguments) <= len(takes):
            counts = " or ".join(_COUNTS[count] for count in range(least, len(takes) + 1))
            values = "" if counts == "nothing" else f" value{'s' * (counts != 'one')}"
            raise self._wrong(node, f"{node.name} takes {counts}{values} in its parentheses")
        for argument, kinds in zip(arguments, takes, strict=False):
            self._expect(argument, kinds, f"{node.name} takes {_any_of(kinds)}", scope)

    def _operator(self, node: Node, scope: Scope) -> Kind:
        name, parts = node.name, node.parts
        if name in ("&&", "||", "!", "?:"):
            for part in parts[:1] if name == "?:" else parts:
                self._expect(part, _TRUTH, "compare it with something", scope)
            if name != "?:":
                return "truth"
            then, other = (self._kind(part, scope) for part in parts[1:])
            return then if then == other else None
        kinds = [self._kind(part, scope) for part in parts]
        if not fits(name, kinds):
            for part, kind in zip(parts, kinds, strict=True):
                if kind == "type" and part.kind == "name":  # a field that is called `type`
                    raise unknown(part, self._text, (*scope, *self._variables))
            what = " and ".join(SPOKEN[kind] for kind in kinds if kind is not None)
            raise self._wrong(node, f"{_REMEDIES.get(name, name)} does not take {what}")
        return result(name, kinds)


def _any_of(kinds: Sequence[str]) -> str:
    *others, last = (SPOKEN[kind] for kind in kinds) if kinds else ("anything",)
    return f"{', '.join(others)} or {last}" if others else last


_TRUTH = ("truth",)
_COUNTS = ("nothing", "one", "two", "three")
_REMEDIES = {"neg": "-", "in": "in needs a list (for a text: x.contains(…)) and"}
"""The names of operators in errors, if the sign alone is not clear."""
