"""Cuts an expression in CEL into tokens; pure."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from flows.conditions.cel.remedies import of_character
from flows.conditions.cel.values import Unsigned


class Wrong(ValueError):
    """An expression is invalid; the text has line, column and the remedy."""

    def __init__(self, text: str, position: int, what: str) -> None:
        line = text.count("\n", 0, position) + 1
        column = position - text.rfind("\n", 0, position)
        super().__init__(f"line {line}, column {column}: {what}")


class Token(NamedTuple):
    """The smallest unit of an expression."""

    kind: str
    """`name`, `word` (reserved by CEL), `number`, `text` (or bytes), `constant` (true, false,
    null), `sign`, or `end`."""
    text: str
    start: int
    end: int
    value: Any = None


def tokens(text: str) -> list[Token]:
    """Return all tokens, and one of the kind `end`.

    Raises:
        Wrong: a character begins no token.
    """
    found = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Wrong(text, position, of_character(text, position))
        position = match.end()
        if match.lastgroup != "blank":
            found.append(_token(text, match))
    return [*found, Token("end", "", len(text), len(text))]


def _token(text: str, match: re.Match[str]) -> Token:
    kind, found = match.lastgroup or "", match[0]
    value: Any = None
    if kind == "text":
        value = _unescaped(text, match)
    elif kind == "number":
        value = _number(found.rstrip("uU"))
        if found[-1] in "uU":
            if value >= 2**64:
                raise Wrong(text, match.start(), "beyond 64 bits")
            value = Unsigned(value)
    elif kind == "name" and found in _CONSTANTS:
        kind, value = "constant", _CONSTANTS[found]
    elif kind == "name" and found in _WORDS:
        kind = "sign" if found == "in" else "word"
    return Token(kind, found, match.start(), match.end(), value)


def _number(text: str) -> int | float:
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    return int(text) if text.isdigit() else float(text)


def _unescaped(text: str, match: re.Match[str]) -> str | bytes:
    """Return the value of a literal: a text, or bytes, whose letters are in UTF-8."""
    start = match.end("quotes")
    inner = text[start : match.end() - len(match["quotes"])]
    if len(match["quotes"]) == 1 and "\n" in inner:
        raise Wrong(text, match.start(), of_character(text, match.end() - 1))

    of_bytes = match[0][0] in "bB"

    def character(escape: re.Match[str]) -> str:
        code = escape[1]
        if code in _ESCAPES:
            return _ESCAPES[code]
        number = _NO_CHARACTER
        if len(code) > 1:
            number = int(code, 8) if code[0].isdigit() else int(code[1:], 16)
            if of_bytes and code[0] in "xX0123":
                return chr(number if number < 0x80 else _BYTES + number)
        if number >= _NO_CHARACTER or 0xD800 <= number < 0xE000:
            raise Wrong(text, start + escape.start(), rf"\{code} is no character; \ is written \\")
        return chr(number)

    value = inner if match["raw"] else _ESCAPE.sub(character, inner)
    return value.encode(errors="surrogateescape") if of_bytes else value


_CONSTANTS = {"true": True, "false": False, "null": None}
_WORDS = frozenset(
    re.findall(
        r"\w+",
        "as break const continue else for function if import in let loop package namespace return"
        " var void while",
    )
)
_ESCAPES = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))
_ESCAPE = re.compile(
    r"\\([xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.DOTALL
)
_NO_CHARACTER = 0x110000
_BYTES = 0xDC00
"""The offset by which Python's `surrogateescape` keeps a byte from 0x80 on in a text."""
_TOKEN = re.compile(
    r"""
      (?P<blank> \s+ | //[^\n]* )
    | (?P<text> (?: (?P<raw> [bB]?[rR] ) | [bB] )? (?P<quotes> \"{3} | '{3} | \" | ' )
        (?: (?(raw) . | (?: \\. | [^\\] ) ) )*? (?P=quotes) )
    | (?P<number> 0[xX][0-9a-fA-F]+[uU]? | \d*\.\d+(?:[eE][+-]?\d+)? | \d+[eE][+-]?\d+ | \d+[uU]? )
    | (?P<name> [A-Za-z_]\w* )
    | (?P<sign> && | \|\| | [=!<>]= | [-+*/%<>!?:.,()\[\]{}=] )
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
