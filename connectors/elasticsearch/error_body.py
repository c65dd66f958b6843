"""Reads the errors in Elasticsearch's answers. Pure."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from connectors.elasticsearch.proxy_answer import one_line

T = TypeVar("T")


class Error(msgspec.Struct):
    """An error as Elasticsearch writes it."""

    type: str = ""
    reason: str | None = None
    caused_by: Error | None = None
    header: Any = None


class _RequestError(msgspec.Struct):
    error: Error | str
    status: int | None = None


def reason_of_request(status: int, body: bytes) -> str:
    """Return why a whole request is refused; empty: the answer is not from Elasticsearch."""
    try:
        answer = decode(_request_error, body)
    except ValueError:
        return ""
    if isinstance(answer.error, Error):
        return reason_of(answer.error)
    # Many servers answer with a text alone; only Elasticsearch repeats the status in the body.
    return one_line(answer.error) if answer.status == status else ""


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode JSON, also with lone surrogates in it.

    Raises:
        ValueError: the body is not JSON, or not of the decoder's type.
    """
    try:
        return decoder.decode(body)
    except ValueError:
        # A reason may quote a document with a lone surrogate. Elasticsearch escapes it, which is
        # valid JSON, but msgspec refuses it.
        return msgspec.convert(json.loads(body), decoder.type)


def reason_of(error: Error | None) -> str:
    """Return type and reason of an error, and the reasons of its causes."""
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
