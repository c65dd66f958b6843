"""Generates the tables of keys, commands and metrics in the documents, and the JSON Schema.

`python -m flows.reference --write` brings `docs/reference.md`, `docs/operations.md`,
`docs/commands.md`, `flows/pipeline.schema.json` and `flows/tests.schema.json` up to date; without
`--write` it checks them.
The texts are the docstrings of the models, the help of the metrics, and `--help` of the commands.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connectors import metrics
from flows.cli.page import page
from flows.json_schema import Node, plain_schema, references, schema, schema_of_tests
from flows.process import collector
from flows.testing.spec import FileOfTests, PipelineFile

FOLDER = Path(__file__).parent
DOCS = FOLDER.parent / "docs"
SCHEMA, SCHEMA_OF_TESTS = FOLDER / "pipeline.schema.json", FOLDER / "tests.schema.json"


def reference() -> str:
    """Make the reference of all keys, in Markdown: a table for each mapping."""
    root, of_tests = plain_schema(PipelineFile), plain_schema(FileOfTests)
    # The tables above have the tests themselves.
    return "\n".join([*_section(root, root["$defs"], ""), *_table(of_tests, "*.test.yaml")])


def counted() -> str:
    """Make the table of all metrics, in Markdown."""
    lines = ["| Metric | Kind | Labels | |", "|---|---|---|---|"]
    for name, kind, labels, text in (*collector.described(), *metrics.described()):
        lines.append(f"| `{name}` | {kind} | {', '.join(map(_code, labels))} | {text} |")
    return "\n".join(lines)


def _section(mapping: Node, definitions: dict[str, Node], path: str) -> Iterator[str]:
    """Yield the lines of the table of a mapping, and of the mappings in it."""
    yield from _table(mapping, path)
    for key, node in mapping["properties"].items():
        for part in node.get("anyOf", [node]):
            for name, suffix in references(part):
                inner = f"{path}.{key}{suffix}".removeprefix(".")
                yield from _section(definitions[name], definitions, inner)


def _table(mapping: Node, path: str) -> Iterator[str]:
    """Yield the lines of the table of a mapping, with a title unless it is the whole file."""
    if path:
        yield f"\n## `{path}`\n\n{mapping['description']}\n"
    yield "| Key | Value | Default | |"
    yield "|---|---|---|---|"
    for key, node in mapping["properties"].items():
        kinds = " or ".join(dict.fromkeys(map(_value, node.get("anyOf", [node]))))
        if key in mapping.get("required", ()):
            default = "required"
        else:
            default = _code(node["default"]) if "default" in node else ""
        yield f"| `{key}` | {kinds} | {default} | {node['description']} |"


def _value(node: Node) -> str:
    """Return the type of a key's value, in words."""
    if "title" in node:
        return str(node["title"])
    words = node.get("enum", [node["const"]] if "const" in node else [])
    if words:
        return " or ".join(_code(word) for word in words)
    if node.get("type") == "array":
        return f"list of {_value(node['items'])}s"
    if node.get("type") in ("integer", "number"):
        least, most = node.get("minimum"), node.get("maximum")
        if most is not None:
            return f"{least:g} to {most:g}"
        return "number" if least is None else f"number from {least:g}"
    return _TYPES[node.get("type", "object")]


_TYPES = {
    "string": "text",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "null": "`null`",
}


def _code(value: Any) -> str:
    return f"`{json.dumps(value) if not value or not isinstance(value, str) else value}`"


def _files() -> dict[Path, str]:
    """Return the generated files, with their content."""
    return {
        DOCS / "reference.md": _filled("reference", reference()),
        DOCS / "operations.md": _filled("operations", counted()),
        DOCS / "commands.md": _filled("commands", page()),
        SCHEMA: _encoded(schema()),
        SCHEMA_OF_TESTS: _encoded(schema_of_tests()),
    }


def _encoded(node: Node) -> str:
    return json.dumps(node, indent=2, ensure_ascii=False) + "\n"


def _filled(name: str, text: str) -> str:
    """Return a page with this text as its generated part."""
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
