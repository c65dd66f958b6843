"""Explains errors in the syntax of a YAML file, and finds the place of the mistake.

Pure. The parser reports where it stopped, which is often a line or more after the mistake: it
notices a missing space after a colon at the next colon, and an open bracket at the end.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Mark(NamedTuple):
    """A place in a text; offset, line and column count from 0."""

    offset: int
    line: int
    column: int


class Fault(NamedTuple):
    """A mistake and its place; line and column count from 0."""

    line: int
    column: int
    text: str


QUOTE = "quote the whole value, if it is text"


def explain(text: str, message: str, context: str, at: Mark, since: Mark) -> Fault:
    """Explain an error of the parser.

    `message` is the error at the place `at`; `context` is what it was parsing, from place `since`.
    """
    lines = text.split("\n")
    if text[max(at.offset - 1, 0) : at.offset + 1] == "${":
        hint = "inside { } and [ ], quote ${…}, or write each key on a line of its own"
        return Fault(at.line, at.column, hint)
    for find in (_conflict, _blank, _bracket, _quote, _colon, _indentation):
        fault = find(lines, message, context, at, since)
        if fault is not None:
            return fault
    return Fault(at.line, at.column, _other(message, context))


def no_break_space(text: str) -> Fault | None:
    """Find a line that is indented by a character that only looks like a space."""
    for number, line in enumerate(text.split("\n")):
        found = re.match(r"[ \u00a0\u2003\u3000]*[\u00a0\u2003\u3000]", line)
        if found is not None and line.strip():
            return Fault(number, 0, "indent by spaces only: there is a no-break space here")
    return None


def _conflict(
    lines: list[str], _message: str, _context: str, at: Mark, _since: Mark
) -> Fault | None:
    for number, line in enumerate(lines[: at.line + 1]):
        if re.match(r"(<{7}|>{7})( |$)|={7}$", line):
            return Fault(number, 0, "there is the mark of a merge conflict: resolve it")
    return None


def _blank(lines: list[str], message: str, _context: str, at: Mark, _since: Mark) -> Fault | None:
    if r"'\t'" not in message:
        return None
    indents = not lines[at.line][: at.column].strip()
    hint = "a tab does not indent: write spaces" if indents else "write a space in place of the tab"
    return Fault(at.line, at.column, hint)


def _bracket(lines: list[str], message: str, context: str, at: Mark, since: Mark) -> Fault | None:
    closing = re.search(r"(?:<block end>|node content), but found '([}\]])'", message)
    if closing is not None:
        opening = {"}": "{", "]": "["}[closing[1]]
        return Fault(at.line, at.column, f"no {opening} is open that this {closing[1]} could close")
    if "flow" not in context or not message.startswith("expected ','"):
        return None
    bracket = lines[since.line][since.column]
    closed = {"{": "}", "[": "]"}[bracket]
    between = "\n".join([*lines[since.line : at.line], lines[at.line][: at.column]])
    rest = between[since.column :] + ("" if at.line > since.line else lines[at.line][at.column :])
    if _depth(rest) <= 0:
        return None
    return Fault(since.line, since.column, f"the {bracket} that opens here needs its {closed}")


def _depth(text: str) -> int:
    """Count the brackets open at the end of a text, without those in quotes and comments."""
    bare = re.sub(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|(?<=\s)#.*", "", text)
    return len(re.findall(r"[\[{]", bare)) - len(re.findall(r"[\]}]", bare))


def _quote(lines: list[str], message: str, context: str, at: Mark, since: Mark) -> Fault | None:
    if "escape" in message:
        hint = r"in double quotes a \ begins an escape: write \\, or use single quotes"
        return Fault(at.line, at.column, hint)
    if "quoted scalar" in context:
        mark = lines[since.line][since.column]
        return Fault(since.line, since.column, f"the {mark} that opens here needs another {mark}")
    if "'<scalar>'" not in message or at.column == 0:
        return None
    mark = lines[at.line][: at.column].rstrip()[-1:]
    if mark not in ("'", '"'):
        return None
    for number in range(at.line - 1, -1, -1):  # a text over several lines ends right before
        if lines[number].count(mark) % 2:
            hint = f"the {mark} that opens here needs another {mark}"
            return Fault(number, lines[number].rindex(mark), hint)
    return None


def _colon(lines: list[str], message: str, _context: str, at: Mark, since: Mark) -> Fault | None:
    if message == "could not find expected ':'":
        line, found = lines[since.line], _glued(lines[since.line])
        if found is not None:
            return Fault(since.line, found.end(), _space_behind(found[2]))
        if _AFTER_QUOTE.match(line.strip()):
            return None
        return Fault(since.line, since.column, "a key needs a colon and a value: write key: value")
    if not message.startswith(("mapping values are not allowed", "expected <block end>")):
        return None
    above = _above(lines, at.line)
    found = _glued(lines[above]) if above is not None else None
    if above is not None and found is not None and not _inner_colon(lines[at.line], at.column):
        return Fault(above, found.end(), _space_behind(found[2]))
    return None


def _indentation(lines: list[str], message: str, _context: str, at: Mark, _: Mark) -> Fault | None:
    line, above = lines[at.line], _above(lines, at.line)
    if above is None or _inner_colon(line, at.column):
        return None
    indent, before = _indent(line), _indent(lines[above])
    if message.startswith("mapping values are not allowed") and indent > before:
        problem = f"is indented further than line {above + 1}, which has a value already"
        return Fault(at.line, indent, f"{problem}: align it with the key of that line")
    if not re.search(r"but found '(?:<(?:block|document) \w+(?: start)?>|\?|-)'", message):
        return None
    if lines[above].lstrip().startswith("- ") and indent == before:
        hint = "there is a key among the items of a list: indent it as far as the key of the list"
        return Fault(at.line, indent, hint)
    levels = sorted({_indent(one) for one in lines[: at.line] if _is_written(one)})
    have = " or ".join(str(level) for level in levels)
    problem = f"is indented by {indent} spaces, and the lines above by {have}"
    return Fault(at.line, indent, problem)


def _other(message: str, context: str) -> str:
    """Repeat the message of the parser, with a hint for expressions without quotes."""
    if message.startswith("sequence entries"):
        return "a list begins on the next line, or is written [a, b]"
    if message.startswith("expected a comment or a line break"):
        return "after | or > the text begins on the next line"
    if message.startswith("but "):
        message = f"{context}, {message}"
    return f"{message}; {QUOTE}" if _AFTER_TEXT.search(message) else message


def _glued(line: str) -> re.Match[str] | None:
    """Match a key and its colon that the value follows without a space."""
    return re.match(r"(\s*(?:- +)?)([A-Za-z_][\w.-]*):(?=[^\s:/])", line)


def _space_behind(key: str) -> str:
    return f"a space is missing after the colon: write {key}: and then the value"


def _inner_colon(line: str, column: int) -> bool:
    """Whether a key stands before this colon, so that the colon is part of its value."""
    return bool(re.match(r"\s*(?:- +)*[^\s#:][^#:]*:\s", line[:column]))


def _above(lines: list[str], number: int) -> int | None:
    """Find the nearest line above that is not empty and no comment."""
    return next((at for at in range(number - 1, -1, -1) if _is_written(lines[at])), None)


def _is_written(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


_AFTER_QUOTE = re.compile(r"[\"']")
_AFTER_TEXT = re.compile(
    r"mapping values are not allowed|(?:found|got) '(?:<scalar>|[\[{:?])'|alphabetic or numeric|"
    r"expected ' '|character '[^\\]' that cannot start"
)
"""Messages of PyYAML about expressions: `a ? b : c`, `"a" == b`, `!a && b`, `@a`."""
