"""Generates the tables of keys, commands and metrics in the documents, and the JSON Schema.

`python -m flows.reference --write` brings `docs/reference.md`, `docs/operations.md`,
`docs/commands.md` and `flows/pipeline.schema.json` up to date; without `--write` it checks them.
The texts are the docstrings of the models, the help of the metrics, and `--help` of the commands.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from connectors import metrics
from connectors.units import duration_text, size_text
from flows.audit import collector
from flows.cli.page import page
from flows.spec import Pipeline

FOLDER = Path(__file__).parent
DOCS, SCHEMA = FOLDER.parent / "docs", FOLDER / "pipeline.schema.json"

Node = dict[str, Any]
"""A part of a JSON Schema."""


def schema() -> Node:
    """Make the JSON Schema that editors check and complete `pipeline.yaml` with."""
    root = _plain_schema()
    for mapping in (root, *root["$defs"].values()):
        for node in mapping["properties"].values():
            _allow_substitution(node)
    return {"$schema": GenerateJsonSchema.schema_dialect, **root, "title": "pipeline.yaml"}


def reference() -> str:
    """Make the reference of all keys, in Markdown: a table for each mapping."""
    root = _plain_schema()
    return "\n".join(_section(root, root["$defs"], ""))


def counted() -> str:
    """Make the table of all metrics, in Markdown."""
    lines = ["| Metric | Kind | Labels | |", "|---|---|---|---|"]
    for name, kind, labels, text in (*collector.described(), *metrics.described()):
        lines.append(f"| `{name}` | {kind} | {', '.join(map(_code, labels))} | {text} |")
    return "\n".join(lines)


class _Generator(GenerateJsonSchema):
    """Leaves out the titles that only repeat the keys."""

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False


def _plain_schema() -> Node:
    """Simplify pydantic's schema: a key with several alternatives has them in one flat list.

    `null` is an alternative only where it is not the default, since a key can be omitted.
    """
    root = Pipeline.model_json_schema(schema_generator=_Generator)
    for mapping in (root, *root["$defs"].values()):
        mapping["description"] = _one_line(mapping["description"])
        for node in mapping["properties"].values():
            if "description" not in node:  # take that of the mapping itself
                name, _ = next(_references(node))
                node["description"] = root["$defs"][name]["description"]
            node["description"] = _one_line(node["description"])
            alternatives = [*_flat(node)]
            if node.get("default") is None:
                alternatives = [part for part in alternatives if part.get("type") != "null"]
            if alternatives != [node]:
                node.pop("anyOf", None)
                node.pop("oneOf", None)
                node.update(alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives})
            write = _WRITTEN.get(alternatives[0].get("title", ""))
            if node.get("default") is None or isinstance(node["default"], dict):
                node.pop("default", None)  # its keys have theirs
            elif write:
                node["default"] = write(node["default"])
    return root


_WRITTEN: dict[str, Callable[[Any], str]] = {"duration": duration_text, "size": size_text}
"""How to write defaults that are numbers in the code."""


def _flat(node: Node) -> Iterator[Node]:
    parts = node.get("anyOf") or node.get("oneOf")
    if parts is None:
        yield node
    for part in parts or ():
        yield from _flat(part)


def _allow_substitution(node: Node) -> None:
    """Allow `${NAME}` where a number, or one of a few words, is expected."""
    alternatives = node.get("anyOf", [node])
    rules = {"enum", "const", "pattern", "minimum", "maximum"}
    if any(rules & part.keys() or part.get("type") == "boolean" for part in alternatives):
        rule = {key: node.pop(key) for key in list(node) if key not in _ABOUT}
        node["anyOf"] = [*rule.get("anyOf", [rule]), {"type": "string", "pattern": r"\$\{.+\}"}]


_ABOUT = ("description", "default", "examples")
"""Keys of a schema that describe a value, and are no rule."""


def _section(mapping: Node, definitions: dict[str, Node], path: str) -> Iterator[str]:
    """The table of a mapping, and those of the mappings in it."""
    if path:
        yield f"\n## `{path}`\n\n{mapping['description']}\n"
    yield "| Key | Value | Default | |"
    yield "|---|---|---|---|"
    below = []
    for key, node in mapping["properties"].items():
        values = []
        for part in node.get("anyOf", [node]):
            values.append(_value(part))
            for name, suffix in _references(part):
                below.append((definitions[name], f"{path}.{key}{suffix}".removeprefix(".")))
        kinds = " or ".join(dict.fromkeys(values))
        if key in mapping.get("required", ()):
            default = "required"
        else:
            default = _code(node["default"]) if "default" in node else ""
        yield f"| `{key}` | {kinds} | {default} | {node['description']} |"
    for inner, inner_path in below:
        yield from _section(inner, definitions, inner_path)


def _references(node: Node) -> Iterator[tuple[str, str]]:
    """The names of the mappings in a value, each with the suffix of its path."""
    if "$ref" in node:
        yield str(node["$ref"]).removeprefix("#/$defs/"), ""
    inner = {"[]": node.get("items"), ".<name>": node.get("additionalProperties")}
    for suffix, value in inner.items():
        for part in _flat(value) if isinstance(value, dict) else ():
            yield from ((name, f"{suffix}{further}") for name, further in _references(part))


def _value(node: Node) -> str:
    """The type of a key's value, in words."""
    if "title" in node:
        return str(node["title"])
    words = node.get("enum", [node["const"]] if "const" in node else [])
    if words:
        return " or ".join(_code(word) for word in words)
    if node.get("type") == "array":
        return f"list of {_value(node['items'])}s"
    if node.get("type") in ("integer", "number"):
        least, most = node.get("minimum"), node.get("maximum")
        return f"{least:g} to {most:g}" if most is not None else f"number from {least:g}"
    return _TYPES[node.get("type", "object")]


_TYPES = {
    "string": "text",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "null": "`null`",
}


def _code(value: Any) -> str:
    return f"`{json.dumps(value) if not value or not isinstance(value, str) else value}`"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _files() -> dict[Path, str]:
    """The generated files and their content."""
    return {
        DOCS / "reference.md": _filled("reference", reference()),
        DOCS / "operations.md": _filled("operations", counted()),
        DOCS / "commands.md": _filled("commands", page()),
        SCHEMA: json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
    }


def _filled(name: str, text: str) -> str:
    """A page with this text as its generated part."""
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    before, begin, rest = page.partition("<!-- generated -->\n")
    _, end, after = rest.partition("<!-- /generated -->\n")
    return f"{before}{begin}\n{text}\n\n{end}{after}"


def stale() -> list[Path]:
    """Return the files that are not up to date."""
    return [
        path
        for path, text in _files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or print which are stale; return the exit code, 1 if some are."""
    if arguments == ["--write"]:
        for path, text in _files().items():
            path.write_text(text, encoding="utf-8")
    for path in stale():
        sys.stdout.write(f"{path.name} is stale: python -m flows.reference --write\n")
    return 1 if stale() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
