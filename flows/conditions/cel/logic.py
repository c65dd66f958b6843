"""Builds logical operators, and macros over lists. In CEL `true || error` is true. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flows.conditions.cel.comparisons import Operand, Test
from flows.values.group import ABSENT


def conjunction(left: Test, right: Test) -> Test:
    """`&&`: false if one side is false, even if the other one is an error."""

    def test(values: Sequence[Any], group: Any) -> bool | None:
        a = left(values, group)
        if a is False:
            return False
        b = right(values, group)
        return b if a or b is False else None

    return test


def disjunction(left: Test, right: Test) -> Test:
    """`||`: true if one side is true, even if the other one is an error."""

    def test(values: Sequence[Any], group: Any) -> bool | None:
        a = left(values, group)
        if a:
            return True
        b = right(values, group)
        return b if b or a is False else None

    return test


def negation(of: Test) -> Test:
    """`!`: the negation of an error is an error."""

    def test(values: Sequence[Any], group: Any) -> bool | None:
        a = of(values, group)
        return None if a is None else not a

    return test


def choice(condition: Test, then: Test, other: Test) -> Test:
    """`?:` of tests, which evaluates one of both only."""

    def test(values: Sequence[Any], group: Any) -> bool | None:
        a = condition(values, group)
        if a is None:
            return None
        return then(values, group) if a else other(values, group)

    return test


def chosen(condition: Test, then: Operand, other: Operand) -> Operand:
    """`?:` of values."""

    def value(values: Sequence[Any], group: Any) -> Any:
        a = condition(values, group)
        if a is None:
            return ABSENT
        return then(values, group) if a else other(values, group)

    return value


def as_value(test: Test) -> Operand:
    """Return a test as a value: true, false or `ABSENT`."""

    def value(values: Sequence[Any], group: Any) -> Any:
        answer = test(values, group)
        return ABSENT if answer is None else answer

    return value


def _any(items: Operand, body: Test) -> Test:
    return _through(items, body, decided=True)


def _all(items: Operand, body: Test) -> Test:
    return _through(items, body, decided=False)


def _through(items: Operand, body: Test, decided: bool) -> Test:
    """Test items until one is `decided`; if none is, and one is an error, so is the result."""

    def test(values: Sequence[Any], group: Any) -> bool | None:
        found = items(values, group)
        if found.__class__ is not list and found.__class__ is not dict:
            return None
        answer: bool | None = not decided
        for item in found:
            one = body((*values, item), group)
            if one is decided:
                return decided
            if one is None:
                answer = None
        return answer

    return test


def _exactly_one(items: Operand, body: Test) -> Test:
    def test(values: Sequence[Any], group: Any) -> bool | None:
        found = items(values, group)
        if found.__class__ is not list and found.__class__ is not dict:
            return None
        answers = [body((*values, item), group) for item in found]
        return None if None in answers else answers.count(True) == 1

    return test


def selection(items: Operand, keep: Test | None, make: Operand | None) -> Operand:
    """`filter` and `map`: keep the items that pass the test `keep`, and `make` a value of each."""

    def value(values: Sequence[Any], group: Any) -> Any:
        found = items(values, group)
        if found.__class__ is not list and found.__class__ is not dict:
            return ABSENT
        results = []
        for item in found:
            inner = (*values, item)
            kept = keep is None or keep(inner, group)
            if kept:
                result = item if make is None else make(inner, group)
                if result is ABSENT:
                    return ABSENT
                results.append(result)
            elif kept is None:
                return ABSENT
        return results

    return value


LOGIC: dict[str, Callable[..., Test]] = {"&&": conjunction, "||": disjunction, "!": negation}
QUANTIFIERS: dict[str, Callable[[Operand, Test], Test]] = {
    "exists": _any,
    "all": _all,
    "exists_one": _exactly_one,
}
