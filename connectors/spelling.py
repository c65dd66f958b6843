"""Recognises texts that are no path: notations of other tools, expressions, unknown roots.

Pure. It finds the error, the path to write instead, and the path of a field that really has such a
name.

    {order}  %{[order][id]}  {{ .order }}  $.order  .order  order[0]  order/id    other notations
    a * b    -seq  seq desc  sum(a)  a, b                                         expressions
    message.order  headers.x  properties.type  routingKey                         other roots
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NO_POINTER = "the name of a field is no JSON Pointer"


def problem_of(text: str, pointers: bool = True) -> str | None:
    """Return why a text is no path, with the remedy; `None`: it is a path or a JSON Pointer.

    With `pointers`, a text that begins with `/` is a JSON Pointer, which can have any name. After
    `header.`, every character belongs to the name.
    """
    if text.startswith("header.") or (pointers and text.startswith("/")):
        return None
    exactly = f"; a field of exactly this name is written {pointer([text])}" if pointers else ""
    for pattern, problem in _NOTATIONS:
        if pattern.search(text):
            ours = written(names_in(text))
            if not pointers and ours.startswith("/"):
                ours = ""
            return f"{problem}: write {ours or 'it as in order.id'}{exactly}"
    for pattern, problem in _EXPRESSIONS:
        if pattern.search(text):
            return f"{problem}{exactly}"
    if pointers and _INDEXED.search(text):
        problem = "only a JSON Pointer names an item of an array"
        return f"{problem}: write {written(names_in(text))}{exactly}"
    return None if text.startswith("body.") else _problem_of_root(text)


def field_path(text: str) -> str:
    """Check the dotted path of a field of the document; a JSON Pointer is no such path.

    Returns:
        The path, without a `body.` that only distinguishes it from `header.` and `property.`.

    Raises:
        ValueError: it names no field; the text has the remedy.
    """
    root, _, rest = text.partition(".")
    if root == "body" and "." in rest and kind_of_root(rest.split(".")[0]) is not None:
        return rest
    if rest and kind_of_root(root) in ("header", "property"):
        raise ValueError(f"must be a field of the document; write body.{text} for one of that name")
    problem = problem_of(text, pointers=False)
    if problem is not None:
        raise ValueError(problem)
    return text


def names_in(text: str) -> list[str]:
    """Return the names in a path of any notation, including the root."""
    text = _WRAPPED.sub(r"\1", text.strip())
    text = re.sub(r"^doc(\[.*?\])\.value$", r"\1", text)
    text = re.sub(r"^[$@](?=[.\[]|$)|^[-+!~]|[\s:]+(?:asc|desc)\w*$", "", text, flags=re.IGNORECASE)
    text = re.sub(r"->|::|\?\.", ".", text)
    return [next(filter(None, parts), "").strip() for parts in _NAME.findall(text)]


def written(names: Sequence[str]) -> str:
    """Write names as a path of Hopper: dotted if that is the same, else as a JSON Pointer.

    Empty: no path can have these names.
    """
    root, rest = names[0] if names else "", list(names[1:])
    if root == "ctx" and rest[1:]:
        root, rest = rest[0], rest[1:]
    kind = _KINDS.get(root, "") if rest else ""
    if kind == "property" and rest[0] == "headers":
        kind, rest = "header", rest[1:]
    if kind in ("header", "property"):
        return f"{kind}.{'.'.join(rest)}" if rest and _PLAIN("".join(rest)) else ""
    within = rest if kind == "document" else [root, *rest]
    if "" in within or not all(_SAYABLE(name) for name in within):
        return ""
    if not all(_PLAIN(name) and not name.isdigit() for name in within):
        return pointer(within)
    prefix = "body." if within[0] in ("header", "property", "body") and within[1:] else ""
    return prefix + ".".join(within)


def kind_of_root(name: str) -> str | None:
    """Return the root that `name` means before a path: `document`, `header` or `property`.

    `routing_key` for another spelling of it; `None`: it means no root.
    """
    return "routing_key" if name in _ROUTING_KEY else _KINDS.get(name)


def pointer(names: Sequence[str]) -> str:
    """Write names as a JSON Pointer."""
    return "".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in names)


def _problem_of_root(text: str) -> str | None:
    root, _, rest = text.partition(".")
    if not rest:
        if root in _ROUTING_KEY:
            return f"the routing key is written routing_key; a field of that name, body.{root}"
        return None
    kind = _KINDS.get(root)
    if kind is None or root == kind:
        if kind == "property" and rest.split(".")[0] == "headers":
            return f"headers are not among the properties: write header{rest[7:] or '.x-order'}"
        return None
    ours, theirs = written(text.split(".")), f"body.{text}"
    problem = f"there is no {root}. in front of a path"
    return f"{problem}: write {ours}, or {theirs} if the document has a field called {root}"


_KINDS = {
    **dict.fromkeys(("message", "msg", "this", "ctx", "_source", "body"), "document"),
    **dict.fromkeys(("header", "headers", "message_headers"), "header"),
    **dict.fromkeys(
        ("property", "properties", "props", "basic_properties", "message_properties"), "property"
    ),
}
"""The names of roots, in Hopper and in other tools, and the root that each means."""
_ROUTING_KEY = ("routingKey", "routing-key", "routingkey", "RoutingKey")

_WRAPPED = re.compile(r"^(?:[$%#]?\{+|<|[\"'`])\s*(.*?)\s*(?:\}+|>|[\"'`])$", re.DOTALL)
_NAME = re.compile(r"\[\s*'([^']*)'\s*\]|\[\s*\"([^\"]*)\"\s*\]|\[([^\]]*)\]|([^.\[\]/]+)")
_PLAIN = re.compile(r"[\w@$#:. -]*[\w@$#]").fullmatch
_SAYABLE = re.compile(r"[^*{}()\[\]<>|&=\"'`,;+!?\\^]+").fullmatch

_A_PATH = "a path names one field"
_COMPUTES = re.compile(
    r"[*=<>|&!?()+^\"'`\\]|\s[-/%]\s|\s(?:and|or|not|in|is|as|by|if|then|else|like)\s",
    re.IGNORECASE,
)
_NOTATIONS = (
    (re.compile(r"[{}]"), "a path stands without braces"),
    (re.compile(r"^([\"'`])[^\"'`]*\1$"), "a path stands without quotes in it"),
    (re.compile(r"^<.*>$"), "a path stands without < and >"),
    (re.compile(r"^[$@](?=[.\[]|$)"), "a path does not begin with $ or @, as it would in JSONPath"),
    (re.compile(r"^\.(?!\.*$)"), "a path does not begin with a dot"),
    (
        re.compile(r"\[(?:\s*\*?\s*|[^\]]*:[^\]]*)\]"),
        f"{_A_PATH}, and not all that are in an array",
    ),
    (re.compile(r"[\[\]]"), "a path has no brackets"),
    (re.compile(r"^[^\s()]*(?:->|::|\?\.)"), "dots separate names"),
    (
        re.compile(r"[\s:](?:asc|desc)(?:ending)?$", re.IGNORECASE),
        f"{_A_PATH} and no direction: order goes from the least to the greatest",
    ),
    (re.compile(r"^[-+!~](?=[^\s*()]+$)"), f"{_A_PATH}, without a sign in front"),
    (re.compile("^/"), NO_POINTER),
    (re.compile(r"^[^\s/]+(?:/[^\s/]+)+/?$"), "dots separate names"),
)
"""Notations whose path is mostly clear."""
_EXPRESSIONS = (
    (re.compile(r"^(?:count\()?\*\)?$"), f"{_A_PATH}; to count all messages, write count alone"),
    (re.compile(r"\.\*|\*\."), f"{_A_PATH}, and not all that match a *"),
    (re.compile(r"[,;]"), f"{_A_PATH}; several are a list, as in [order, line]"),
    (
        _COMPUTES,
        f"{_A_PATH} and computes nothing: let the sender put the result into a field, or take a "
        "function of your own, as in reduce: my_rules:total",
    ),
)
_INDEXED = re.compile(r"\.\d+(?=\.|$)")
