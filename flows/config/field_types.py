"""Types for texts of `pipeline.yaml` with a grammar: paths, conditions, user functions.

A model keeps the text. It is parsed here when the file is loaded, only to find its mistakes.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from connectors.spelling import problem_of
from flows.conditions import user_functions
from flows.conditions.conditions import condition
from flows.values import paths


def checked(read: Callable[[str], object], hidden: str) -> AfterValidator:
    """Reject a text with the error of `read`, or with `hidden` if it came from `${…}`."""

    def check(text: str) -> str:
        try:
            read(text)
        except ValueError as error:
            context = {"text": str(error), "hidden": hidden}
            raise PydanticCustomError("notation", "{text}", context) from None
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
"""A path: see `flows/values/paths.py`."""


def _zone(text: str) -> None:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        near = get_close_matches(text, available_timezones(), n=1)
        such = near[0] if near else "Europe/Berlin"
        raise ValueError(
            f"is no time zone of the IANA database; write {such}, for example"
        ) from None


ZoneText = Annotated[
    str,
    checked(_zone, "is no time zone of the IANA database"),
    WithJsonSchema({"title": "time zone", "type": "string"}),
]
"""A name of the IANA time zone database."""

OfMessage = Annotated[
    str,
    BeforeValidator(_quoted),
    checked(lambda text: condition(text, allow_group=False), "is not a condition"),
    WithJsonSchema({"title": "condition", "type": "string"}),
]
"""A condition on one message: see `flows/conditions/conditions.py`."""

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
        result = f"{answers[0]!r:.100}, which is no dict"
        raise ValueError(f"called with one empty document, it returned {result}")


Reducer = Annotated[
    str,
    checked(_reducer, "is not a function of your own: module:function"),
    WithJsonSchema({"title": "function", "type": "string", "pattern": "^[^:]+:[^:]+$"}),
]
"""A user function that reduces documents to one: see `flows/conditions/user_functions.py`."""


def _folder(text: str) -> None:
    if not PurePosixPath(text).is_absolute():
        raise ValueError(
            "must begin with /, as /var/lib/hopper/orders: any other path depends on the folder in "
            "which the job starts, and ~ is not replaced"
        )


FolderText = Annotated[
    str,
    checked(_folder, "must begin with /"),
    WithJsonSchema({"title": "folder", "type": "string", "pattern": "^/"}),
]
"""The absolute path of a folder."""
