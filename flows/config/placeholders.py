"""Checks a file without its secrets: a value of the right type stands for each `${…}` without one.

Reads no files but those that `${file:/path}` names. Nothing is said about a placeholder itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from connectors.spec import Spec
from flows.config.problems import OF_TYPE, by_place, examine, placed, warnings_of
from flows.config.yaml import FileProblem, Path, YamlDocument, read

S = TypeVar("S", bound=Spec)

_OMITTED = ""
"""The key is left out, with what it holds."""
_CANDIDATES = (
    *("{name}", "1", "1s", "1MiB", "0.5", "true"),
    *("amqp://{name}/", "http://{name}", "user:{name}"),
    _OMITTED,
)
"""What is tried in turn until the key takes it; `{name}` is made of that of the variable, so that
two variables are two values."""


class Examination(NamedTuple, Generic[S]):
    """What there is to say of a file."""

    spec: S | None
    """`None`: something is wrong, or no placeholder fits."""
    problems: list[FileProblem]
    warnings: list[FileProblem]
    unset: dict[Path, list[str]]
    """What has no value, by the place of its scalar: `NAME`, or `file:/path`."""

    @property
    def names(self) -> list[str]:
        """What has no value, each once."""
        return list(dict.fromkeys(name for names in self.unset.values() for name in names))


def examine_file(model: type[S], content: bytes, environment: Mapping[str, str]) -> Examination[S]:
    """Tell everything that is wrong with a file, or unwise, with some values missing."""
    tries: dict[Path, int] = {}
    always: dict[
        Path, set[FileProblem]
    ] = {}  # what is wrong with a value, for all candidates so far
    while True:
        document = _read(model, content, environment, tries)
        spec, found = examine(model, document)
        unset = [path for path in document.unset if _is_known(model, path)]
        own = {path: {one for one in found if _is_at(one, path)} for path in unset}
        again = [p for p in unset if own[p] and tries.get(p, 0) < len(_candidates(model, p)) - 1]
        if not again:
            break
        for path in again:
            tries[path] = tries.get(path, 0) + 1
            always[path] = always.get(path, own[path]) & own[path]
    # A value in quotes is a text, which no number can be: that is no matter of what it is.
    quoted = [
        one
        for path, several in always.items()
        for one in several
        if one.text in OF_TYPE and tries[path] == len(_candidates(model, path)) - 1
    ]
    problems = [one for one in found if not any(_is_at(one, path) for path in unset)]
    warnings = placed(warnings_of(spec), document) if spec is not None else []
    told = [one for one in warnings if not any(_is_at(one, path) for path in unset)]
    return Examination(spec, sorted([*problems, *quoted], key=by_place), told, document.unset)


def _is_at(found: FileProblem, path: Path) -> bool:
    return found.path[: len(path)] == path


def _read(
    model: type[Spec], content: bytes, environment: Mapping[str, str], tries: Mapping[Path, int]
) -> YamlDocument:
    """Read the file with those candidates for which it is the turn."""

    def candidate(path: Path) -> str:
        return _candidates(model, path)[tries.get(path, 0)]

    def placeholder(path: Path, name: str) -> str:
        return candidate(path).format(name=_word(name))

    document = read(content, environment, placeholder)
    for path in document.unset:
        if candidate(path) == _OMITTED and _is_known(model, path):
            _omit(document, path)
    return document


def _candidates(model: type[Spec], path: Path) -> tuple[str, ...]:
    """A key that has a default is left out first."""
    mapping = _mapping(model, path[:-1])
    field = None if mapping is None else mapping.model_fields.get(str(path[-1]))
    has_default = field is not None and not field.is_required() and field.default not in (None, "")
    return (_OMITTED, *_CANDIDATES) if has_default else _CANDIDATES


def _is_known(model: type[Spec], path: Path) -> bool:
    """Whether there may be such a key: what is wrong with another one is not its value."""
    mapping = _mapping(model, path[:-1])
    return mapping is None or path[-1] in mapping.model_fields


def _mapping(model: type[Spec], path: Path) -> type[Spec] | None:
    """Find the model of the mapping at a path; `None`: it has none, as a list, or names at will."""
    keys = iter(path)
    found: type[Spec] | None = model
    for key in keys:
        if found is None or key not in found.model_fields:
            return None
        if found.has_names_at(str(key)):
            next(keys, None)
        found = found.mapping_at(str(key))
    return found


def _omit(document: YamlDocument, path: Path) -> None:
    parent = document.value
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]


def _word(name: str) -> str:
    """A word that may stand wherever a name may: `rabbitmq-url` for `RABBITMQ_URL`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "name"
