"""Reasons that differ only by values of the message are of one kind."""

from __future__ import annotations

import pytest

from connectors.reject_kind import MAX_KINDS, OTHER, kind_of, quoted
from connectors.times import AS_TIMES_ARE

PARSING = (
    "document_parsing_exception: [1:{n}] failed to parse field [n] of type [long] in document with "
    "id '{id}'. Preview of field's value: '{value}': illegal_argument_exception: For input string: "
    '"{value}"'
)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (
            PARSING.format(n=6, id="7", value="seven"),
            PARSING.format(n=17, id="KJ's", value='it\'s "7"'),
            "document_parsing_exception: […] failed to parse field [n] of type [long] in document "
            "with id",
        ),
        (
            "version_conflict_engine_exception: [a-7]: version conflict, current version [3]",
            "version_conflict_engine_exception: [b]: version conflict, current version [12]",
            "version_conflict_engine_exception: […]: version conflict, current version […]",
        ),
        (
            "unreadable: invalid character (byte 17)",
            "unreadable: invalid character (byte 0)",
            "unreadable: invalid character (byte …)",
        ),
        (
            'incomplete: time, key "a17"',
            'incomplete: time, key "cut off, wh',
            "incomplete: time, key",
        ),
        (
            "3 of 10 documents, the first is number 2: unreadable: is no object",
            "1 of 4 documents, the first is number 1: unreadable: is no object",
            "… of … documents, the first is number …: unreadable: is no object",
        ),
        (
            "fail_processor_exception: 550e8400-e29b-41d4-a716-446655440000 isn't ours",
            "fail_processor_exception: 0badcafe12ff isn't ours",
            "fail_processor_exception: … isn't ours",
        ),
        (
            f"bad_value: no time in t, {AS_TIMES_ARE}: {quoted('31.01.2026' + 90 * '!')}",
            f"bad_value: no time in t, {AS_TIMES_ARE}: {quoted(-2e30)}",
            "bad_value: no time in t, as … or a Unix time",
        ),
        ("17", "", "…"),
    ],
)
def test_values_of_the_message_are_removed(one: str, other: str, kind: str) -> None:
    assert [kind_of(one), kind_of(other)] == [kind, kind]


def test_names_of_fields_and_types_distinguish_kinds() -> None:
    fields = [kind_of(f"mapper [{field}] cannot be changed to [text]") for field in ("a.b", "c")]

    assert fields == [
        "mapper [a.b] cannot be changed to [text]",
        "mapper [c] cannot be changed to [text]",
    ]


def test_the_number_of_kinds_is_bounded() -> None:
    known = [f"kind {chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(MAX_KINDS)]

    assert kind_of("another", known, len(known)) == OTHER
    assert kind_of("kind ab", known, len(known)) == "kind ab"
    assert kind_of("another", known, len(known) - 1) == "another"


def test_a_long_reason_is_cut() -> None:
    assert len(kind_of("word " * 1000)) <= 200


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("yesterday", "'yesterday'"),
        (17.5, "17.5"),
        (False, "false"),
        ({"a": {}}, "an object"),
        ([1], "a list"),
        ("x" * 10_000, "'" + "x" * 99),
    ],
)
def test_a_quoted_value_is_short(value: object, text: str) -> None:
    assert quoted(value) == text
