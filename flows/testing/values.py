"""Types that several models of tests share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

AnyValue = Annotated[Any, WithJsonSchema({"title": "any value"})]
Number = Annotated[
    int,
    Field(ge=1),
    WithJsonSchema({"title": "number", "type": "integer", "minimum": 1}),
]
"""Counted from 1."""
Numbers = Annotated[tuple[Number, ...], Field(strict=False)]
