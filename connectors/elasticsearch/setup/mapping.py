"""Which differences between two mappings an index can take without a new index. Pure.

Elasticsearch adds fields to an existing index, and changes a few parameters of a field; the type of
a field and most parameters are as they were when the field was added.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from connectors.elasticsearch.setup.difference import ValueDifference

IN_PLACE = (
    *("coerce", "copy_to", "dynamic", "eager_global_ordinals", "fielddata"),
    *("fielddata_frequency_filter", "ignore_above", "ignore_malformed", "meta"),
    *("search_analyzer", "search_quote_analyzer"),
)
"""Parameters of a field that an existing index can change ("Mapping parameters")."""
OF_THE_WHOLE = (
    *("_meta", "date_detection", "dynamic", "dynamic_date_formats", "dynamic_templates"),
    *("numeric_detection", "runtime"),
)
"""Keys of a whole mapping that an existing index can change."""
FIELDS = ("properties", "fields")
"""Keys with fields below them: of an object, and of a field that is indexed in several ways."""


class MappingComparison(NamedTuple):
    """What to do about the mapping of an index."""

    body: dict[str, Any]
    """The mapping to send: only what is new or changes in place."""
    changes: list[ValueDifference]
    conflicts: list[ValueDifference]
    """What only a new index can have."""


def compare(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> MappingComparison:
    """Compare the mapping of an index with the wanted one, both as Elasticsearch returns them.

    What only the found one has stays: it is no difference.
    """
    body: dict[str, Any] = {}
    result = MappingComparison(body, [], [])
    for key, value in wanted.items():
        old = found.get(key)
        if key == "properties":
            _compare_fields(old or {}, value, key, body, result)
        elif old != value:
            _note(result, ValueDifference(key, old, value), key in OF_THE_WHOLE, body, key)
    return result


def _compare_fields(
    found: Mapping[str, Any],
    wanted: Mapping[str, Any],
    path: str,
    body: dict[str, Any],
    result: MappingComparison,
) -> None:
    """Compare fields by their names; `body` gets them under the last key of `path`."""
    send: dict[str, Any] = {}
    for name, field in wanted.items():
        at = f"{path}.{name}"
        if name not in found:
            result.changes.append(ValueDifference(at, None, field))
            send[name] = field
        elif found[name] != field:
            _compare_field(found[name], field, at, name, send, result)
    if send:
        body[path.rpartition(".")[2]] = send


def _compare_field(
    found: Mapping[str, Any],
    wanted: Mapping[str, Any],
    path: str,
    name: str,
    send: dict[str, Any],
    result: MappingComparison,
) -> None:
    if _type(found) != _type(wanted):
        result.conflicts.append(ValueDifference(f"{path}.type", _type(found), _type(wanted)))
        return
    changed: dict[str, Any] = {}
    for key in sorted({*found, *wanted} - {"type", *FIELDS}):
        old, new = found.get(key), wanted.get(key)
        if old != new and (new is not None or key in IN_PLACE):
            _note(result, ValueDifference(f"{path}.{key}", old, new), key in IN_PLACE, changed, key)
    for key in FIELDS:
        if key in wanted:
            _compare_fields(found.get(key) or {}, wanted[key], f"{path}.{key}", changed, result)
    if changed:
        # A parameter that is missing in a request gets its default, so each one is sent.
        kept = {key: value for key, value in found.items() if key not in FIELDS}
        send[name] = {key: value for key, value in {**kept, **changed}.items() if value is not None}


def _type(field: Mapping[str, Any]) -> str:
    return str(field.get("type", "object"))


def _note(
    result: MappingComparison, one: ValueDifference, in_place: bool, body: dict[str, Any], key: str
) -> None:
    if in_place:
        result.changes.append(one)
        body[key] = one.new
    else:
        result.conflicts.append(one)
