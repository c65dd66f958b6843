"""The language of conditions, held against CEL's own evaluator with the whole document."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import cel
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.message import Properties
from flows.fields.conditions import condition
from flows.fields.expressions.tokens import Wrong, tokens
from flows.fields.expressions.tree import parse
from flows.fields.paths import reader

# Beyond 2**53 CEL rounds where it compares integers with floats, and this does not.
INTEGERS = st.sampled_from([-(2**53), -3, -1, 0, 1, 2, 3, 2**53])
FLOATS = st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 1e300])
TEXTS = st.sampled_from(["", "a", "b", "end", "Ä", "\U0001f600", "\ufffd", 'q"q', "back\\slash"])
SCALARS = st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner),
    max_leaves=4,
)
DOCUMENTS = st.dictionaries(st.sampled_from("abcd"), VALUES)
FIELDS = st.sampled_from(
    [
        "message.a",
        "message.b",
        "message.c",
        "message.d",
        "message.a.x",
        'message["b"]',
        "message.c.x.y",
        "message.a[0]",
        "message.b[1].x",
        "message.c[message.d]",
    ]
)


def written(value: Any) -> str:
    """As a literal of CEL."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"[{', '.join(map(written, value))}]" if isinstance(value, list) else repr(value)


LITERALS = SCALARS.map(written)
SAME, ORDER = st.sampled_from(["==", "!="]), st.sampled_from(["<", "<=", ">", ">="])
ORDERED = SCALARS.filter(lambda value: value is not None).map(written)
PLAIN = st.one_of(
    st.tuples(FIELDS, SAME, LITERALS).map(" ".join),
    st.tuples(LITERALS, SAME, FIELDS).map(" ".join),
    st.tuples(FIELDS, ORDER, ORDERED).map(" ".join),
    st.tuples(ORDERED, ORDER, FIELDS).map(" ".join),
)
SIMPLE = st.one_of(
    PLAIN,
    st.tuples(FIELDS, SAME | ORDER, FIELDS).map(" ".join),
    FIELDS,
    st.sampled_from(["true", "false", "has(message.a)", "has(message.b)"]),
    st.tuples(FIELDS, st.lists(SCALARS, max_size=3).map(written)).map(" in ".join),
    st.tuples(FIELDS, SAME, st.lists(SCALARS, max_size=2).map(written)).map(" ".join),
)
EXPRESSIONS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(
            lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"
        ),
        inner.map(lambda part: f"!({part})"),
        st.tuples(inner, inner, inner).map(lambda parts: "({}) ? ({}) : ({})".format(*parts)),
    ),
    max_leaves=6,
)


def by_cel(text: str, document: dict[str, Any]) -> bool | None:
    """What CEL's evaluator makes of it when it gets the whole document."""
    try:
        answer = cel.evaluate(text, {"message": document})
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        return None
    return answer if isinstance(answer, bool) else None


def by_us(text: str, document: dict[str, Any]) -> bool | None:
    found = condition(text, allow_group=False)
    return found.test(reader(found.paths)(document, Properties(), ""), None)


@given(PLAIN, DOCUMENTS)
@example('message.a == "end"', {})
@example("message.a != 1", {"a": True})
@example("message.a == 0", {"a": False})
@example("message.a == 0", {"a": -0.0})
def test_a_plain_comparison_is_what_cel_makes_of_it(text: str, document: dict[str, Any]) -> None:
    """Of all kinds of values, absent ones included."""
    assert by_us(text, document) is by_cel(text, document)


@given(EXPRESSIONS, DOCUMENTS)
def test_whatever_combines_comparisons_is_what_cel_makes_of_it(
    text: str, document: dict[str, Any]
) -> None:
    assert by_us(text, document) is by_cel(text, document)


@given(
    st.sampled_from(["exists", "all", "exists_one"]),
    st.sampled_from(["i > 1", "i == message.b", "i.x == 1", "!(i < 2)", 'i in ["a", 1]']),
    DOCUMENTS,
)
def test_lists_are_gone_through_as_cel_does_or_further(
    macro: str, body: str, document: dict[str, Any]
) -> None:
    """Its evaluator stops at the first error, where CEL's definition lets a later item decide."""
    text = f"message.a.{macro}(i, {body})"
    answer, theirs = by_us(text, document), by_cel(text, document)

    assert theirs is None or answer is theirs


INTEGERS_OF_64_BITS = st.integers(-(2**63), 2**63 - 1)


@given(
    st.sampled_from("+-*/%"),
    st.tuples(INTEGERS_OF_64_BITS, INTEGERS_OF_64_BITS) | st.tuples(FLOATS, FLOATS),
)
@example("/", (-(2**63), -1))
@example("%", (-7, 3))
@example("/", (7, -2))
def test_arithmetic_is_that_of_cel(sign: str, numbers: tuple[float, float]) -> None:
    """But for what CEL has none of, remainders of floats, and what has no number as its result."""
    document = dict(zip("ab", numbers, strict=True))
    if isinstance(numbers[1], float) and (sign == "%" or numbers[1] == 0):
        return
    text = f"message.a {sign} message.b"
    try:
        value = cel.evaluate(text, {"message": document})
    except ArithmeticError:
        value = None

    if value is None or abs(value) == float("inf"):
        assert by_us(f"{text} == 0", document) is None
    else:
        assert by_us(f"{text} == message.c", {**document, "c": value}) is True


PIECES = st.sampled_from(
    [
        *"()[]{},:?!-+*%<.a",
        "b.c",
        "f(",
        "x.f(",
        "&&",
        "||",
        "==",
        ">=",
        "in",
        "if",
        "has(a.b)",
        "1",
        "2.5",
        ".5",
        '"s"',
        r"r'\d'",
        "true",
        "null",
        "1u",
        'b"x"',
        "0x1F",
        "-1",
        "[1,2]",
        '{"a":1}',
    ]
)


@given(st.lists(PIECES, min_size=1, max_size=7).map(" ".join))
def test_what_cel_can_read_is_read_here(text: str) -> None:
    """But for names with a dot before them, which mean names of packages; CEL has them, we not."""
    try:
        cel.compile(text)
    except ValueError:
        return
    wrong = ""
    try:
        parse(text)
    except Wrong as error:
        wrong = str(error)
    assert wrong == "" or wrong.endswith("unexpected .: expected a value")


@given(st.lists(PIECES | st.just("message.a"), max_size=9).map("".join))
def test_no_text_is_an_error_but_that_it_is_wrong(text: str) -> None:
    with suppress(ValueError):
        condition(text, allow_group=True)


@given(st.text(), st.sampled_from(["startsWith", "contains", "matches"]), VALUES)
def test_no_value_is_an_error_at_run_time(text: str, function: str, value: object) -> None:
    document = {"a": value, "b": text}

    assert by_us(f"message.a.{function}(message.b)", document) in (True, False, None)
    assert by_us(f"message.b.{function}(message.a)", document) in (True, False, None)


@pytest.mark.parametrize(
    "text",
    [
        *("1", "1.5", ".5", "1e3", "1.5e-3", "0x1F", "7u", "true", "null"),
        *(
            '"a"',
            "'a'",
            '"""a"b"""',
            "'''it's'''",
            '""',
            "''",
            r'"\n\t\\\"\'"',
            r"r'\d'",
            r"'\x41'",
        ),
        *(r'"\u00e4\U0001F600\101"', "'''line 1\nline 2'''", r"r'a\'"),
    ],
)
def test_a_literal_means_what_it_means_to_cel(text: str) -> None:
    literal, end = tokens(text)
    assert end.kind == "end"
    assert literal.value == cel.evaluate(text)
