"""The base model of every spec, and the types of keys that several connectors have.

It knows no connector and reads no file. Its errors name the remedy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Self,
    TypeVar,
    get_args,
    get_origin,
)

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from connectors.docstrings import attribute_docstrings
from connectors.prefetch import MAX_MESSAGES
from connectors.renamed_keys import RENAMED_KEYS
from connectors.units import Size, Unit


class Problem(NamedTuple):
    """An error in a spec, or a warning about it."""

    at: tuple[str | int, ...]
    """Path of the key, from the model that found it."""
    text: str
    """The error and its remedy. It may quote numbers, but no text, which may be a secret."""


def instead_of(keys: Mapping[str, str]) -> Mapping[str, str]:
    """Convert keys by hint, as in `{"write time": "timeout max_age"}`, to hints by key."""
    return {key: hint for hint, several in keys.items() for key in several.split()}


class Spec(BaseModel):
    """One mapping of `pipeline.yaml`.

    The docstrings under the attributes are the reference that users read.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,  # YAML has types: "5" is not 5, and true is not 1
        hide_input_in_errors=True,
        defer_build=True,  # only the outermost model is always needed
    )

    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Hints for the keys of other tools and of other mappings: what to write instead."""

    @classmethod
    def hint_of(cls, key: str) -> str | None:
        """Return what to write instead of an unknown key; `None`: there is no hint."""
        return cls.elsewhere.get(key.lower().replace("-", "_"))

    @classmethod
    def new_name_of(cls, key: str) -> str | None:
        """Return the new name of a renamed key of this mapping; `None`: it was not renamed."""
        new = RENAMED_KEYS.get(key)
        return new if new in cls.model_fields else None

    def problems(self) -> Iterator[Problem]:
        """Yield the errors of several keys together; each key by itself is valid."""
        yield from ()

    def warnings(self) -> Iterator[Problem]:
        """Yield warnings: valid settings with surprising effects."""
        yield from ()

    @classmethod
    def mapping_at(cls, key: str) -> type[Spec] | None:
        """Return the model of the mapping, or of the list's items, at a key; `None`: a scalar."""
        return next(_models(cls.model_fields[key].annotation), None)

    @classmethod
    def has_names_at(cls, key: str) -> bool:
        """Return whether the user chooses the names in the mapping at a key."""
        return any(get_origin(part) is dict for part in _parts(cls.model_fields[key].annotation))

    @classmethod
    def unit_at(cls, key: str) -> Unit | None:
        """Return the unit of the duration or size at a key; `None`: it is neither."""
        field = cls.model_fields[key]
        parts = (*field.metadata, *_parts(field.annotation))
        return next((part for part in parts if isinstance(part, Unit)), None)

    @classmethod
    def described(cls) -> dict[str, str]:
        """Return what the reference says about each key."""
        texts = {key: field.description or "" for key, field in cls.model_fields.items()}
        for base in reversed(cls.__mro__):
            texts |= attribute_docstrings(base) if issubclass(base, Spec) else {}
        return {key: text for key, text in texts.items() if key in cls.model_fields and text}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> JsonSchemaValue:
        """Add the descriptions of the keys: see `connectors.docstrings`."""
        node = handler(core_schema)
        properties = handler.resolve_ref_schema(node).get("properties", {})
        for key, text in cls.described().items():
            properties[key]["description"] = text
        return node

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        problems = list(self.problems())
        if problems:
            text = "; ".join(problem.text for problem in problems)
            raise PydanticCustomError("rules", "{text}", {"text": text, "problems": problems})
        return self


class OneOf(Spec):
    """A mapping of which exactly one key is given."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        names = type(self).model_fields
        if sum(getattr(self, name) is not None for name in names) != 1:
            yield Problem((), f"needs exactly one of: {', '.join(names)}")


def _models(annotation: Any) -> Iterator[type[Spec]]:
    """Yield every model in an annotation."""
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, Spec):
            yield part


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield an annotation, and every annotation in it."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _consumers(value: Any) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_CONSUMERS:
        raise ValueError(f"must be auto, or a whole number from 1 to {MAX_CONSUMERS}")
    return value


MAX_CONSUMERS = 1000
"""Consumers are named `queue/000` to `queue/999`."""

Consumers = Annotated[
    int | Literal["auto"],
    PlainValidator(_consumers),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "auto"},
                {"type": "integer", "minimum": 1, "maximum": MAX_CONSUMERS},
            ]
        }
    ),
]
"""The number of consumers: `auto`, or a number."""

Format = Literal["auto", "json", "text", "msgpack", "ndjson", "es_bulk"]
"""The format of bodies."""

MAX_MESSAGE = 16 * 1024**2
"""Bytes: the default limit of RabbitMQ 4 (`max_message_size`)."""

MaxMessage = Annotated[Size, Field(ge=1)]
"""The largest size of a body in bytes: as received, decompressed, and in UTF-8."""

_ONE_OF_SEVERAL = BeforeValidator(
    # A number is no text either, but that is then said of the one value, and not of a list.
    lambda value: (value,) if isinstance(value, (str, int, float)) else value
)

T = TypeVar("T")
OneOrMore = Annotated[
    tuple[T, ...],
    _ONE_OF_SEVERAL,
    Field(strict=False, min_length=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
"""A list of texts, or one text."""

Indices = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    _ONE_OF_SEVERAL,
    Field(strict=False),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}},
            ]
        }
    ),
]
"""Names of indices; `*` matches any text."""


def _prefetch(value: Any) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_MESSAGES:
        raise ValueError(f"must be auto, or a whole number from 1 to {MAX_MESSAGES}")
    return value


Prefetch = Annotated[
    int | Literal["auto"],
    PlainValidator(_prefetch),
    WithJsonSchema(
        {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": MAX_MESSAGES}]}
    ),
]
"""The largest number of unacknowledged messages; `auto`: see `connectors/prefetch.py`."""

Memory = Annotated[Size, Field(ge=1)]
"""The largest size of the messages that a process holds, in bytes."""
DEFAULT_MEMORY = 64 * 1024**2
"""Bytes."""
