"""What differs between two values of a cluster, line by line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


class ValueDifference(msgspec.Struct, frozen=True):
    """A value that is not as it should be."""

    path: str
    """Dotted path of the value."""
    old: Any
    """What is there; null: nothing."""
    new: Any
    """What should be there; null: nothing."""


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[ValueDifference]:
    """Compare two nested mappings; list values are compared as wholes."""
    before, after = dict(_leaves(old, "")), dict(_leaves(new, ""))
    return [
        ValueDifference(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _leaves(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        at = f"{path}.{key}" if path else key
        if isinstance(inner, Mapping) and inner:
            yield from _leaves(inner, at)
        else:
            yield at, inner


def template_differences(
    found: Mapping[str, Any] | None, body: Mapping[str, Any]
) -> list[ValueDifference]:
    """Compare an index template with the one that should be there; `None`: there is none."""
    return differences({} if found is None else _plain_template(found), _plain_template(body))


def _plain_template(body: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what Elasticsearch adds by itself, and write settings as it does."""
    plain = {key: value for key, value in body.items() if key not in _ADDED and value != []}
    if "data_stream" in plain:
        plain["data_stream"] = True
    template = dict(plain.get("template", {}))
    if "settings" in template:
        template["settings"] = _settings(template["settings"])
    if "lifecycle" in template:
        template["lifecycle"] = {"enabled": True, **template["lifecycle"]}
    return {**plain, "template": {key: value for key, value in template.items() if value != {}}}


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by their full names, as texts: Elasticsearch stores no other values."""
    named = (
        (path if path.startswith("index.") else f"index.{path}", value)
        for path, value in _leaves(settings, "")
    )
    return {path: _text(value) for path, value in named if value is not None}


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return [_text(one) for one in value] if isinstance(value, (list, tuple)) else str(value)


_ADDED = ("created_date", "created_date_millis", "modified_date", "modified_date_millis")
"""Keys of a template that only Elasticsearch writes."""
