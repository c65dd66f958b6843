"""What of a cluster `hopper setup` compares with the spec. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec


class FoundCluster(msgspec.Struct, frozen=True):
    """The cluster as it is."""

    template: dict[str, Any] | None
    """The index template of that name; `None`: there is none."""
    rival: tuple[str, int] | None
    """Name and priority of another template that Elasticsearch takes instead; `None`: none."""
    wanted_mapping: dict[str, Any]
    """The mapping that a new index would get, as Elasticsearch writes it."""
    kind: Literal["index", "alias", "data stream"] | None = None
    """What the name of the sink is; `None`: nothing."""
    mapping: dict[str, Any] = {}
    """Of the index that is written to now."""
    has_lifecycle: bool = False
    retention: str | None = None
    """Of the data stream; `None`: for ever."""
    aliases: dict[str, frozenset[str]] = {}
    """The aliases of each index, or of the data stream, by its name."""


def rival_of(
    name: str, priority: int, index: str, templates: Mapping[str, Mapping[str, Any]]
) -> tuple[str, int] | None:
    """Find another template that fits an index and has the same or a higher priority."""
    others = [
        (one.get("priority", 0), other)
        for other, one in templates.items()
        if other != name and any(fnmatchcase(index, it) for it in one.get("index_patterns", ()))
    ]
    highest, other = max(others, default=(-1, ""))
    return (other, highest) if highest >= priority else None


def write_index(alias: str, aliases: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the index to which an alias writes; `aliases`: by the names of its indices."""
    for name, index in aliases.items():
        if index["aliases"].get(alias, {}).get("is_write_index"):
            return name
    return max(aliases)
