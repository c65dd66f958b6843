"""Makes the JSON Schemas of `pipeline.yaml` and of files of tests from the models.

Pure. Editors use the schemas, and so does the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from connectors.spec import Spec
from connectors.units import duration_text, size_text
from flows.testing.spec import FileOfTests, PipelineFile

Node = dict[str, Any]
"""A part of a JSON Schema."""


def schema(model: type[Spec] = PipelineFile, title: str = "pipeline.yaml") -> Node:
    """Make the JSON Schema that editors check and complete a file with."""
    root = plain_schema(model)
    for mapping in (root, *root["$defs"].values()):
        for node in mapping["properties"].values():
            _allow_substitution(node)
    return {"$schema": GenerateJsonSchema.schema_dialect, **root, "title": title}


def schema_of_tests() -> Node:
    """Make the JSON Schema of a file of tests."""
    return schema(FileOfTests, "*.test.yaml")


class _Generator(GenerateJsonSchema):
    """Leaves out the titles that only repeat the keys."""

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False


def plain_schema(model: type[Spec]) -> Node:
    """Simplify pydantic's schema: a key with several alternatives has them in one flat list.

    `null` is an alternative only if it is not the default, because the user can omit the key.
    """
    root = model.model_json_schema(schema_generator=_Generator)
    for mapping in (root, *root["$defs"].values()):
        mapping["description"] = _one_line(mapping["description"])
        for node in mapping["properties"].values():
            if "description" not in node:  # take that of the mapping itself
                name, _ = next(references(node))
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


def references(node: Node) -> Iterator[tuple[str, str]]:
    """Yield the names of the mappings in a value, each with the suffix of its path."""
    if "$ref" in node:
        yield str(node["$ref"]).removeprefix("#/$defs/"), ""
    inner = {"[]": node.get("items"), ".<name>": node.get("additionalProperties")}
    for suffix, value in inner.items():
        for part in _flat(value) if isinstance(value, dict) else ():
            yield from ((name, f"{suffix}{further}") for name, further in references(part))


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
"""Keys of a schema that describe a value, and are not rules."""


def _one_line(text: str) -> str:
    return " ".join(text.split())
