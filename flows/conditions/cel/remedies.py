"""Finds the remedy for an invalid condition: unknown names, and signs of other languages.

Pure. It runs only after an error was found.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches

from connectors.spelling import kind_of_root, names_in
from flows.values.paths import PROPERTIES, nearest


def of_name(text: str, start: int, variables: Sequence[str], of_group: Collection[str]) -> str:
    """Return the error and the remedy for an unknown variable at `start` of a condition.

    `of_group`: the names of a group's values; empty if the condition cannot read the group.
    """
    before, name = text[:start], _WORD.match(text, start)[0]  # type: ignore[index]
    # header.x-order is the difference of two variables.
    dashed = re.search(r"([A-Za-z_][\w.]*)\.([\w-]+-)$", before)
    if dashed is not None:
        rest = re.match(r"[\w-]*", text[start:])
        whole = dashed[2] + (rest[0] if rest else "")
        return f'a minus sign ends a name: write {dashed[1]}["{whole}"]'
    names = _chain(text, start)
    if len(names[0]) > len(name):
        return f"a minus sign ends a name: write {_of_message(names)}"
    there_is_no = f"there is no {name}: "
    if name.lower() in _CONSTANTS:
        return there_is_no + f"write {_CONSTANTS[name.lower()]}"
    if len(names) == 1 and name in of_group:
        return there_is_no + f"write group.{name}, or message.{name} for a field"
    near = get_close_matches(name, variables, n=1, cutoff=0.8)
    if near and kind_of_root(name) is None:
        return there_is_no + f"did you mean {near[0]}?"
    return there_is_no + f"write {_of_message(names)}{_else(before, names)}"


def _else(before: str, names: Sequence[str]) -> str:
    if len(names) > 1:
        return ""
    quoted = f', or "{names[0]}" if it is a text' if _AFTER_COMPARISON.search(before) else ""
    return f" or property.{names[0]}{quoted}" if names[0] in PROPERTIES else quoted


def of_call(
    name: str, known: Sequence[str], methods: Collection[str], running: Sequence[str]
) -> str:
    """Return the error and the remedy for an unknown function `name(…)`."""
    there_is_no = f"there is no {name}(…): "
    if name in running:
        return there_is_no + f'write group.{name}("amount"), in until'
    if name in methods:
        return there_is_no + f"write x.{name}(…)"
    remedy = _CALLS.get(name.lower()) or _METHODS.get(name.lower())
    return there_is_no + (remedy or nearest(name, known))


def of_method(name: str, known: Sequence[str]) -> str:
    """Return the error and the remedy for an unknown method `x.name(…)`."""
    return f"there is no .{name}(…): {_METHODS.get(name.lower()) or nearest(name, known)}"


def of_character(text: str, position: int) -> str:
    """Return the error and the remedy for a character that no condition has."""
    character, rest = text[position], text[position:]
    if character in "\"'":
        return f"the text has no end: it needs another {character}"
    if character in "&|":
        return f"write {character * 2}"
    unexpected = f"unexpected {character}"
    names = re.match(r"[$@]\.?[\w.-]+", rest)
    if names is not None:
        name = names[0] if character == "@" and names[0][1] != "." else names[0].lstrip("$@.")
        within = re.search(r"([A-Za-z_][\w.]*)\.$", text[:position])
        written = f'{within[1]}["{name}"]' if within else _of_message(name.split("."))
        return f"{unexpected}: write {written}"
    remedy = _CHARACTERS.get(character)
    return f"{unexpected}: {remedy}" if remedy else unexpected


def of_sign(text: str, found: str, start: int) -> str:
    """Return the remedy for an unexpected sign or word; empty: there is none."""
    before, around = text[:start].rstrip(), text[max(start - 1, 0) : start + len(found) + 1]
    last = _LAST_WORD.search(before)
    if last is not None and last[0].lower() == "not":
        return "write !"
    if "<>" in around:
        return "write !="
    if around.startswith("->"):
        return "write a dot, as in message.order.id"
    template = _TEMPLATE.match(text)
    if template is not None and found in _OPENING and start < template.end():
        return f"write {_of_message([name for name in names_in(template[1]) if name])}"
    if found == "*" and before.endswith("["):
        return "test the items of a list with .exists(x, …)"
    return _SIGNS.get(found.lower(), "")


def _chain(text: str, start: int) -> list[str]:
    """Return the names from `start` on, separated by dots, without the name of a method."""
    chain = _CHAIN.match(text, start)
    assert chain is not None
    names = chain[0].split(".")
    return names[:-1] if len(names) > 1 and text[chain.end() : chain.end() + 1] == "(" else names


def _of_message(names: Sequence[str]) -> str:
    """Write names as a condition; the first one may be another tool's name for the message."""
    root, rest = names[0], names[1:]
    kind = kind_of_root(root)
    if kind == "routing_key":
        return kind
    if kind is None or not rest:
        root, rest = ("message", names) if kind is None else (_VARIABLES[kind], rest)
    else:
        root = _VARIABLES[kind]
    return root + "".join(f".{n}" if _WORD.fullmatch(n) else f'["{n}"]' for n in rest)


_VARIABLES = {"document": "message", "header": "header", "property": "property"}
_WORD = re.compile(r"[A-Za-z_]\w*")
_LAST_WORD = re.compile(r"\w+$")
_CHAIN = re.compile(r"[A-Za-z_]\w*(?:-[A-Za-z_]\w*)*(?:\.[A-Za-z_]\w*(?:-[A-Za-z_]\w*)*)*")
_TEMPLATE = re.compile(r"\s*(?:%?\{+[\s%]*(?=[^{}]*\}))?([$@.\w\[\]-]*\w\]*)")
_OPENING = ("%", "{", "{{", ".", "}")
_AFTER_COMPARISON = re.compile(r"(?:[=!<>]=|[<>\[,]|\bin)\s*$")
_CONSTANTS = {
    **dict.fromkeys(("none", "null", "nil", "undefined"), "null"),
    "true": "true",
    "false": "false",
}
_CALLS = {
    **dict.fromkeys(("exists", "defined", "exist", "isset", "present"), "write has(message.order)"),
    **dict.fromkeys(("now", "time", "date"), "a condition has no clock; until has group.age"),
    **dict.fromkeys(("str", "text"), "write string(x)"),
    **dict.fromkeys(("float", "number"), "write double(x)"),
    **dict.fromkeys(("len", "length", "count"), "write size(x)"),
    "not": "write !(…)",
}
_METHODS = {
    **dict.fromkeys(("length", "len", "count"), "write x.size()"),
    **dict.fromkeys(("includes", "has", "find", "search"), "write x.contains(…)"),
    **dict.fromkeys(("equals", "eq", "equal"), "write x == …"),
    **dict.fromkeys(
        ("lower", "upper", "tolower", "toupper", "tolowercase", "touppercase", "equalsignorecase"),
        'write x.matches("(?i)^end$"), or x.lowerAscii()',
    ),
    **dict.fromkeys(("match", "test", "regex", "like"), "write x.matches(…)"),
    **dict.fromkeys(("get", "getvalue"), 'write message["order"]'),
    **dict.fromkeys(("isempty", "empty"), "write x.size() == 0"),
}
_CHARACTERS = {
    **dict.fromkeys("\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb`", "texts stand in \" or '"),
    "#": "a comment begins with //",
    ";": "a condition is one expression, without ;",
    "~": "write x.matches(…)",
    "\\": "only texts have it",
}
_SIGNS = {
    "=": "write == to compare",
    **dict.fromkeys(("and", "&&"), "write &&"),
    **dict.fromkeys(("or", "||"), "write ||"),
    "not": "write !",
    **dict.fromkeys(("is", "eq", "equals"), "write =="),
    **dict.fromkeys(("ne", "neq"), "write !="),
    **{"gt": "write >", "ge": "write >=", "lt": "write <", "le": "write <="},
    **dict.fromkeys(("gte", "lte"), "write >= or <="),
    **dict.fromkeys(("like", "matches", "regex", "rlike"), "write x.matches(…)"),
    **dict.fromkeys(("contains", "includes"), "write x.contains(…)"),
    "between": "write x >= 1 && x <= 2",
    "if": "write the condition alone",
}
"""Remedies by sign or word, in lower case."""
