"""Parses an expression in CEL, the Common Expression Language, into a tree with positions.

Pure. The grammar is that of the language definition of google/cel-spec, without messages of
protocol buffers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flows.conditions.cel.remedies import of_sign
from flows.conditions.cel.tokens import Token, Wrong, tokens


class Node(NamedTuple):
    """A node of the syntax tree.

    | kind       | name            | parts                                        |
    |------------|-----------------|----------------------------------------------|
    | `literal`  |                 |                                              |
    | `name`     | of the variable |                                              |
    | `select`   | of the field    | the object                                   |
    | `index`    |                 | the object or list, the name or number       |
    | `call`     | of the function | arguments                                    |
    | `method`   | of the function | the receiver, arguments                      |
    | `operator` | as written, or `neg`, `?:` | operands                          |
    | `list`, `map` |              | items; names and values alternating          |
    """

    kind: str
    name: str
    parts: tuple[Node, ...]
    start: int
    end: int
    """Its range in the text, including parentheses around it."""
    at: int
    """The position that an error points at."""
    value: Any = None
    """Of a literal."""


def parse(text: str) -> Node:
    """Parse an expression.

    Raises:
        Wrong: its syntax is invalid.
        RecursionError: it is nested too deeply.
    """
    return _Parser(text).whole()


class _Parser:
    """Parses by recursive descent: each rule of the grammar is a method."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: Sequence[Token] = tokens(text)
        self._position = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._next.kind != "end":
            raise self._unexpected()
        return node

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        self._position += 1
        return self._tokens[self._position - 1]

    def _accept(self, *texts: str) -> Token | None:
        """Take the next token if it is one of these."""
        token = self._next
        return self._take() if token.kind == "sign" and token.text in texts else None

    def _expect(self, text: str, or_else: str = "") -> Token:
        token = self._accept(text)
        if token is None:
            raise self._unexpected(f"expected {text}{or_else}")
        return token

    def _unexpected(self, remedy: str = "") -> Wrong:
        token = self._next
        what = "it ends here" if token.kind == "end" else f"unexpected {token.text}"
        remedy = of_sign(self._text, token.text, token.start) or remedy
        return Wrong(self._text, token.start, f"{what}: {remedy}" if remedy else what)

    def _expression(self) -> Node:
        condition = self._binary(0)
        mark = self._accept("?")
        if mark is None:
            return condition
        then = self._binary(0)
        self._expect(":")
        other = self._expression()
        return Node(
            "operator", "?:", (condition, then, other), condition.start, other.end, mark.start
        )

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while (sign := self._accept(*_LEVELS[level])) is not None:
            right = self._binary(level + 1)
            left = Node("operator", sign.text, (left, right), left.start, right.end, sign.start)
        return left

    def _unary(self) -> Node:
        sign = self._accept("!", "-")
        if sign is None:
            return self._member()
        if sign.text == "-" and self._next.value.__class__ in (int, float):
            number = self._take()
            return self._selections(self._literal(number, sign.start, -number.value))
        operand = self._unary()
        name = "neg" if sign.text == "-" else "!"
        return Node("operator", name, (operand,), sign.start, operand.end, sign.start)

    def _member(self) -> Node:
        return self._selections(self._primary())

    def _selections(self, node: Node) -> Node:
        while True:
            if self._accept("."):
                name = self._field()
                if self._accept("("):
                    parts = (node, *self._list(")"))
                    node = Node("method", name.text, parts, node.start, self._end, name.start)
                else:
                    node = Node("select", name.text, (node,), node.start, name.end, name.start)
            elif (bracket := self._accept("[")) is not None:
                which = self._expression()
                self._expect("]")
                node = Node("index", "", (node, which), node.start, self._end, bracket.start)
            else:
                return node

    @property
    def _end(self) -> int:
        return self._tokens[self._position - 1].end

    def _field(self) -> Token:
        token = self._next
        if token.kind not in ("name", "word"):
            brackets = f', or brackets: ["{token.text}"]' if token.text.isalpha() else ""
            raise self._unexpected(f"expected the name of a field{brackets}")
        return self._take()

    def _list(self, close: str) -> list[Node]:
        """Parse expressions separated by commas, up to the closing sign."""
        nodes: list[Node] = []
        while not self._accept(close):
            if nodes:
                self._expect(",", f" or {close}")
                if close != ")" and self._accept(close):
                    break
            nodes.append(self._expression())
        return nodes

    def _primary(self) -> Node:
        token = self._next
        if token.kind in ("number", "text", "constant"):
            return self._literal(self._take(), token.start, token.value)
        if token.kind == "name":
            return self._named()
        if self._accept("("):
            node = self._expression()
            self._expect(")", ", or [ ] around a list" if self._next.text == "," else "")
            return node._replace(start=token.start, end=self._end)
        if not self._accept("[", "{"):
            raise self._unexpected("expected a value")
        kind, parts = ("list", self._list("]")) if token.text == "[" else ("map", self._pairs())
        return Node(kind, "", tuple(parts), token.start, self._end, token.start)

    def _named(self) -> Node:
        token = self._take()
        if self._accept("("):
            parts = tuple(self._list(")"))
            return Node("call", token.text, parts, token.start, self._end, token.start)
        return Node("name", token.text, (), token.start, token.end, token.start)

    def _pairs(self) -> list[Node]:
        nodes: list[Node] = []
        while not self._accept("}"):
            if nodes:
                self._expect(",")
                if self._accept("}"):
                    break
            nodes.append(self._expression())
            self._expect(":")
            nodes.append(self._expression())
        return nodes

    def _literal(self, token: Token, start: int, value: Any) -> Node:
        if value.__class__ is int and not -(2**63) <= value < 2**63:
            raise Wrong(self._text, start, f"beyond 64 bits: write {token.text}.0")
        return Node("literal", "", (), start, token.end, start, value)


_LEVELS = (
    ("||",),
    ("&&",),
    ("<", "<=", ">", ">=", "==", "!=", "in"),
    ("+", "-"),
    ("*", "/", "%"),
)
"""Operators by precedence, the lowest first."""
