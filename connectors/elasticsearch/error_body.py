"""Reads the errors of Elasticsearch's answers.

Pure.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from connectors.elasticsearch.proxy_answer import one_line

T = TypeVar("T")


class Error(msgspec.Struct):
    """What is wrong, and why."""

    type: str = ""
    reason: str | None = None
    caused_by: Error | None = None
    header: Any = None


class _RequestError(msgspec.Struct):
    error: Error | str
    status: int | None = None


def reason_of_request(status: int, body: bytes) -> str:
    """Why a whole request is refused; empty: it is not Elasticsearch that says so."""
    try:
        answer = decode(_request_error, body)
    except ValueError:
        return ""
    if isinstance(answer.error, Error):
        return reason_of(answer.error)
    # A text alone is what many say; Elasticsearch repeats the status behind it.
    return one_line(answer.error) if answer.status == status else ""


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Read JSON.

    Raises:
        ValueError: it is not JSON, or not what the decoder is for.
    """
    try:
        return decoder.decode(body)
    except ValueError:
        # A reason may quote a document that has half a surrogate pair in it. Elasticsearch spells
        # it out again, and that is JSON, although it is no text; not every reader takes it.
        return msgspec.convert(json.loads(body), decoder.type)


def reason_of(error: Error | None) -> str:
    """Type and reason, and what its causes add."""
    if error is None:
        return "no reason given"
    text = f"{error.type}: {error.reason}" if error.reason else error.type
    cause = error.caused_by
    while cause is not None:
        if cause.reason and cause.reason not in text:
            text += f": {cause.reason}"
        cause = cause.caused_by
    return one_line(text)


_request_error = msgspec.json.Decoder(_RequestError)
