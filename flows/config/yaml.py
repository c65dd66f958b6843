"""Reads YAML into plain values, each with its place in the file.

It knows no pipeline. It differs from PyYAML's own loaders: scalars follow YAML 1.2, duplicate keys
are errors, `${…}` is substituted, and all problems are reported, not only the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from flows.config.substitution import Placeholder, problem_of_dollar, substitute
from flows.config.syntax import Fault, Mark, explain, no_break_space

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the file to a value."""


Pair = tuple[yaml.ScalarNode, yaml.Node]
"""A key and its value."""


class Place(NamedTuple):
    """A place in the file; line and column count from 1."""

    line: int
    column: int


class FileProblem(NamedTuple):
    """A problem of the file."""

    place: Place
    path: Path
    text: str


class YamlDocument:
    """A YAML document as plain values, with the place of each."""

    def __init__(self) -> None:
        self.value: Any = None
        self.places: dict[Path, Place] = {}
        """The places of values."""
        self.keys: dict[Path, Place] = {}
        """The places of their keys."""
        self.substituted: dict[Path, str] = {}
        """The texts of scalars with a `${…}`, after substitution."""
        self.unset: dict[Path, list[str]] = {}
        """The names that placeholders replace, by the path of their key: `NAME`, or
        `file:/path`."""
        self.problems: list[FileProblem] = []

    def leave_out(self, key: str) -> None:
        """Forget a key at the top, and all that is wrong below it."""
        if isinstance(self.value, dict):
            self.value.pop(key, None)
        self.problems = [one for one in self.problems if one.path[:1] != (key,)]
        self.unset = {at: names for at, names in self.unset.items() if at[:1] != (key,)}


def read(
    content: str | bytes,
    environment: Mapping[str, str],
    placeholder: Callable[[Path, str], str] | None = None,
) -> YamlDocument:
    """Read a document; its errors are in its `problems`.

    With problems, the values lack the parts that the problems name. A `${…}` without a value is a
    problem too, unless there is a `placeholder`: (path of the key, name) -> the value to use.
    """
    document = YamlDocument()
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = Place(error.object.count(b"\n", 0, error.start) + 1, 1)
        document.problems.append(FileProblem(place, (), "is not text in UTF-8"))
        return document
    blank = no_break_space(text)
    if blank is not None:
        document.problems.append(_found(blank))
        return document
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        document.problems.append(_explained(error, text))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        document.problems.append(FileProblem(place, (), f"not YAML: {error.reason}"))
    else:
        if node is not None:
            document.value = _Reading(document, environment, placeholder).value(node, ())
    return document


class _Loader(yaml.SafeLoader):
    """Finds the type of plain scalars by the rules of YAML 1.2's core schema."""


_Loader.yaml_implicit_resolvers = {}  # none of YAML 1.1, where `on` is true and 1:30 is 90


def _int(text: str) -> int:
    return int(text, 0) if text.startswith(("0x", "0o")) else int(text)


def _float(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_TAG = "tag:yaml.org,2002:"
_STR, _MERGE = _TAG + "str", _TAG + "merge"
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    _STR: str,
    _TAG + "null": lambda _: None,
    _TAG + "bool": lambda text: text == "true",
    _TAG + "int": _int,
    _TAG + "float": _float,
    _MERGE: str,  # as a value, << is text
}

for _name, _pattern in (
    ("null", r"null|~|"),
    ("bool", r"true|false"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan"),
    ("merge", r"<<"),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), None)

_OTHER_SPELLING = re.compile(r"True|TRUE|False|FALSE|Null|NULL")
"""YAML 1.2 reads these as `true`, `false` and `null`. They are errors here: each value has one
spelling, and as text they would surprise the broker, for example."""


class _Reading:
    """Walks once over the nodes of a document."""

    def __init__(
        self,
        document: YamlDocument,
        environment: Mapping[str, str],
        placeholder: Callable[[Path, str], str] | None,
    ) -> None:
        self._document, self._environment = document, environment
        self._placeholder = placeholder
        self._open: list[yaml.Node] = []
        self._resolve: Callable[..., str] = _Loader("").resolve

    def value(self, node: yaml.Node, path: Path) -> Any:
        """Read a node, and everything below it."""
        self._document.places[path] = _place(node.start_mark)
        if node in self._open:
            return self._problem(node, path, "contains itself")
        self._open.append(node)
        try:
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, path)
            if node.tag not in (_TAG + "map", _TAG + "seq"):
                return self._problem(node, path, _unknown(node.tag))
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return [self.value(item, (*path, at)) for at, item in enumerate(node.value)]
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in self._pairs(node, path):
            below = (*path, key.value)
            self._document.keys[below] = _place(key.start_mark)
            values[key.value] = self.value(value, below)
        return values

    def _pairs(self, node: yaml.MappingNode, path: Path) -> Iterator[Pair]:
        """Keys and values: those of the mapping itself first, since they win over merged ones."""
        lines: dict[str, int] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                braces = isinstance(key, yaml.MappingNode) and key.flow_style
                hint = "; quote a value that begins with {" if braces else ""
                self._problem(key, path, f"a key must be text{hint}")
            elif key.tag == _MERGE:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif key.value in lines:
                first = lines[key.value]
                self._problem(key, (*path, key.value), f"duplicate key: it is in line {first} too")
            else:
                lines[key.value] = key.start_mark.line + 1
                yield key, value
        for other in merged:
            if other in self._open or not isinstance(other, yaml.MappingNode):
                self._problem(other, path, "<< needs another mapping")
                continue
            self._open.append(other)
            for key, value in self._pairs(other, path):
                if key.value not in lines:
                    lines[key.value] = key.start_mark.line + 1
                    yield key, value
            self._open.pop()

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text, tag = node.value, node.tag
        if "$" in text:
            problem = problem_of_dollar(text)
            if problem is not None:
                return self._problem(node, path, problem)
            try:
                text = substitute(text, self._environment, self._placeholder_at(path))
            except ValueError as error:
                return self._problem(node, path, str(error))
            if text != node.value:  # a lone dollar hides nothing
                self._document.substituted[path] = text
            if node.style is None:
                tag = self._resolve(yaml.ScalarNode, text, (True, False))
        elif node.style is None and tag == _STR and _OTHER_SPELLING.fullmatch(text):
            return self._problem(node, path, f"write {text.lower()}, or quote it if it is text")
        try:
            return _FROM_TEXT[tag](text)
        except KeyError:
            return self._problem(node, path, _unknown(tag))
        except ValueError:
            return self._problem(node, path, f"is no {tag.removeprefix(_TAG)}")

    def _placeholder_at(self, path: Path) -> Placeholder | None:
        make = self._placeholder
        if make is None:
            return None

        def placeholder(name: str) -> str:
            self._document.unset.setdefault(path, []).append(name)
            return make(path, name)

        return placeholder

    def _problem(self, node: yaml.Node, path: Path, text: str) -> None:
        self._document.problems.append(FileProblem(_place(node.start_mark), path, text))


def _unknown(tag: str) -> str:
    hint = "; quote the whole value, if it is text" if re.match("!(?!!)", tag) else ""
    return f"unknown tag {tag}{hint}"


def _explained(error: yaml.MarkedYAMLError, text: str) -> FileProblem:
    since = error.context_mark or error.problem_mark
    at = error.problem_mark or since
    said, context = str(error.problem), str(error.context)
    return _found(explain(text, said, context, _mark(at), _mark(since)))


def _mark(mark: Any) -> Mark:
    return Mark(mark.index, mark.line, mark.column)


def _found(fault: Fault) -> FileProblem:
    return FileProblem(Place(fault.line + 1, fault.column + 1), (), f"not YAML: {fault.text}")


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)
