"""Texts of `pipeline.yaml` with a grammar of their own: paths, conditions, functions of one's own.

A model keeps the text; it is read here, when the file is loaded, to tell what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from connectors.spelling import problem_of
from flows.conditions import user_functions
from flows.conditions.conditions import condition
from flows.values import paths


def checked(read: Callable[[str], object], hidden: str) -> AfterValidator:
    """Refuse what `read` refuses, in its words; `hidden` is what to say of a text from outside."""

    def check(text: str) -> str:
        try:
            read(text)
        except ValueError as error:
            told = {"text": str(error), "hidden": hidden}
            raise PydanticCustomError("notation", "{text}", told) from None
        return text

    return AfterValidator(check)


def _quoted(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be text: quote it, as in 'message.type == \"end\"'")
    return value


def _path(text: str) -> None:
    problem = problem_of(text)
    if problem is not None:
        raise ValueError(problem)
    paths.parse(text)


PathText = Annotated[
    str,
    checked(_path, "is not the path of a field, such as order.id"),
    WithJsonSchema({"title": "path", "type": "string"}),
]
"""As in `flows/values/paths.py`."""

OfMessage = Annotated[
    str,
    BeforeValidator(_quoted),
    checked(lambda text: condition(text, allow_group=False), "is not a condition"),
    WithJsonSchema({"title": "condition", "type": "string"}),
]
"""A condition on one message, as in `flows/conditions/conditions.py`."""

OfGroup = Annotated[
    str,
    BeforeValidator(_quoted),
    checked(lambda text: condition(text, allow_group=True), "is not a condition"),
    WithJsonSchema({"title": "condition", "type": "string"}),
]
"""A condition on a group and its newest message."""


def _reducer(text: str) -> None:
    answers = user_functions.probe(user_functions.load(text), [{}])
    if answers is not None and not isinstance(answers[0], dict):
        told = f"{answers[0]!r:.100}, which is no dict"
        raise ValueError(f"asked about one empty document, it returned {told}")


Reducer = Annotated[
    str,
    checked(_reducer, "is not a function of your own: module:function"),
    WithJsonSchema({"title": "function", "type": "string", "pattern": "^[^:]+:[^:]+$"}),
]
"""What makes one document of several; named as in `flows/conditions/user_functions.py`."""
