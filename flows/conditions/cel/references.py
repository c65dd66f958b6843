"""Finds the references of an expression: to a message, to the group so far, to items of a list.

Pure. `message.order.id` in an expression is the path `order.id`. So the values that a condition
needs are known at load, and nothing else of a message must be kept or converted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from connectors.spelling import problem_of
from flows.conditions.cel.remedies import of_name
from flows.conditions.cel.tokens import Wrong
from flows.conditions.cel.tree import Node
from flows.values.paths import DOCUMENT, HEADERS, PROPERTIES, Path, nearest, parse

VARIABLES = ("message", "header", "property", "routing_key", "exchange", "queue", "group")
FUNCTIONS = ("sum", "min", "max", "avg")
"""The running values of a group, each over a path."""
OF_GROUP = ("key", "count", "bytes", "age")


class OfMessage(NamedTuple):
    """A place in the message."""

    path: Path


class OfGroup(NamedTuple):
    """A value of the group so far."""

    name: str
    path: Path | None = None
    """The path of a running value; `None`: it is `key`, `count`, `bytes` or `age`."""


class OfItem(NamedTuple):
    """A place in an item of the list that a macro iterates over."""

    variable: str
    names: tuple[str, ...]


Reference = OfMessage | OfGroup | OfItem
Scope = tuple[str, ...]
"""Names bound by the enclosing macros, the outermost first."""


def refer(node: Node, text: str, scope: Scope) -> Reference | None:
    """Return what a node of the expression `text` refers to; `None`: it is no reference.

    Raises:
        Wrong: it refers to an unknown name.
    """
    if node.kind == "method" and node.parts[0].kind == "name" and node.parts[0].name == "group":
        return _running(node, text)
    names: list[str] = []
    base, dotted = node, True
    while base.kind != "name":
        if base.kind == "select":
            names.insert(0, base.name)
        elif base.kind == "index" and isinstance(base.parts[1].value, str):
            name = base.parts[1].value
            if name == "" or name.isdigit():  # as a path, it would also index arrays
                return None
            names.insert(0, name)
            dotted = False
        else:
            return None
        base = base.parts[0]
    if base.name in scope:
        return OfItem(base.name, tuple(names))
    return _named(base, tuple(names), dotted, node, text)


def _named(
    base: Node, names: tuple[str, ...], dotted: bool, node: Node, text: str
) -> Reference | None:
    root = base.name
    if root == "message":
        return OfMessage(_field(names, dotted) if names else DOCUMENT)
    if root in ("routing_key", "exchange", "queue") and not names:
        return OfMessage(parse(root))
    if root == "header" and len(names) < 2:
        return OfMessage(Path(f"header.{names[0]}", "header", names) if names else HEADERS)
    if root in ("property", "group") and len(names) < 2:
        return _known(root, names, node, text)
    return None


def _known(root: str, names: tuple[str, ...], node: Node, text: str) -> Reference:
    known = PROPERTIES if root == "property" else OF_GROUP
    if not names:
        raise Wrong(text, node.at, f"{root} needs a name: write {root}.{known[1]}")
    if names[0] not in known:
        remedy = nearest(names[0], known if root == "property" else (*known, *FUNCTIONS))
        raise Wrong(text, node.at, f"there is no {root}.{names[0]}: {remedy}")
    return OfGroup(names[0]) if root == "group" else OfMessage(parse(f"property.{names[0]}"))


def _field(names: tuple[str, ...], dotted: bool) -> Path:
    """Write the path as a user would, so that it equals the same path in the spec."""
    if not dotted:
        escaped = [name.replace("~", "~0").replace("/", "~1") for name in names]
        return Path("".join(f"/{name}" for name in escaped), "document", names)
    written = Path(".".join(names), "document", names)
    return (
        written if parse(written.text) == written else written._replace(text=f"body.{written.text}")
    )


def _running(node: Node, text: str) -> OfGroup:
    if node.name not in FUNCTIONS:
        raise Wrong(
            text, node.at, f"there is no group.{node.name}(…): {nearest(node.name, FUNCTIONS)}"
        )
    arguments = node.parts[1:]
    if len(arguments) != 1 or not isinstance(arguments[0].value, str):
        at = arguments[0].at if arguments else node.at
        example = f'group.{node.name}("amount")'
        raise Wrong(text, at, f"{node.name} takes a constant path in quotes: {example}")
    problem = problem_of(arguments[0].value)
    if problem is not None:
        raise Wrong(text, arguments[0].at, problem)
    try:
        return OfGroup(node.name, parse(arguments[0].value))
    except ValueError as error:
        raise Wrong(text, arguments[0].at, str(error)) from None


def unknown(node: Node, text: str, variables: Sequence[str]) -> Wrong:
    """Return the error for an unknown variable."""
    of_group = OF_GROUP if "group" in variables else ()
    return Wrong(text, node.at, of_name(text, node.start, variables, of_group))
