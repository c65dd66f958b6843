"""Conditions compared with CEL's reference implementation.

docs/aggregate.md lists the intended differences, under "Conditions".
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from functools import lru_cache
from itertools import product
from typing import Any

import pytest
from cel_expr_python import cel
from cel_expr_python.ext import ext_strings
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.message import Properties
from flows.conditions.cel.checker import Checker
from flows.conditions.cel.functions import METHODS
from flows.conditions.cel.tokens import Wrong, tokens
from flows.conditions.cel.tree import parse
from flows.conditions.conditions import condition
from flows.values.paths import reader

ENVIRONMENT = cel.NewEnv(variables={"message": cel.Type.DYN}, extensions=[ext_strings.ExtStrings()])
ERROR = object()

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


@lru_cache(2000)
def compiled(text: str) -> Any:
    return ENVIRONMENT.compile(text, disable_check=True)


def cel_value(text: str, document: dict[str, Any]) -> Any:
    """The result of CEL with the whole document; `ERROR`: it has none."""
    try:
        value = compiled(text).eval(data={"message": document})
    except RuntimeError:
        return ERROR
    return ERROR if value.type() == cel.Type.ERROR else value.plain_value()


def by_cel(text: str, document: dict[str, Any]) -> bool | None:
    answer = cel_value(text, document)
    return answer if isinstance(answer, bool) else None


read = lru_cache(2000)(condition)


def by_us(text: str, document: dict[str, Any]) -> bool | None:
    found = read(text, allow_group=False)
    return found.test(reader(found.paths)(document, Properties(), ""), None)


def assert_alike(text: str, document: dict[str, Any]) -> None:
    """Both have the same result; an error, or no number, in CEL is no result here."""
    with suppress(RuntimeError):  # too deeply nested for CEL
        compiled(text)
        compare_results(text, document)


def compare_results(text: str, document: dict[str, Any]) -> None:
    expected = cel_value(text, document)
    if isinstance(expected, float) and not math.isfinite(expected):
        expected = ERROR
    whole = f"({text}) == message.result"
    try:
        holds = by_us(whole, {**document, "result": expected})
    except Wrong:  # a constant that is an error is refused at load, even if it does not matter
        Checker(whole, group=False).check(parse(whole))
        return
    assert holds is (None if expected is ERROR else True), (text, document, expected)


@given(PLAIN, DOCUMENTS)
@example('message.a == "end"', {})
@example("message.a != 1", {"a": True})
@example("message.a == 0", {"a": False})
@example("message.a == 0", {"a": -0.0})
def test_a_plain_comparison_gives_the_result_of_cel(text: str, document: dict[str, Any]) -> None:
    """With values of all kinds, and absent ones."""
    assert by_us(text, document) is by_cel(text, document)


@given(EXPRESSIONS, DOCUMENTS)
def test_combined_comparisons_give_the_result_of_cel(text: str, document: dict[str, Any]) -> None:
    assert by_us(text, document) is by_cel(text, document)


@given(
    st.sampled_from(["exists", "all", "exists_one"]),
    st.sampled_from(["i > 1", "i == message.b", "i.x == 1", "!(i < 2)", 'i in ["a", 1]']),
    DOCUMENTS,
)
def test_macros_over_lists_give_the_result_of_cel(
    macro: str, body: str, document: dict[str, Any]
) -> None:
    """An implementation may stop at an error, where CEL's definition lets a later item decide."""
    text = f"message.a.{macro}(i, {body})"
    answer, expected = by_us(text, document), by_cel(text, document)

    assert expected is None or answer is expected


INTEGERS_OF_64_BITS = st.integers(-(2**63), 2**63 - 1)


@given(
    st.sampled_from("+-*/%"),
    st.tuples(INTEGERS_OF_64_BITS, INTEGERS_OF_64_BITS) | st.tuples(FLOATS, FLOATS),
)
@example("/", (-(2**63), -1))
@example("%", (-7, 3))
@example("/", (7, -2))
def test_arithmetic_gives_the_result_of_cel(sign: str, numbers: tuple[float, float]) -> None:
    """Except remainders of floats, which CEL does not have, and results that are no numbers."""
    document = dict(zip("ab", numbers, strict=True))
    if isinstance(numbers[1], float) and (sign == "%" or numbers[1] == 0):
        return
    text = f"message.a {sign} message.b"
    assert_alike(text, document)


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
def test_every_text_that_cel_parses_is_parsed_here(text: str) -> None:
    """Except names with a dot before them, which are names of packages in CEL."""
    try:
        compiled(text)
    except RuntimeError:
        return
    wrong = ""
    try:
        parse(text)
    except Wrong as error:
        wrong = str(error)
    assert wrong == "" or wrong.endswith("unexpected .: expected a value")


@given(st.lists(PIECES | st.just("message.a"), max_size=9).map("".join))
def test_every_text_is_parsed_or_refused(text: str) -> None:
    with suppress(ValueError):
        condition(text, allow_group=True)


@given(st.text(), st.sampled_from(["startsWith", "contains", "matches"]), VALUES)
def test_no_value_raises_an_error_at_run_time(text: str, function: str, value: object) -> None:
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
        *(r'"\u00e4\U0001F600\101"', "'''line 1\nline 2'''"),
        *(r"b'\x00\xff\377'", "b'ä'", r"br'\x'", "0xFFFFFFFFFFFFFFFFu"),
    ],
)
def test_a_literal_has_the_value_of_cel(text: str) -> None:
    literal, end = tokens(text)
    assert end.kind == "end"
    assert literal.value == cel_value(text, {})


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("'tacocat'.substring(0, 7)", "tacocat"),
        ("'tacocat'.substring(4)", "cat"),
        ("'tacocat'.substring(1, 3)", "ac"),
        ("'tacocat'.substring(7, 7)", ""),
    ],
)
def test_a_substring_may_end_with_the_text(text: str, result: str) -> None:
    """By CEL's definition; its reference implementation takes the last one for an error."""
    assert by_us(f"{text} == '{result}'", {}) is True


def test_a_backslash_ends_a_raw_literal_by_the_definition() -> None:
    """CEL's reference implementation takes it for the beginning of an escape."""
    assert tokens(r"r'a\'")[0].value == "a\\"


FULL: dict[str, Any] = {
    "s": "Abc-Äb",
    "t": "a,b,,a",
    "i": 3,
    "j": -2,
    "f": 2.5,
    "l": ["b", "a", ""],
    "n": [3, 1, 2],
    "at": "2026-05-05T00:00:00Z",
    "long": "1h30m",
    "small": [-2, -1, 0, 1, 2, 3, 4, 5],
    "words": [
        *(
            "",
            "a",
            "ab",
            "Abc-Äb",
            "a,b,,a",
            " \u2003x\t",
            "aaa",
            "3",
            "-7",
            "1.5",
            "true",
            "\U0001f600",
        )
    ],
    "spans": ["0", "1h30m", "-1.5s", "1.001s", "250ms", "7us", "1d", ".5h", "5", "99999h", "1h-2m"],
    "moments": [
        "2026-05-05T00:00:00Z",
        "2024-02-29T23:59:59.999999999-11:30",
        "1969-12-31T23:59:59.25Z",
        "1899-01-31T12:30:00.000001+02:00",
        "2026-02-29T00:00:00Z",
        "2026-05-05",
        "2026-05-05T24:00:00Z",
    ],
    "far": ["0001-01-02T00:00:00Z", "9999-12-30T23:59:59.5+00:00", "0000-01-01T00:00:00Z"],
    "zones": ["UTC", "Europe/Berlin", "America/St_Johns", "+05:45", "-08:00", "No/Where"],
    "patterns": ["^a", "[A-Z]b+", "(a|,)*$", "(", "\\pL", ""],
}
"""A possible error is in a field: a wrong constant is refused at load."""


def item_of(name: str) -> st.SearchStrategy[str]:
    return st.integers(0, len(FULL[name]) - 1).map(lambda place: f"message.{name}[{place}]")


def calls(form: str, *kinds: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*kinds).map(lambda parts: form.format(*parts))


def any_of(*forms: tuple[str, str]) -> st.SearchStrategy[str]:
    """Expressions, by their form and the kinds of their operands."""
    return st.one_of(
        *(calls(form, *(KINDS[kind] for kind in kinds.split())) for form, kinds in forms)
    )


NUMBER = st.deferred(
    lambda: any_of(
        ("{}", "small"),
        ("message.{}", "counter"),
        ("size({})", "text"),
        ("{}.size()", "texts"),
        ("{}.indexOf({})", "text text"),
        ("{}.indexOf({}, {})", "text text small"),
        ("{}.lastIndexOf({})", "text text"),
        ("{}.lastIndexOf({}, {})", "text text small"),
        ("int({})", "text"),
        ("int({})", "double"),
        ("int(uint({}))", "text"),
        ("int({})", "time"),
        ("({} ? {} : {})", "truth number number"),
        ("({} {} {})", "number sign number"),
        ("(-{})", "number"),
        ("{}.{}()", "time asked"),
        ("{}.{}({})", "time asked zone"),
        ("{}.{}()", "length measured"),
        ("{}.map(n, n * {})[{}]", "numbers small small"),
        ("{}.filter(n, n > {}).size()", "numbers number"),
    )
)
TEXT = st.deferred(
    lambda: any_of(
        ("{}", "word"),
        ("message.{}", "text_field"),
        ("({} + {})", "text text"),
        ("{}.charAt({})", "text small"),
        ("{}.lowerAscii()", "text"),
        ("{}.upperAscii()", "text"),
        ("{}.trim()", "text"),
        ("{}.reverse()", "text"),
        ("{}.replace({}, {})", "text text text"),
        ("{}.replace({}, {}, {})", "text text text small"),
        ("{}.substring({})", "text small"),
        ("{}.join()", "texts"),
        ("{}.join({})", "texts text"),
        ("{}[{}]", "texts small"),
        ("string({})", "number"),
        ("string({})", "double"),
        ("string({})", "truth"),
        ("string({})", "time"),
        ("string({})", "length"),
        ("string(bytes({}))", "text"),
    )
)
TEXTS_OF_MANY = st.deferred(
    lambda: any_of(
        ("message.l", ""),
        ("{}.split({})", "text text"),
        ("{}.split({}, {})", "text text small"),
        ("[{}, {}]", "text text"),
        ("({} + {})", "texts texts"),
        ("{}.map(t, t + {})", "texts text"),
        ("{}.filter(t, t > {})", "texts text"),
        ("{}.map(t, t != {}, t.size())", "texts text"),
    )
)
TRUTH = st.deferred(
    lambda: any_of(
        ("{}.contains({})", "text text"),
        ("{}.startsWith({})", "text text"),
        ("{}.endsWith({})", "text text"),
        ("{}.matches({})", "text pattern"),
        ("({} < {})", "time time"),
        ("({} == {})", "time time"),
        ("({} >= {})", "length length"),
        ("({} in {})", "text texts"),
        ("bool({})", "text"),
        ("(type({}) == int)", "number"),
        ("(type({}) == string)", "texts"),
        ("(bytes({}) < bytes({}))", "text text"),
        ("{}.exists(t, t.contains({}))", "texts text"),
        ("{}.all(t, t.contains({}))", "texts text"),
        ("{}.exists_one(t, t == {})", "texts text"),
        ("({} && {})", "truth truth"),
        ("(!{} || {})", "truth truth"),
    )
)
TIME = st.deferred(
    lambda: any_of(
        ("timestamp(message.at)", ""),
        ("timestamp({})", "moment"),
        ("timestamp({})", "far"),
        ("({} + {})", "time length"),
        ("({} - {})", "time length"),
    )
)
LENGTH = st.deferred(
    lambda: any_of(
        ("duration(message.long)", ""),
        ("duration({})", "span"),
        ("(timestamp({}) - timestamp({}))", "moment moment"),
        ("({} + {})", "length length"),
        ("({} - {})", "length length"),
    )
)
KINDS = {
    "number": NUMBER,
    "text": TEXT,
    "texts": TEXTS_OF_MANY,
    "truth": TRUTH,
    "time": TIME,
    "length": LENGTH,
    "small": item_of("small") | st.just("0"),
    "counter": st.sampled_from("ij"),
    "text_field": st.sampled_from(["s", "t", "gone"]),
    "word": item_of("words") | st.just("'1'"),
    "double": st.sampled_from(["message.f", "-1.5", "1e6", "123456.5", "1e-5", "double('2e3')"]),
    "numbers": st.sampled_from(["message.n", "[1, 2]", "[]"]),
    "sign": st.sampled_from("+-*/%"),
    "pattern": item_of("patterns"),
    "moment": item_of("moments"),
    "far": item_of("far"),
    "span": item_of("spans"),
    "zone": item_of("zones"),
    "asked": st.sampled_from([name for name in METHODS if name.startswith("get")]),
    "measured": st.sampled_from(["getHours", "getMinutes", "getSeconds", "getMilliseconds"]),
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(NUMBER, TEXT, TEXTS_OF_MANY, TRUTH))
def test_functions_give_the_result_of_cel(text: str) -> None:
    """The functions of CEL, and those of its strings extension."""
    assert_alike(text, FULL)


@pytest.mark.parametrize(
    "form",
    [
        *("int(W)", "uint(W) == 3u", "double(W)", "bool(W)", "string(bytes(W))", "size(bytes(W))"),
        *("W.charAt(N)", "W.indexOf('a', N)", "W.lastIndexOf('a', N)", "W.substring(N)"),
        *("W.indexOf('b')", "W.lastIndexOf('')", "W.lowerAscii()", "W.upperAscii()", "W.trim()"),
        *("W.reverse()", "W.split('a', N)", "W.split('', N)", "W.split(',')"),
        *("W.replace('a', 'xy', N)", "W.replace('', '-')", "W.split('b').join('+')", "[W].join()"),
        *("W.matches('^[a-z]+$')", "W.endsWith('a')", "W.startsWith(message.s)", "W.contains('b')"),
        *("'aXbX'.matches(P)", "string(timestamp(M))", "int(timestamp(M))"),
        *("timestamp(M).getHours(Z)", "timestamp(M).getDate(Z)", "timestamp(M).getMilliseconds(Z)"),
        *("timestamp(M).getFullYear()", "timestamp(M).getMonth()", "timestamp(M).getDayOfMonth()"),
        *("timestamp(M).getDayOfWeek(Z)", "timestamp(M).getDayOfYear()", "timestamp(M).getDate()"),
        *("timestamp(M).getMinutes(Z)", "timestamp(M).getSeconds()", "string(timestamp(F))"),
        *("string(duration(D))", "duration(D).getHours()", "duration(D).getMinutes()"),
        *("duration(D).getSeconds()", "duration(D).getMilliseconds()", "D < D"),
        *("string(timestamp(M) + duration(D))", "string(timestamp(M) - duration(D))"),
        *("string(timestamp(message.at) - timestamp(M))", "string(duration(D) - duration('1h'))"),
        *(
            "string(N)",
            "string(double(N) + 1.5)",
            "string(double(N) * 1e7)",
            "uint(N) + 1u",
            "uint(N) - 2u",
        ),
        *(
            "uint(N) % 2u",
            "uint(N) / 0u",
            "3u * uint(N)",
            "int(double(N) * 1e18)",
            "double(N)",
            "-N",
        ),
        *("[N, 1][0]", "{'a': N}['a']", "{1: 'a'}[N]", "message.n[N]", "N in {1: 'a'}", "N in [1]"),
        *("type(N) == double", "type(timestamp(M)) == type(timestamp(M))", "dyn(N)"),
        *("message.n.map(i, i > N, i + 1)", "message.n.filter(i, i > N)", "W in message.l"),
        *("(N > 0 ? W : 'x').size()", "[W, 'b'] == ['a', 'b']", "{'a': W} == {'a': 'a'}"),
    ],
)
def test_each_function_gives_the_result_of_cel_for_each_value(form: str) -> None:
    """W is each word, N a number, M a moment, F a far one, D a duration, Z a zone, P a pattern."""
    used = {letter: FULL[name] for letter, name in LETTERS.items() if letter in CAPITALS(form)}
    text = re.sub(r"\b([WNMFDZP])\b", r"message.\1", form)
    for values in product(*used.values()):
        assert_alike(text, {**FULL, **dict(zip(used, values, strict=True))})


LETTERS = {
    **{"W": "words", "N": "small", "M": "moments", "F": "far"},
    **{"D": "spans", "Z": "zones", "P": "patterns"},
}
CAPITALS = re.compile(r"\b[WNMFDZP]\b").findall
