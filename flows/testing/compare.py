"""Compares what happened in a test with what it expects. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from connectors.spec import Spec
from connectors.units import duration_text
from flows.config.yaml import Path
from flows.simulation.report import (
    Acknowledged,
    DeadLettered,
    DocumentWritten,
    GroupCompleted,
    Happening,
    Report,
    RequestSent,
)
from flows.testing.expect_spec import Expectation

H = TypeVar("H", bound=Happening)

NOTHING = "nothing"
"""The text in place of a value that was not expected, or that is missing."""


class Difference(NamedTuple):
    """Something that is not as expected."""

    at: Path
    """Of the key, from `expect`."""
    expected: str
    actual: str


def differences(expect: Expectation, report: Report) -> list[Difference]:
    """Return all differences, in the order of the keys of `expect`."""
    actual = {
        "groups": [_group(one) for one in _of(GroupCompleted, report)],
        "documents": [_document(one) for one in _of(DocumentWritten, report)],
        "requests": [_request(one) for one in _of(RequestSent, report)],
        "dead_letters": [_dead_letter(one) for one in _of(DeadLettered, report)],
        "acknowledged": _acknowledged(_of(Acknowledged, report)),
    }
    found: list[Difference] = []
    for name, happened in actual.items():
        expected: Sequence[Spec] | None = getattr(expect, name)
        if expected is not None:
            found += _compare((name,), expected, happened)
    if sorted(expect.unacknowledged) != report.unacknowledged:
        left = _text(sorted(expect.unacknowledged)), _text(report.unacknowledged)
        found.append(Difference(("unacknowledged",), *left))
    return found


def _of(kind: type[H], report: Report) -> list[H]:
    return [one for one in report.happened if isinstance(one, kind)]


def _group(one: GroupCompleted) -> dict[str, Any]:
    messages = sorted(one.messages)
    return {"at": one.at, "key": one.key, "completed_by": one.completed_by, "messages": messages}


def _document(one: DocumentWritten) -> dict[str, Any]:
    place = {"index": one.index, "id": one.id, "version": one.version}
    return {"at": one.at, **place, "source": one.source}


def _request(one: RequestSent) -> dict[str, Any]:
    return {"at": one.at, "path": one.path, "documents": one.documents, "lines": one.lines}


def _dead_letter(one: DeadLettered) -> dict[str, Any]:
    return {"at": one.at, "messages": one.messages, "reason": one.reason, "text": one.body}


def _acknowledged(several: Sequence[Acknowledged]) -> list[dict[str, Any]]:
    """One for each moment."""
    by_time: dict[float, list[int]] = {}
    for one in several:
        by_time.setdefault(one.at, []).extend(one.messages)
    return [{"at": at, "messages": sorted(messages)} for at, messages in by_time.items()]


def _compare(
    at: Path, expected: Sequence[Spec], actual: Sequence[dict[str, Any]]
) -> Iterator[Difference]:
    for number, one in enumerate(expected):
        if number < len(actual):
            yield from _compare_one((*at, number), one, actual[number])
        else:
            yield Difference((*at, number), _given(one), NOTHING)
    for more in actual[len(expected) :]:
        yield Difference(at, NOTHING, _whole(more))


def _compare_one(at: Path, expected: Spec, actual: dict[str, Any]) -> Iterator[Difference]:
    """Compare the keys that are given."""
    for name in type(expected).model_fields:
        if name in expected.model_fields_set:
            value = getattr(expected, name)
            yield from _COMPARE.get(name, _compare_value)((*at, name), value, actual)


def _compare_value(at: Path, expected: Any, actual: dict[str, Any]) -> Iterator[Difference]:
    found = actual[str(at[-1])]
    if isinstance(expected, dict) and isinstance(found, dict):
        yield from _compare_fields(at, expected, found, whole=True)
    elif not _equal(_plain(expected), found):
        yield Difference(at, _text(_plain(expected)), _text(found))


def _compare_time(at: Path, expected: float, actual: dict[str, Any]) -> Iterator[Difference]:
    if round(expected, 3) != actual["at"]:
        yield Difference(at, duration_text(expected), duration_text(actual["at"]))


def _compare_messages(
    at: Path, expected: Sequence[int], actual: dict[str, Any]
) -> Iterator[Difference]:
    if sorted(expected) != sorted(actual["messages"]):
        yield Difference(at, _text(sorted(expected)), _text(sorted(actual["messages"])))


def _compare_part(
    at: Path, expected: dict[str, Any], actual: dict[str, Any]
) -> Iterator[Difference]:
    yield from _compare_fields(at, expected, actual["source"], whole=False)


def _compare_reason(at: Path, expected: str, actual: dict[str, Any]) -> Iterator[Difference]:
    if expected not in actual["reason"]:
        yield Difference(at, f"a reason with: {expected}", actual["reason"])


def _compare_body(at: Path, expected: Any, actual: dict[str, Any]) -> Iterator[Difference]:
    try:
        body = msgspec.json.decode(actual["text"])
    except msgspec.DecodeError:
        yield Difference(at, _text(expected), actual["text"])
        return
    if not _equal(expected, body):
        yield Difference(at, _text(expected), _text(body))


def _compare_lines(
    at: Path, expected: Sequence[Any], actual: dict[str, Any]
) -> Iterator[Difference]:
    lines: list[str] = actual["lines"]
    for number, line in enumerate(expected):
        found = lines[number] if number < len(lines) else NOTHING
        text = line if isinstance(line, str) else _text(line)
        equal = (
            line == found
            if isinstance(line, str)
            else number < len(lines) and _equal(line, msgspec.json.decode(found))
        )
        if not equal:
            yield Difference((*at, number), text, found)
    for line in lines[len(expected) :]:
        yield Difference(at, NOTHING, line)


_COMPARE: dict[str, Callable[[Path, Any, dict[str, Any]], Iterator[Difference]]] = {
    "at": _compare_time,
    "messages": _compare_messages,
    "contains": _compare_part,
    "reason": _compare_reason,
    "body": _compare_body,
    "lines": _compare_lines,
}


def _compare_fields(
    at: Path, expected: dict[str, Any], actual: dict[str, Any], *, whole: bool
) -> Iterator[Difference]:
    """Compare objects field by field, as deep as they go."""
    for name, value in expected.items():
        below = (*at, name)
        if name not in actual:
            yield Difference(below, _text(value), NOTHING)
        else:
            yield from _compare_inner(below, value, actual[name], whole=whole)
    for name in actual if whole else ():
        if name not in expected:
            yield Difference(at, f"no field {name}", f"{name}: {_text(actual[name])}")


def _compare_inner(at: Path, expected: Any, actual: Any, *, whole: bool) -> Iterator[Difference]:
    """Compare values as deep as mappings go; lists of as many mappings item by item."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        yield from _compare_fields(at, expected, actual, whole=whole)
    elif _are_mappings(expected) and _are_mappings(actual) and len(expected) == len(actual):
        for number, pair in enumerate(zip(expected, actual, strict=True)):
            yield from _compare_fields((*at, number), *pair, whole=True)
    elif not _equal(expected, actual):
        yield Difference(at, _text(expected), _text(actual))


def _are_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _equal(one: Any, other: Any) -> bool:
    """Compare as JSON: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _given(expected: Spec) -> str:
    """Return what is expected of one thing, with the keys that the file gives."""
    given = {name: getattr(expected, name) for name in expected.model_fields_set}
    return _whole({name: given[name] for name in type(expected).model_fields if name in given})


def _whole(values: dict[str, Any]) -> str:
    shown = {name: _plain(value) for name, value in values.items() if value is not None}
    if "at" in shown:
        shown["at"] = duration_text(shown["at"])
    return _text(shown)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
