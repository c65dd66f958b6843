"""Each function of `reduce`, with the members in any number of states."""

from __future__ import annotations

import json
import math
import random
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.summaries.functions import distinct, quantile
from flows.summaries.reducers import NAMES, Function, Tally, paths_of
from flows.values.group import ABSENT

OPTIONS: dict[str, dict[str, Any]] = {"quantile": {"q": 0.5}, "concat": {"separator": ", "}}


def reduced(name: str, values: Sequence[Any], **options: Any) -> Any:
    """The result of one function for these values, one for each member."""
    tally = Tally({"it": Function(name, "field", **(options or OPTIONS.get(name, {})))})
    state = tally.start()
    for number, value in enumerate(values):
        tally.add(state, (value,), number)
    return tally.results([state])["it"]


def skipped(name: str, values: Sequence[Any]) -> int:
    tally = Tally({"it": Function(name, "field", **OPTIONS.get(name, {}))})
    for number, value in enumerate(values):
        tally.add(tally.start(), (value,), number)
    return tally.skipped


# Each function.


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("first", [ABSENT, 1, 2], 1),
        ("first", [ABSENT, None, 2], None),
        ("last", [1, 2, ABSENT], 2),
        ("last", [1, None, ABSENT], None),
        ("list", [ABSENT, 1, None, "a", 1], [1, None, "a", 1]),
        ("count", [ABSENT, None, 0, "a"], 3),
        ("sum", [1, ABSENT, None, 2], 3),
        ("avg", [1, ABSENT, None, 2], 1.5),
        ("min", [2, ABSENT, None, -1.5], -1.5),
        ("max", [2, ABSENT, None, -1.5], 2),
        ("distinct", ["b", ABSENT, "a", None, "b", None], ["b", "a", None]),
        ("count_distinct", ["b", ABSENT, "a", None, "b", None], 3),
        ("quantile", [3, ABSENT, 1, None, 2], 2.0),
        ("merge", [{"a": 1}, ABSENT, None, {"b": 2}], {"a": 1, "b": 2}),
        ("concat", ["a", ABSENT, None, "b"], "a, b"),
    ],
)
def test_absent_values_are_skipped_and_null_too_unless_it_is_a_value(
    name: str, values: list[Any], expected: object
) -> None:
    assert reduced(name, values) == expected
    assert skipped(name, values) == 0


@pytest.mark.parametrize("name", NAMES)
def test_without_values_the_result_is_null_or_zero_or_an_empty_list(name: str) -> None:
    nothing: dict[str, object] = {"count": 0, "count_distinct": 0, "list": [], "distinct": []}

    assert reduced(name, []) == nothing.get(name)
    assert reduced(name, [ABSENT]) == nothing.get(name)
    tally = Tally({"it": Function(name, "field", **OPTIONS.get(name, {}))})
    assert tally.results([]) == {"it": nothing.get(name)}


def test_count_without_a_field_counts_members() -> None:
    tally = Tally({"n": Function("count")})
    state = tally.start()
    tally.add(state, (), 0)
    tally.add(state, (), 1)

    assert tally.results([state]) == {"n": 2}


NUMERIC = ["sum", "avg", "min", "max", "quantile"]
NO_NUMBERS = ["many", "", "1_0", "0x1", "+1", "nan", "1e999", "\ud800", True, False, [1], {"a": 1}]


@pytest.mark.parametrize("name", NUMERIC)
def test_a_value_that_is_no_number_is_skipped_and_counted(name: str) -> None:
    values = [*NO_NUMBERS, float("nan"), float("inf"), float("-inf"), b"1"]
    results = {
        repr(value): (reduced(name, [value, 7, value]), skipped(name, [value, 7, value]))
        for value in values
    }
    assert results == {repr(value): (7, 2) for value in values}


@pytest.mark.parametrize("name", NUMERIC)
def test_a_text_that_contains_a_number_is_a_number(name: str) -> None:
    """As in Elasticsearch."""
    assert reduced(name, ["7"]) == 7
    assert reduced(name, [" -1.5e1 "]) == -15
    assert skipped(name, ["7", "-1.5e1"]) == 0


def test_integers_stay_integers_however_large() -> None:
    big = 2**64 + 1

    assert repr(reduced("sum", [big, big, -1])) == str(2 * big - 1)
    assert repr(reduced("sum", [0, 0])) == "0"
    assert repr(reduced("max", [big, 1.5])) == str(big)
    assert repr(reduced("sum", [str(big)])) == str(big)


def test_a_sum_with_a_float_is_a_float() -> None:
    assert repr(reduced("sum", [1, 2.0])) == "3.0"


def test_averages_and_quantiles_are_always_floats() -> None:
    """Otherwise the first document could make an integer field of it in Elasticsearch."""
    assert repr(reduced("avg", [1, 3])) == "2.0"
    assert repr(reduced("quantile", [1, 3, 5])) == "3.0"


def test_rounding_errors_do_not_add_up() -> None:
    assert reduced("sum", [0.1] * 10) == 1.0
    assert reduced("sum", [1e16, 1.0, 1.0, -1e16]) == 2.0
    assert reduced("sum", [19.99, 0.01] * 10_000) == math.fsum([19.99, 0.01] * 10_000)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sum", [1e308, 1e308]),
        ("sum", [1e308, 1e308, -1e308]),
        ("sum", [1e308, 1e308, -1e308, -1e308, -1e308]),
        ("sum", [10**400, 0.5]),
        ("avg", [10**400]),
        ("avg", [1e308, 1e308]),
    ],
)
def test_a_result_too_large_for_a_float_is_null(name: str, values: list[Any]) -> None:
    """JSON has no infinity, and a wrong number would be worse than null."""
    assert reduced(name, values) is None


def test_values_are_distinct_by_their_json() -> None:
    values = [1, 1.0, True, "1", {"a": 1, "b": [2]}, {"b": [2.0], "a": 1}, [1], [True], [], {}]
    expected = [1, True, "1", {"a": 1, "b": [2]}, [1], [True], [], {}]

    assert json.dumps(reduced("distinct", values)) == json.dumps(expected)
    assert reduced("count_distinct", values) == len(expected)


@pytest.mark.parametrize("name", ["distinct", "count_distinct"])
def test_a_self_referencing_value_is_skipped(name: str) -> None:
    """Nesting must not exhaust the stack."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert skipped(name, [deep]) == 1
    assert reduced(name, [deep, 1]) in ([1], 1)


def test_merging_is_deep_and_the_last_one_wins() -> None:
    values = [
        {"a": {"b": 1, "c": [1, 2]}, "d": 1, "e": {"x": 1}},
        {"a": {"b": 2}, "d": {"y": 1}, "e": 5},
        {"a": {"c": [3], "f": None}, "e": {"z": 1}},
    ]

    assert reduced("merge", values) == {
        "a": {"b": 2, "c": [3], "f": None},
        "d": {"y": 1},
        "e": {"z": 1},
    }


def test_a_value_that_is_no_object_cannot_be_merged_and_is_counted() -> None:
    assert reduced("merge", [5, {"a": 1}, [1], "x"]) == {"a": 1}
    assert skipped("merge", [5, {"a": 1}, [1], "x"]) == 3


def test_objects_below_a_depth_are_replaced_instead_of_merged() -> None:
    """Elasticsearch accepts no deeper ones, and nesting must not exhaust the stack."""

    def nested(depth: int, inner: object) -> Any:
        for _ in range(depth):
            inner = {"a": inner}
        return inner

    assert reduced("merge", [nested(19, {"x": 1}), nested(19, {"y": 1})]) == (
        nested(19, {"x": 1, "y": 1})
    )
    assert reduced("merge", [nested(20, {"x": 1}), nested(20, {"y": 1})]) == nested(20, {"y": 1})
    assert reduced("merge", [nested(100_000, {}), {"b": 1}])["b"] == 1


def test_merge_does_not_change_its_inputs() -> None:
    """The value of a member never changes."""
    value = {"a": {"b": 1}}
    tally = Tally({"it": Function("merge", "field")})
    state = tally.start()
    tally.add(state, (value,), 0)
    tally.results([state])["it"]["a"]["b"] = 2

    assert value == {"a": {"b": 1}}
    assert tally.results([state]) == {"it": {"a": {"b": 1}}}


def test_concat_writes_numbers_and_booleans_as_json_does() -> None:
    values = ["a", 1, 1.5, True, "", [1], {"a": 1}, float("nan")]

    assert reduced("concat", values) == "a, 1, 1.5, true, "
    assert skipped("concat", values) == 3
    assert reduced("concat", ["a", "b"], separator="") == "ab"


# Sketches.


@pytest.mark.parametrize(
    ("q", "expected"), [(0, 1), (0.01, 1), (0.07, 7), (0.5, 50), (0.99, 99), (0.991, 100), (1, 100)]
)
def test_a_quantile_of_few_numbers_is_one_of_them(q: float, expected: int) -> None:
    """The smallest that the share q of all numbers does not exceed."""
    numbers = list(range(1, 101))
    random.Random(q).shuffle(numbers)

    assert reduced("quantile", numbers, q=q) == expected


@pytest.mark.parametrize("q", [0, 0.01, 0.5, 0.9, 0.999, 1])
def test_a_quantile_of_many_numbers_is_close_to_one_of_them(q: float) -> None:
    numbers = [random.Random(q).lognormvariate(0, 3) * sign for sign in (-1, 1)] * 500
    numbers += [random.Random(7).gauss(100, 50) for _ in range(9_001)] + [0.0] * 50
    exact = sorted(numbers)[max(-(-int(q * 1000) * len(numbers) // 1000) - 1, 0)]

    assert reduced("quantile", numbers, q=q) == pytest.approx(exact, rel=quantile.MAX_ERROR)


def test_the_result_does_not_jump_where_the_sketch_takes_over() -> None:
    """One more number changes the result by the error of the sketch at most."""
    numbers = [1.0] * 64 + [1000.0] * 64

    assert reduced("quantile", numbers, q=0.5) == 1.0
    assert reduced("quantile", [0.5, *numbers, 2000.0], q=0.5) == pytest.approx(1.0, rel=0.01)
    assert reduced("quantile", [0.5, *numbers, 2000.0], q=0.51) == pytest.approx(1000.0, rel=0.01)


def test_a_quantile_works_at_the_limits_of_floats() -> None:
    numbers = [1.7e308, -1.7e308, 5e-324, 0.0] * 100

    assert reduced("quantile", numbers, q=0.5) == 0.0
    assert reduced("quantile", numbers, q=1) in (None, pytest.approx(1.7e308, rel=0.01))
    assert skipped("quantile", [10**400]) == 1


def test_few_distinct_values_are_counted_exactly_and_many_approximately() -> None:
    few = [f"user-{number % distinct.MAX_EXACT}" for number in range(2 * distinct.MAX_EXACT)]
    many = [f"user-{number}" for number in range(50_000)]

    assert reduced("count_distinct", few) == distinct.MAX_EXACT
    assert reduced("count_distinct", many) == pytest.approx(50_000, rel=0.05)


def test_sketches_do_not_grow() -> None:
    """So a window of a million messages fits into memory."""
    tally = Tally({"n": Function("count_distinct", "x"), "p": Function("quantile", "x", 0.99)})
    state = tally.start()
    tracemalloc.start()
    try:
        for number in range(10_000):
            tally.add(state, (number * 1.5,), number)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size < 150_000


# Several states.

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "1", "2.5"])
EIGHTHS = st.integers(-80, 80).map(lambda n: n / 8)
"""Floats whose sums are exact, so that results can be compared exactly."""
JSON = st.recursive(
    SCALARS | EIGHTHS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)
VALUES = JSON | st.just(ABSENT) | st.dictionaries(st.sampled_from("abc"), JSON, min_size=1)

ALL = {
    **{name: Function(name, "x", **OPTIONS.get(name, {})) for name in NAMES},
    "n": Function("count"),
    "p99": Function("quantile", "y", q=0.99),
}


def numbers(values: Sequence[Any]) -> list[float]:
    read = [json.loads(v) if v in ("1", "2.5") else v for v in values]
    return [v for v in read if isinstance(v, (int, float)) and not isinstance(v, bool)]


def merged(values: Sequence[Any]) -> Any:
    def over(old: Any, new: Any) -> Any:
        if not (isinstance(old, dict) and isinstance(new, dict)):
            return new
        return {**old, **{name: over(old.get(name), value) for name, value in new.items()}}

    result: Any = None
    for value in values:
        result = over(result, value) if isinstance(value, dict) else result
    return result


def spelled(value: Any) -> str:
    """JSON in one spelling, for the values of these tests."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list):
        return f"[{','.join(map(spelled, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{name}:{spelled(value[name])}' for name in sorted(value))}}}"
    return json.dumps(value)


def each(values: Sequence[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for value in values:
        found.setdefault(spelled(value), value)
    return found


def texts(values: Sequence[Any]) -> list[str]:
    return [
        v if isinstance(v, str) else json.dumps(v)
        for v in values
        if isinstance(v, (str, int, float))
    ]


MODEL: dict[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "list": lambda values: values,
    "distinct": lambda values: list(each(values).values()),
    "count_distinct": lambda values: len(each(values)),
    "sum": lambda values: sum(numbers(values)) if numbers(values) else None,
    "avg": lambda values: statistics.mean(numbers(values)) if numbers(values) else None,
    "min": lambda values: min(numbers(values), default=None),
    "max": lambda values: max(numbers(values), default=None),
    "quantile": lambda values: statistics.median_low(numbers(values)) if numbers(values) else None,
    "merge": merged,
    "concat": lambda values: ", ".join(texts(values)) if texts(values) else None,
}
"""A plain definition of each function, for the values that are not absent."""


@given(st.lists(st.tuples(VALUES, st.integers(0, 2)), max_size=12), st.randoms())
def test_results_do_not_depend_on_how_members_are_spread_over_states(
    members: list[tuple[Any, int]], dice: random.Random
) -> None:
    """In any order of states and of members; and when they are asked for repeatedly."""
    tally = Tally(ALL, {"x": 1, "y": 0})
    states = [tally.start() for _ in range(3)]
    for number, (value, state) in dice.sample(list(enumerate(members)), len(members)):
        tally.add(states[state], (ABSENT, value), number)
        tally.results(states)
    dice.shuffle(states)

    results = tally.results(states)

    values = [value for value, _ in members if value is not ABSENT]
    expected = {name: model(values) for name, model in MODEL.items()}
    assert {name: spelled(results[name]) for name in MODEL} == {
        name: spelled(value) for name, value in expected.items()
    }
    assert (results["n"], results["p99"]) == (len(members), None)


@given(st.lists(st.floats(-1e9, 1e9) | st.integers(), min_size=1, max_size=600), st.integers(1, 4))
def test_sketches_and_rounded_sums_do_not_depend_on_the_states(
    values: list[float], count: int
) -> None:
    tally = Tally({name: Function(name, "x", **OPTIONS.get(name, {})) for name in ALL_OF_NUMBERS})
    one, several = tally.start(), [tally.start() for _ in range(count)]
    for number, value in enumerate(values):
        tally.add(one, (value,), number)
        tally.add(several[number % count], (value,), number)

    expected = tally.results([one])

    assert tally.results(several) == pytest.approx(expected, rel=1e-12, nan_ok=False)
    assert tally.results(several[::-1])["quantile"] == expected["quantile"]


ALL_OF_NUMBERS = ["sum", "avg", "quantile"]


def test_many_distinct_values_do_not_depend_on_the_states() -> None:
    tally = Tally({"n": Function("count_distinct", "x")})
    one, several = tally.start(), [tally.start() for _ in range(3)]
    for number in range(3 * distinct.MAX_EXACT):
        tally.add(one, (number,), number)
        tally.add(several[number % 2], (number,), number)

    assert tally.results(several) == tally.results(several[::-1]) == tally.results([one])


# The whole.


def test_a_reducer_reads_its_values_at_the_given_positions() -> None:
    """All readers of members share one tuple of values, each value once."""
    functions = {
        "total": Function("sum", "amount"),
        "most": Function("max", "amount"),
        "user": Function("last", "user"),
        "n": Function("count"),
    }
    tally = Tally(functions, {"unheard of": 0, "user": 1, "amount": 2})
    state = tally.start()
    tally.add(state, ("elsewhere", "ada", 5), 0)

    assert paths_of(functions) == ["amount", "user"]
    assert tally.results([state]) == {"total": 5, "most": 5, "user": "ada", "n": 1}


@pytest.mark.parametrize(
    ("function", "remedy"),
    [
        (Function("median", "x"), "there is no function median; there are count, sum"),
        (Function("sum"), r"sum needs a field: \{sum: a.b\}"),
        (Function("quantile", "x"), "quantile needs q, a number from 0 to 1"),
        (Function("quantile", "x", q=99), "quantile needs q, a number from 0 to 1"),
        (Function("quantile", "x", q=float("nan")), "quantile needs q, a number from 0 to 1"),
    ],
)
def test_an_impossible_reduction_is_refused_at_once(function: Function, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        Tally({"it": function})


def test_a_state_is_small() -> None:
    """There may be a million of them."""
    tally = Tally(
        {
            "order": Function("first", "order"),
            "lines": Function("list", "line"),
            "total": Function("sum", "amount"),
            "most": Function("max", "amount"),
        }
    )
    values = ("a", {"n": 1}, 1.5)
    tracemalloc.start()
    try:
        states = [tally.start() for _ in range(1_000)]
        for state in states:
            tally.add(state, values, 0)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size / len(states) < 400


def test_the_sketch_library_is_imported_only_if_it_is_used() -> None:
    code = (
        "import sys\n"
        "from flows.summaries.reducers import Function, Tally\n"
        "Tally({'n': Function('sum', 'x')})\n"
        "assert 'ddsketch' not in sys.modules\n"
        "Tally({'n': Function('quantile', 'x', q=0.5)})\n"
        "assert 'ddsketch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
