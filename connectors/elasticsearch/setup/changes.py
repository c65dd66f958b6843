"""Decides what `hopper setup` changes in a cluster, and what it cannot change. Pure.

It changes the index template first, so that an index which is created next gets its mapping.
Nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from connectors.elasticsearch.setup.difference import ValueDifference, template_differences
from connectors.elasticsearch.setup.found import FoundCluster
from connectors.elasticsearch.setup.mapping import compare
from connectors.elasticsearch.setup.wanted import Wanted

What = Literal["index template", "index", "data stream", "mapping", "lifecycle", "aliases"]


class Change(msgspec.Struct, frozen=True):
    """One request that changes the cluster."""

    what: What
    name: str
    """Of the index template, index, data stream or alias."""
    creates: bool
    """It does not exist yet."""
    differences: list[ValueDifference]
    body: dict[str, Any]
    """Of the request, as Elasticsearch takes it."""
    warning: str = ""
    """What the change does to documents that are stored, or does not do to their indices."""


class Conflict(msgspec.Struct, frozen=True):
    """A difference that `hopper setup` does not remove."""

    what: What
    name: str
    text: str
    """The difference, and the remedy."""


def changes(wanted: Wanted, found: FoundCluster) -> tuple[list[Change], list[Conflict]]:
    """Compare the wanted cluster with the one that is there."""
    if conflict := _of_another_kind(wanted, found) or _hidden_template(wanted, found):
        return [], [conflict]
    made = [*_template(wanted, found)]
    if wanted.kind == "indices":
        return made, []
    if found.kind is None:
        return [*made, _creation(wanted)], []
    compared = compare(found.mapping, found.wanted_mapping)
    if compared.changes:
        made.append(Change("mapping", wanted.index, False, compared.changes, compared.body))
    made += _lifecycle(wanted, found)
    made += _aliases(wanted, found)
    return made, [_mapping_conflict(wanted, one) for one in compared.conflicts]


def _of_another_kind(wanted: Wanted, found: FoundCluster) -> Conflict | None:
    if wanted.kind == "indices" or found.kind in (None, wanted.kind):
        return None
    what: What = "data stream" if wanted.kind == "data stream" else "index"
    article = {"index": "an index", "alias": "an alias", "data stream": "a data stream"}
    return Conflict(
        what,
        wanted.index,
        f"is {article[found.kind]}, and should be {article[wanted.kind]}: write the documents "
        "under another name (sink.elasticsearch.index), and copy those that are there with "
        "_reindex",
    )


def _hidden_template(wanted: Wanted, found: FoundCluster) -> Conflict | None:
    """Find a template that Elasticsearch would take instead of ours."""
    if found.rival is None:
        return None
    name, priority = found.rival
    return Conflict(
        "index template",
        wanted.template,
        f"would not count: the index template {name} is for the same indices, with the priority "
        f"{priority}: write setup.priority: {priority + 1}",
    )


def _template(wanted: Wanted, found: FoundCluster) -> Iterator[Change]:
    different = template_differences(found.template, wanted.body)
    if different:
        creates = found.template is None
        of_settings = any(one.path.startswith("template.settings.") for one in different)
        is_there = found.kind is not None and wanted.kind != "indices"
        warning = _settings_stay(wanted) if of_settings and is_there else ""
        yield Change("index template", wanted.template, creates, different, wanted.body, warning)


def _settings_stay(wanted: Wanted) -> str:
    if wanted.kind == "index":
        return (
            f"the index {wanted.index} keeps its settings: PUT /{wanted.index}/_settings changes "
            "those that can change"
        )
    return (
        f"the indices of {wanted.index} keep their settings: POST /{wanted.index}/_rollover begins "
        "a new index"
    )


def _creation(wanted: Wanted) -> Change:
    if wanted.kind == "data stream":
        return Change("data stream", wanted.index, True, [], {})
    if wanted.first_index is None:
        return Change("index", wanted.index, True, [], {})
    body = {"aliases": {wanted.index: {"is_write_index": True}}}
    alias = ValueDifference(f"aliases.{wanted.index}.is_write_index", None, True)
    return Change("index", wanted.first_index, True, [alias], body)


def _mapping_conflict(wanted: Wanted, one: ValueDifference) -> Conflict:
    old = "absent" if one.old is None else msgspec.json.encode(one.old).decode()
    new = "absent" if one.new is None else msgspec.json.encode(one.new).decode()
    text = f"{one.path} is {old}, and should be {new}, which no index can change: "
    return Conflict("mapping", wanted.index, text + _remedy(wanted))


def _remedy(wanted: Wanted) -> str:
    if wanted.kind == "index":
        return (
            f"create another index, copy the documents with POST /_reindex, and write its name in "
            f"sink.elasticsearch.index, or as an alias, in place of {wanted.index}"
        )
    return (
        f"POST /{wanted.index}/_rollover begins a new index, which gets the mapping of the index "
        "template; documents before it keep the old mapping"
    )


def _lifecycle(wanted: Wanted, found: FoundCluster) -> Iterator[Change]:
    if wanted.kind != "data stream" or (found.has_lifecycle and _same(wanted, found)):
        return
    old, new = found.retention, wanted.retention
    different = ValueDifference("data_retention", old, new)
    body = {} if new is None else {"data_retention": new}
    warning = ""
    if new is not None and (old is None or _seconds(old) > _seconds(new)):
        warning = f"Elasticsearch deletes documents that are older than {new}"
    yield Change("lifecycle", wanted.index, not found.has_lifecycle, [different], body, warning)


def _same(wanted: Wanted, found: FoundCluster) -> bool:
    old, new = found.retention, wanted.retention
    return old == new or (old is not None and new is not None and _seconds(old) == _seconds(new))


def _seconds(text: str) -> float:
    """Read a time as Elasticsearch writes it: `30d`, `720h`."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return float(number) * _UNITS[text[len(number) :]]


_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "micros": 1e-6, "nanos": 1e-9}


def _aliases(wanted: Wanted, found: FoundCluster) -> Iterator[Change]:
    for alias in wanted.aliases:
        without = [name for name, aliases in found.aliases.items() if alias not in aliases]
        if without:
            lines = [ValueDifference(name, None, alias) for name in without]
            yield Change("aliases", alias, False, lines, {"indices": without})
