"""Checks a file without its secrets: a placeholder of the right type replaces each missing value.

It reads only the files that `${file:/path}` names. It reports nothing about a placeholder itself.
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
"""Omit the key."""
_CANDIDATES = (
    *("{name}", "1", "1s", "1MiB", "0.5", "true"),
    *("amqp://{name}/", "http://{name}", "user:{name}", "/{name}"),
    _OMITTED,
)
"""The placeholders to try in order until one is valid; `{name}` comes from the name of the
variable, so that two variables have two values."""


class Examination(NamedTuple, Generic[S]):
    """The result of checking a file."""

    spec: S | None
    """`None`: the file has errors, or no placeholder fits."""
    problems: list[FileProblem]
    warnings: list[FileProblem]
    document: YamlDocument
    """The file, with placeholders."""

    @property
    def unset(self) -> dict[Path, list[str]]:
        """The names without a value, by the path of their key: `NAME`, or `file:/path`."""
        return self.document.unset

    @property
    def names(self) -> list[str]:
        """The names without a value, each once."""
        return list(dict.fromkeys(name for names in self.unset.values() for name in names))


def examine_file(
    model: type[S], content: bytes, environment: Mapping[str, str], left_out: str | None = None
) -> Examination[S]:
    """Find all errors and warnings of a file in which some values may be missing.

    `left_out`: a key at the top to ignore.
    """
    tries: dict[Path, int] = {}
    always: dict[Path, set[FileProblem]] = {}  # errors that all candidates so far have in common
    while True:
        document = _read(model, content, environment, tries)
        if left_out is not None:
            document.leave_out(left_out)
        spec, found = examine(model, document)
        unset = [path for path in document.unset if _is_known(model, path)]
        own = {path: {one for one in found if _is_at(one, path)} for path in unset}
        failed = [p for p in unset if own[p] and tries.get(p, 0) < len(_candidates(model, p)) - 1]
        if not failed:
            break
        for path in failed:
            tries[path] = tries.get(path, 0) + 1
            always[path] = always.get(path, own[path]) & own[path]
    # A value in quotes is always a text: if a number is needed, no value can be valid.
    quoted = [
        one
        for path, several in always.items()
        for one in several
        if one.text.startswith(OF_TYPE) and tries[path] == len(_candidates(model, path)) - 1
    ]
    problems = [one for one in found if not any(_is_at(one, path) for path in unset)]
    warnings = placed(warnings_of(spec), document) if spec is not None else []
    shown = [one for one in warnings if not any(_is_at(one, path) for path in unset)]
    return Examination(spec, sorted([*problems, *quoted], key=by_place), shown, document)


def _is_at(found: FileProblem, path: Path) -> bool:
    return found.path[: len(path)] == path


def _read(
    model: type[Spec], content: bytes, environment: Mapping[str, str], tries: Mapping[Path, int]
) -> YamlDocument:
    """Read the file with the current candidate of each key."""

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
    """Return the candidates for a key; a key with a default is first omitted."""
    mapping = _mapping(model, path[:-1])
    field = None if mapping is None else mapping.model_fields.get(str(path[-1]))
    has_default = field is not None and not field.is_required() and field.default not in (None, "")
    return (_OMITTED, *_CANDIDATES) if has_default else _CANDIDATES


def _is_known(model: type[Spec], path: Path) -> bool:
    """Return whether the model may have such a key: else the key is the error, not its value."""
    mapping = _mapping(model, path[:-1])
    return mapping is None or path[-1] in mapping.model_fields


def _mapping(model: type[Spec], path: Path) -> type[Spec] | None:
    """Return the model of the mapping at a path; `None`: it is a list, or has free names."""
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
    """Return a word that is valid as any name: `rabbitmq-url` for `RABBITMQ_URL`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "name"
