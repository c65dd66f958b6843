"""Which keys differ between two specs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import SecretStr

from connectors.spec import Spec
from connectors.units import Unit
from connectors.url import Url

Key = tuple[str, ...]
"""The path of a key, such as `("aggregate", "window", "time")`."""

WHOLE: frozenset[Key] = frozenset(
    {
        ("source", "rabbitmq", "declare"),
        ("source", "rabbitmq", "consume"),
        ("aggregate", "missing_key"),
        ("aggregate", "reduce"),
        ("aggregate", "summary"),
        ("sink", "elasticsearch", "id"),
        ("sink", "elasticsearch", "version"),
        ("sink", "elasticsearch", "routing"),
        ("sink", "elasticsearch", "bulk"),
        ("dead_letter", "rabbitmq", "reject_limit"),
        ("metrics",),
        ("traces",),
        ("log",),
        ("state",),
        ("setup",),
    }
)
"""Keys whose value is compared as one: what is below them has the same answer."""


class ChangedKey(NamedTuple):
    """A key with two values; `None`: it is not given, and has no default."""

    path: Key
    old: Any
    new: Any
    unit: Unit | None = None
    """Of the values, if they are durations or sizes."""


def changed_keys(old: Spec, new: Spec, path: Key = ()) -> Iterator[ChangedKey]:
    """Yield the keys whose values differ, in the order of the models."""
    for name in type(old).model_fields:
        at = (*path, name)
        before, after = getattr(old, name), getattr(new, name)
        both = isinstance(before, Spec) and type(before) is type(after)
        if both and at not in WHOLE:
            yield from changed_keys(before, after, at)
        elif before != after:
            yield ChangedKey(at, before, after, type(old).unit_at(name))


def all_keys(model: type[Spec], path: Key = ()) -> Iterator[Key]:
    """Yield every key that `changed_keys` may yield for specs of a model."""
    for name in model.model_fields:
        at = (*path, name)
        yield at
        inner = model.mapping_at(name)
        if inner is not None and at not in WHOLE:
            yield from all_keys(inner, at)


def shown(value: Any, other: Any = None, unit: Unit | None = None) -> Any:
    """Return a value as JSON can have it, without its secrets; numbers with their units.

    A mapping has the keys that its file gives, and those that its file omits, but the file of the
    `other` value gives.
    """
    if unit is not None and value.__class__ in (int, float):
        return unit.text(value)
    if isinstance(value, SecretStr):
        return "(secret)"
    if isinstance(value, Spec):
        return dict(_shown_keys(value, other if type(other) is type(value) else None))
    if isinstance(value, dict):
        others = other if isinstance(other, dict) else {}
        return {name: shown(one, others.get(name)) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(one) for one in value]
    return str(value) if isinstance(value, Url) else value


def _shown_keys(spec: Spec, other: Spec | None) -> Iterator[tuple[str, Any]]:
    given = spec.model_fields_set | (set() if other is None else other.model_fields_set)
    for name in type(spec).model_fields:
        value = getattr(spec, name)
        if name in given and value is not None:
            yield name, shown(value, getattr(other, name, None), type(spec).unit_at(name))
