"""Translates pydantic's errors about a spec into plain words, each with its place in the file.

It knows no key of any spec, and quotes no value of one: any may be a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connectors.errors import SpecError
from connectors.spec import Problem, Spec
from flows.config.yaml import FileProblem, Path, Place, YamlDocument

S = TypeVar("S", bound=Spec)


def validate(model: type[S], document: YamlDocument, file: str) -> S:
    """Validate a document as a model.

    Raises:
        SpecError: with all problems of the document and of the model.
    """
    spec, found = examine(model, document)
    if found or spec is None:
        raise SpecError([line(file, problem) for problem in found])
    return spec


def examine(model: type[S], document: YamlDocument) -> tuple[S | None, list[FileProblem]]:
    """Validate a document; return the model if it is valid, and all errors in file order."""
    found = list(document.problems)
    spec = None
    if document.value is None and not found:
        keys = ", ".join(model.model_fields)
        found.append(FileProblem(Place(1, 1), (), f"is empty; a pipeline has: {keys}"))
    elif document.value is not None:
        try:
            spec = _validate(model, document)
        except ValidationError as error:
            # Do not report a value twice: where it could not be read, it is missing too.
            broken = {problem.path for problem in found}
            found += [f for f in _translate(model, document, error) if f.path not in broken]
    return spec, sorted(found, key=by_place)


def placed(warnings: Iterable[Problem], document: YamlDocument) -> list[FileProblem]:
    """Give warnings of a whole spec their places in the file, and its order."""
    found = [FileProblem(place_of(document, one.at), one.at, one.text) for one in warnings]
    return sorted(found, key=by_place)


def warnings_of(spec: Spec, path: Path = ()) -> Iterator[Problem]:
    """Collect the warnings of a model and of all models in it, each with its whole path."""
    for problem in spec.warnings():
        yield Problem((*path, *problem.at), problem.text)
    for key in type(spec).model_fields:
        part = getattr(spec, key)
        if isinstance(part, Spec):
            yield from warnings_of(part, (*path, key))


def path_text(path: Path) -> str:
    """Write a path as in `source.rabbitmq.url[1]`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def line(file: str, found: FileProblem) -> str:
    """Write an error with its place: `file:line:column: path: text`."""
    where = f"{file}:{found.place.line}:{found.place.column}"
    path = path_text(found.path)
    return f"{where}: {path}: {found.text}" if path else f"{where}: {found.text}"


def by_place(found: FileProblem) -> Place:
    """Return the sort key of a problem: its place."""
    return found.place


def _validate(model: type[S], document: YamlDocument) -> S:
    """Validate; where text is expected, a substituted value that looks like a number is text."""
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        texts = [
            path
            for details in error.errors(include_url=False, include_input=False)
            if details["type"] == "string_type"
            and (path := _path(document, details)) in document.substituted
        ]
        if not texts:
            raise
    for path in texts:
        parent = document.value
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = document.substituted[path]
    return model.model_validate(document.value)


def _translate(
    model: type[Spec], document: YamlDocument, error: ValidationError
) -> Iterator[FileProblem]:
    suggested: set[Path] = set()
    missing = []
    for details in error.errors(include_url=False, include_input=False):
        path = _path(document, details)
        context = details.get("ctx", {})
        if details["type"] == "extra_forbidden":
            near, text = _unknown(model, path)
            suggested.update((*path[:-1], name) for name in near)
            yield FileProblem(document.keys[path], path, text)
        elif details["type"] == "missing":
            missing.append(path)
        elif details["type"] == "default_factory_not_called":
            pass  # it needs other keys, which have errors of their own
        elif details["type"] == "too_short" and (*path, 0) in document.places:
            pass  # pydantic counts only the valid items
        elif details["type"] == "rules":
            # A rule over several values means nothing where one of them could not be read.
            for problem in () if document.problems else cast("list[Problem]", context["problems"]):
                at = (*path, *problem.at)
                yield FileProblem(place_of(document, at), at, problem.text)
        else:
            text = _text(model, document, path, details)
            yield FileProblem(place_of(document, path), path, text)
    for path in missing:
        if path not in suggested:
            yield FileProblem(place_of(document, path), path, "is missing")


def _path(document: YamlDocument, details: ErrorDetails) -> Path:
    """The path of an error in the document; pydantic's paths also name alternatives of a type."""
    path: Path = ()
    for key in details["loc"]:
        if (*path, key) in document.places:
            path = (*path, key)
    return (*path, details["loc"][-1]) if details["type"] == "missing" else path


def place_of(document: YamlDocument, path: Path) -> Place:
    """The place of a value; of a missing one, the key of the nearest mapping around it."""
    if path in document.places:
        return document.places[path]
    while path not in document.keys and path not in document.places:
        path = path[:-1]
    return document.keys.get(path) or document.places[path]


def _mapping(model: type[Spec], path: Path) -> type[Spec]:
    keys = iter(path)
    for key in keys:
        if isinstance(key, str):
            found = model.mapping_at(key)
            assert found, f"{key} is a mapping in the document, and none in {model.__name__}"
            if model.has_names_at(key):
                next(keys, None)
            model = found
    return model


def _unknown(model: type[Spec], path: Path) -> tuple[list[str], str]:
    """Return the keys that may be meant by an unknown one, and the text of the error."""
    key, mapping = str(path[-1]), _mapping(model, path[:-1])
    new_name = mapping.new_name_of(key)
    if new_name is not None:
        return [new_name], f"is called `{new_name}` now"
    near, hint = _hint(model, mapping, key)
    return near, f"unknown key; {hint}"


def _hint(model: type[Spec], mapping: type[Spec], key: str) -> tuple[list[str], str]:
    """Return the keys that may be meant by one that never existed, and what to write instead."""
    glued = re.match(r"([A-Za-z_]\w*):(?=.)", key)
    if glued:
        hint = f"a space is missing after the colon: write {glued[1]}: and then the value"
        return [glued[1]], hint
    known_elsewhere = mapping.hint_of(key)
    if known_elsewhere is not None:
        return re.findall(r"^write (\w+)", known_elsewhere), known_elsewhere
    keys = list(mapping.model_fields)
    places = list(dict.fromkeys(path_text(place) for place in _mappings_with(model, key)))
    near = difflib.get_close_matches(key, keys, 1)
    if near and places != [""]:  # a key of the top is spelled right, and only indented too far
        return near, f"did you mean `{near[0]}`?"
    if len(places) == 1:
        place = places[0] or "the top of the file"
        return [], f"it belongs to {place}"
    return [], f"it must be one of: {', '.join(keys)}"


def _mappings_with(model: type[Spec], key: str, path: Path = ()) -> Iterator[Path]:
    """Find the mappings that have this key."""
    if key in model.model_fields:
        yield path
    for name in model.model_fields:
        inner = model.mapping_at(name)
        if inner is not None and not model.has_names_at(name):
            yield from _mappings_with(inner, key, (*path, name))


_MAPPING = "must be a mapping: a key and a value on each line"


def _no_mapping(model: type[Spec], document: YamlDocument, path: Path) -> str:
    """Describe a text where a mapping is expected, without quoting its value."""
    problem = _MAPPING + _needed(model, path)
    value = document.value
    for key in path:
        value = value[key]
    glued = re.match(r"([A-Za-z_]\w*)([:=]| =)(?=[^/])", value) if isinstance(value, str) else None
    if glued is None or path in document.substituted:
        return problem
    if glued[2] == ":":
        return f"{problem}; a space is missing after the colon of {glued[1]}:"
    return f"{problem}, as in {glued[1]}: value, without ="


def _needed(model: type[Spec], path: Path) -> str:
    """Name the keys that a mapping always has; empty: it has none, or is the whole file."""
    fields = _mapping(model, path).model_fields if path else {}
    needed = [f"{key}: …" for key, field in fields.items() if field.is_required()]
    return f", as in {{{', '.join(needed)}}}" if needed else ""


def _text(model: type[Spec], document: YamlDocument, path: Path, details: ErrorDetails) -> str:
    if details["type"] in ("model_type", "dict_type"):
        return _no_mapping(model, document, path)
    context = details.get("ctx", {})
    hidden = context.get("hidden") if path in document.substituted else None
    return str(hidden or _words(details, context))


def _words(details: ErrorDetails, context: Mapping[str, Any]) -> str:
    words = _WORDS.get(details["type"])
    if words is not None:
        return words.format_map(context)
    if details["type"] == "literal_error":
        return f"must be {_choice(str(context['expected']))}"
    # The messages of our own validators are complete; pydantic adds a prefix.
    return details["msg"].removeprefix("Value error, ")


def _choice(expected: str) -> str:
    """Pydantic's `'index' or 'create'` as `index or create`."""
    return expected.replace("'", "")


_WORDS = {
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le:g}",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_short": "must not be empty",
    "string_type": "must be text; a number, true, false and null are text in quotes",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
}
"""By pydantic's type of error. Other types keep pydantic's own message."""

OF_TYPE = (_MAPPING, *(_WORDS[kind] for kind in ("bool_type", "float_type", "int_type")))
"""How the errors about a text begin where another type is needed."""
