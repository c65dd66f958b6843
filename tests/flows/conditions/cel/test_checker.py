"""Conditions that are refused at load, with the place and the remedy."""

from __future__ import annotations

import re
import sys

import pytest

from flows.conditions.cel import patterns
from flows.conditions.conditions import condition


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("", (1, 1), "it ends here: expected a value"),
        ("message.type ==", (1, 16), "it ends here: expected a value"),
        ('message.type = "x"', (1, 14), "write == to compare"),
        ('message.type == "x', (1, 17), 'it needs another "'),
        ("message.a == 1 and message.b == 2", (1, 16), "write &&"),
        ("message.a == 1 or true", (1, 16), "write ||"),
        ("not message.a", (1, 5), "unexpected message"),
        ("message.a == 1 & true", (1, 16), "write &&"),
        ("(message.a == 1", (1, 16), "expected )"),
        ("message.a == 1)", (1, 15), "unexpected )"),
        ("message.a in [1, 2", (1, 19), "expected , or ]"),
        ("message.a #", (1, 11), "unexpected #"),
        ("message. == 1", (1, 10), "expected the name of a field"),
        ("message.in == 1", (1, 9), '["in"]'),
        ("message.true == 1", (1, 9), '["true"]'),
        ("package == 1", (1, 1), "unexpected package"),
        (r'message.a == "\d"', (1, 15), r"\d is no character"),
        (r'message.a == "\ud800"', (1, 15), "is no character"),
        ('message.a == "a\nb"', (1, 14), "the text has no end"),
        ("message.a == 9223372036854775808", (1, 14), "write 9223372036854775808.0"),
        ("mesage.a == 1", (1, 1), "did you mean message?"),
        ("message.a ==\n  foo.b", (2, 3), "there is no foo"),
        ("header.x-order == 1", (1, 10), 'write header["x-order"]'),
        ("header.x-order-id == 1", (1, 10), 'write header["x-order-id"]'),
        ("property.corelation_id == 'a'", (1, 10), "did you mean correlation_id?"),
        ("property == 1", (1, 1), "property needs a name"),
        ("group.count > 3", (1, 7), "only until can read the group"),
        ('group.sum("a") > 3', (1, 7), "only until can read the group"),
        ("foo(1)", (1, 1), "there is no foo(…)"),
        ("message.a.startWith('a')", (1, 11), "did you mean startsWith?"),
        ("startsWith(message.a, 'a')", (1, 1), "write x.startsWith(…)"),
        ("message.a.startsWith()", (1, 11), "startsWith takes one value"),
        ("message.a.startsWith(3)", (1, 22), "startsWith takes a text"),
        ("message.a.replace('a') == 'b'", (1, 11), "replace takes two or three values"),
        ("message.a.substring('a') == 'b'", (1, 21), "substring takes a number"),
        ("int([1]) == 1", (1, 5), "int takes a number, a text or a time"),
        ("has(message.a, message.b)", (1, 1), "has takes a field"),
        ("{true: 1}[message.a] == 1", (1, 2), "it is the name of a field"),
        ("duration('1s') - timestamp(message.a) > duration('1s')", (1, 16), "- does not take"),
        ("message.a + 1", (1, 11), "a number is not true or false: compare it"),
        ('"end"', (1, 1), "a text is not true or false"),
        ("size(message.a)", (1, 1), "a number is not true or false"),
        ("message.a == 1 && message.b + 1", (1, 29), "a number is not true or false"),
        ("!size(message.a)", (1, 2), "a number is not true or false"),
        ("true ? message.a == 1 : 3", (1, 25), "a number is not true or false"),
        ("queue > 3", (1, 7), "> does not take a text and a number"),
        ("routing_key == 3", (1, 13), "== does not take a text and a number"),
        ("property.priority == '3'", (1, 19), "== does not take a number and a text"),
        ("message.a < null", (1, 11), "< does not take null"),
        ("message.a > [1]", (1, 11), "> does not take a list"),
        ("message.a * 'x' == 1", (1, 11), "* does not take a text"),
        ("message.a - 'x' == 1", (1, 11), "- does not take a text"),
        ("1 + 'x' == message.a", (1, 3), "+ does not take a number and a text"),
        ("'a' in 'abc'", (1, 5), "x.contains(…)"),
        ("queue.x == 1", (1, 7), "a text has no x"),
        ("queue[0] == 1", (1, 6), "only lists and objects"),
        ("queue.getHours() == 1", (1, 7), "a text has no getHours"),
        ("has(message)", (1, 5), "has takes a field"),
        ("message.a.exists(x > 1)", (1, 11), "write .exists(x, …)"),
        ("message.a.exists(message, true)", (1, 18), "write a new name"),
        ("message.a.exists(i, i + 1)", (1, 23), "a number is not true or false"),
        ("queue.exists(i, true)", (1, 7), "exists needs a list"),
        ('type == "end"', (1, 1), "write message.type"),
        ('message.event-type == "x"', (1, 15), 'write message["event-type"]'),
        ('event-type == "x"', (1, 1), 'a minus sign ends a name: write message["event-type"]'),
        ('data.event-type == "x"', (1, 1), 'write message.data["event-type"]'),
        ("headers.x == 1", (1, 1), "write header.x"),
        ("headers.x-a == 1", (1, 1), 'write header["x-a"]'),
        ('properties.type == "x"', (1, 1), "write property.type"),
        ('routingKey == "x"', (1, 1), "write routing_key"),
        ('body.type == "end"', (1, 1), "write message.type"),
        ('payload.type == "end"', (1, 1), "write message.payload.type"),
        ("message.type == end", (1, 17), 'write message.end, or "end" if it is a text'),
        ("message.a == None", (1, 14), "write null"),
        ("message.a == True", (1, 14), "write true"),
        ("count > 5", (1, 1), "write message.count"),
        ('message.a <> "end"', (1, 12), "write !="),
        ('message.a is "end"', (1, 11), "write =="),
        ("message.a == 1 AND true", (1, 16), "write &&"),
        ("not message.a", (1, 5), "write !"),
        ('message.a =~ "x"', (1, 12), "write x.matches(…)"),
        ('message.a like "x"', (1, 11), "write x.matches(…)"),
        ("message.a in (1, 2)", (1, 16), "[ ] around a list"),
        ("message.a[*].b == 1", (1, 11), "test the items of a list with .exists(x, …)"),
        ('$.type == "end"', (1, 1), "write message.type"),
        ('.type == "end"', (1, 1), "write message.type"),
        ('%{[type]} == "end"', (1, 1), "write message.type"),
        ('{{ .type }} == "end"', (1, 4), "write message.type"),
        ('[message][type] == "end"', (1, 11), "write message.type"),
        ('@timestamp > "2026"', (1, 1), 'write message["@timestamp"]'),
        ('message.@timestamp > "2026"', (1, 9), 'write message["@timestamp"]'),
        ("message.a == \u201cend\u201d", (1, 14), "texts stand in"),
        ("message.a == 1;", (1, 15), "without ;"),
        ("len(message.a) > 3", (1, 1), "write size(x)"),
        ("exists(message.a)", (1, 1), "write has(message.order)"),
        ('message.a.lower() == "x"', (1, 11), 'write x.matches("(?i)^end$")'),
        ('message.get("a") == "x"', (1, 9), 'write message["order"]'),
        ('sum("amount") > 3', (1, 1), 'write group.sum("amount"), in until'),
        ("(" * 2000 + "true" + ")" * 2000, None, "nested too deeply"),
        ("!" * 5000 + "true", None, "nested too deeply"),
        (" && ".join(["message.a == 1"] * 2000), None, "nested too deeply"),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(
    text: str, place: tuple[int, int] | None, remedy: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)) as refused:
        condition(text, allow_group=False)

    if place is not None:
        assert str(refused.value).startswith("line {}, column {}: ".format(*place))


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("group.cuont > 3", (1, 7), "did you mean count?"),
        ("count > 5", (1, 1), "write group.count, or message.count for a field"),
        ('group.sum("message.a") > 3', (1, 11), "write a, or body.message.a"),
        ('group.sum("a * b") > 3', (1, 11), "computes nothing"),
        ("group > 3", (1, 1), "group needs a name: write group.count"),
        ('group.count == "3"', (1, 13), "== does not take a number and a text"),
        ('group.total("a") > 3', (1, 7), "there are sum, min, max, avg"),
        ("group.sum() > 3", (1, 7), 'group.sum("amount")'),
        ("group.sum(message.a) > 3", (1, 19), "a constant path in quotes"),
        ('group.sum("a" + "b") > 3', (1, 15), "a constant path in quotes"),
        ('group.sum("a..b") > 3', (1, 11), "write a.b or /a.b"),
        ('group.sum("property.x") > 3', (1, 11), "there is no property.x"),
        ('group.sum("a")', (1, 7), "a number is not true or false"),
    ],
)
def test_a_mistake_about_the_group_is_refused_too(
    text: str, place: tuple[int, int], remedy: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)) as refused:
        condition(text, allow_group=True)

    assert str(refused.value).startswith("line {}, column {}: ".format(*place))


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ('message.a.matches("(")', 19, "not a valid regex"),
        ('timestamp(message.a) > timestamp("yesterday")', 24, "timestamp"),
        ('duration("x") > duration("1s")', 1, "duration"),
        ('message.a == int("x")', 14, "int"),
        ('message.a.matches(message.b) || "a".matches("[")', 45, "not a valid regex"),
        ('timestamp(message.a).getHours("Europe/Berln") == 1', 31, "no time zone 'Europe/Berln'"),
        ('"abc".charAt(5) == message.a', 7, "charAt: 5 is beyond a text of 3 characters"),
        ("message.a == 18446744073709551616u", 14, "beyond 64 bits"),
    ],
)
def test_an_invalid_constant_is_refused_at_load(text: str, column: int, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        condition(text, allow_group=False)

    assert str(refused.value).startswith(f"line 1, column {column}: ")


def test_without_re2_matches_is_refused_at_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install, or what to write instead."""
    monkeypatch.setitem(sys.modules, "re2", None)
    patterns.compile.cache_clear()

    with pytest.raises(
        ValueError, match=re.escape("line 1, column 19: matches needs RE2")
    ) as refused:
        condition('message.a.matches("a")', allow_group=False)
    assert "pip install google-re2" in str(refused.value)
