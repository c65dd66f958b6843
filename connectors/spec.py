"""What the spec of every connector is made of: the base model, and types that carry their unit.

It knows no connector and reads no file; what is wrong is told in the words of a user's remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import Self


class Problem(NamedTuple):
    """Something wrong, or unwise, in a spec."""

    at: tuple[str | int, ...]
    """Path of the key, from the model that noticed it."""
    text: str
    """What is wrong and what helps; it never quotes a value, since any value may be a secret."""


class Spec(BaseModel):
    """One mapping of `pipeline.yaml`.

    The docstrings under the attributes are the reference that users read.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,  # YAML has types: "5" is not 5, and true is not 1
        validate_default=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    def problems(self) -> Iterator[Problem]:
        """Rules over several keys that this mapping breaks; each key by itself is right."""
        yield from ()

    def warnings(self) -> Iterator[Problem]:
        """What is allowed, but may not do what one expects."""
        yield from ()

    @classmethod
    def mapping_at(cls, key: str) -> type[Spec] | None:
        """The model of the mapping, or of the mappings in the list, at a key; `None`: a scalar."""
        return next(_models(cls.model_fields[key].annotation), None)

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        problems = list(self.problems())
        if problems:
            text = "; ".join(problem.text for problem in problems)
            raise PydanticCustomError("rules", "{text}", {"text": text, "problems": problems})
        return self


class OneOf(Spec):
    """A mapping of which exactly one key is given."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        names = type(self).model_fields
        if sum(getattr(self, name) is not None for name in names) != 1:
            yield Problem((), f"needs exactly one of: {', '.join(names)}")


def _models(annotation: Any) -> Iterator[type[Spec]]:
    """Every model in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _seconds(value: Any) -> float:
    """Read a duration."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value == 0:
            return 0.0
        raise ValueError("write the unit: 5s")
    matched = isinstance(value, str) and re.fullmatch(_DURATION, value)
    if not matched:
        raise ValueError("must be a number and a unit without a space: 500ms, 5s, 5m, 1h or 1d")
    return float(Decimal(matched[1]) * _SECONDS[matched[2]])


def _bytes(value: Any) -> int:
    """Read a size."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    matched = isinstance(value, str) and re.fullmatch(_SIZE, value)
    if not matched:
        raise ValueError("must be a number and a unit without a space: 512B, 64KiB, 5MiB or 10MB")
    size = Decimal(matched[1]) * _BYTES[matched[2]]
    if size != int(size):
        raise ValueError("must be a whole number of bytes")
    return int(size)


def _consumers(value: Any) -> int | Literal["auto"]:
    """Read a number of consumers."""
    if value == "auto":
        return "auto"
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= CONSUMERS_MOST:
        raise ValueError(f"must be auto, or a whole number from 1 to {CONSUMERS_MOST}")
    return value


CONSUMERS_MOST = 1000
"""Consumers are named `queue/000` to `queue/999`."""

_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_DURATION = r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)"

_BYTES = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_SIZE = rf"([0-9]+(?:\.[0-9]+)?)({'|'.join(_BYTES)})"

Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"title": "duration", "type": "string", "pattern": f"^({_DURATION}|0)$"}),
]
"""Seconds in code; `500ms`, `5s`, `5m`, `1h`, `1d` in YAML."""

Size = Annotated[
    int,
    BeforeValidator(_bytes),
    WithJsonSchema(
        {
            "title": "size",
            "anyOf": [{"type": "string", "pattern": f"^{_SIZE}$"}, {"type": "integer"}],
        }
    ),
]
"""Bytes in code; `512B`, `64KiB`, `5MiB`, `10MB`, or a bare number of bytes, in YAML."""

Consumers = Annotated[
    int | Literal["auto"],
    PlainValidator(_consumers),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "auto"},
                {"type": "integer", "minimum": 1, "maximum": CONSUMERS_MOST},
            ]
        }
    ),
]
"""How many consumers share the work: `auto`, or a number."""

Format = Literal["auto", "json", "text", "msgpack"]
"""How bodies are read."""

Prefetch = Annotated[int, Field(ge=1, le=65535)]
"""Messages a consumer may hold; 65535 is what AMQP's `basic.qos` can say."""
