"""What an expression looks at: places in a message, running values of a group, items of a list.

Pure. `message.order.id` in an expression is the path `order.id`; so it can be said at load which
values of a message are wanted, and nothing else of it needs to be kept or converted.
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
"""Running values of a group, by the path of a field."""
OF_GROUP = ("key", "count", "bytes", "age")


class OfMessage(NamedTuple):
    """A place in the message."""

    path: Path


class OfGroup(NamedTuple):
    """Something of the group so far."""

    name: str
    path: Path | None = None
    """Of what it is the sum and so on."""


class OfItem(NamedTuple):
    """A place in an item of a list that a macro goes through."""

    variable: str
    names: tuple[str, ...]


Reference = OfMessage | OfGroup | OfItem
Scope = tuple[str, ...]
"""Names bound by macros around, the outermost first."""


def refer(node: Node, text: str, scope: Scope) -> Reference | None:
    """What a piece of an expression refers to; `None`: nothing, as a whole.

    Raises:
        Wrong: what it refers to is not there; `text` is the whole expression.
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
            if name == "" or name.isdigit():  # of an object only; a pointer would go into arrays
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
        raise Wrong(text, node.at, f"{root} of what? Write {root}.{known[1]}")
    if names[0] not in known:
        remedy = nearest(names[0], known if root == "property" else (*known, *FUNCTIONS))
        raise Wrong(text, node.at, f"there is no {root}.{names[0]}: {remedy}")
    return OfGroup(names[0]) if root == "group" else OfMessage(parse(f"property.{names[0]}"))


def _field(names: tuple[str, ...], dotted: bool) -> Path:
    """Written as a user would, so that it is equal to the same path elsewhere."""
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
        raise Wrong(
            text, at, f"{node.name} takes a path in quotes, known from the start: {example}"
        )
    problem = problem_of(arguments[0].value)
    if problem is not None:
        raise Wrong(text, arguments[0].at, problem)
    try:
        return OfGroup(node.name, parse(arguments[0].value))
    except ValueError as error:
        raise Wrong(text, arguments[0].at, str(error)) from None


def unknown(node: Node, text: str, variables: Sequence[str]) -> Wrong:
    """What to say of the name of a variable that there is not."""
    of_group = OF_GROUP if "group" in variables else ()
    return Wrong(text, node.at, of_name(text, node.start, variables, of_group))
