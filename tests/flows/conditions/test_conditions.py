"""Conditions: which fields they read, when they hold, and which are refused at load."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.message import Properties
from flows.conditions import user_functions
from flows.conditions.conditions import Condition, GroupSoFar, condition
from flows.values.paths import DOCUMENT, parse, reader
from tests.flows import own_functions

PROPERTIES = Properties(
    exchange="shop",
    routing_key="orders",
    headers={"x": "h", "x-order": 1, "table": {"b": 2}},
    correlation_id="c",
    priority=3,
)
OWN = "tests.flows.own_functions"


def ask(found: Condition, document: dict[str, Any], group: GroupSoFar | None = None) -> bool | None:
    return found.test(reader(found.paths)(document, PROPERTIES, "tasks"), group)


def holds(text: str, document: dict[str, Any] | None = None) -> bool | None:
    return ask(condition(text, allow_group=False), document or {})


def holds_of(text: str, group: GroupSoFar) -> bool | None:
    return ask(condition(text, allow_group=True), {"n": 1}, group)


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ('message.type == "end"', {"type": "end"}),
        ('"end" == message.type', {"type": "end"}),
        ("message.type != 'end'", {"type": "start"}),
        ("message.n == 3", {"n": 3}),
        ("message.n == 3", {"n": 3.0}),
        ("message.n == 3.0", {"n": 3}),
        ("message.n > 2.5", {"n": 3}),
        ("3 <= message.n", {"n": 3.5}),
        ("-3 < message.n", {"n": -2}),
        ("message.n == 0x10", {"n": 16}),
        ("message.n > 3", {"n": 2**70}),
        ("message.n == 9007199254740993", {"n": 2**53 + 1}),
        ("message.ok == true", {"ok": True}),
        ("message.ok", {"ok": True}),
        ("!message.ok", {"ok": False}),
        ("message.x == null", {"x": None}),
        ("message.x != null", {"x": 0}),
        ("message.a < message.b", {"a": 1, "b": 1.5}),
        ("message.a == message.b", {"a": {"x": [1]}, "b": {"x": [1.0]}}),
        ("message.order.total >= 10", {"order": {"total": 10}}),
        ("message.order.total >= 10", {"order.total": 10}),
        ('message["a b"]["c.d"] == 1', {"a b": {"c.d": 1}}),
        ("message.queue == 1", {"queue": 1}),
        ("message.package.if == 1", {"package": {"if": 1}}),
        ('message.type in ["end", "stop"]', {"type": "stop"}),
        ('"b" in message.tags', {"tags": ["a", "b"]}),
        ('"b" in message.tags', {"tags": {"b": None}}),
        ("has(message.x)", {"x": None}),
        ("!has(message.x)", {}),
        ("!has(message.a.b)", {}),
        ("message.a == 1 && message.b == 2", {"a": 1, "b": 2}),
        ("message.a == 1 || message.b == 2", {"b": 2}),
        ("message.a == 1 ? message.b == 2 : message.c", {"a": 0, "c": True}),
        ("message == {}", {}),
        ("size(message.items) == 2", {"items": [1, 2]}),
        ("message.name.size() == 2", {"name": "äß"}),
        ("message.price * 1.19 > 100.0", {"price": 100}),
        ("message.n % 2 == 1", {"n": 3.0}),
        ("message.n / 2 == 1", {"n": 3}),
        ("message.n / 2 == 1.5", {"n": 3.0}),
        ("-message.n / 2 == -1", {"n": 3}),
        ("-message.n % 2 == -1", {"n": 3}),
        ('message.a + "-" + message.b == "x-y"', {"a": "x", "b": "y"}),
        ('header.x == "h" && header["x-order"] == 1', {}),
        ("header.table.b == 2", {}),
        ('property.correlation_id == "c" && property.priority > 2', {}),
        ('routing_key == "orders" && queue == "tasks"', {}),
        ('exchange == "shop" && exchange.startsWith("sh")', {}),
        ("message.items.exists(i, i.q > 3)", {"items": [{"q": 1}, {"q": 4}]}),
        ("message.items.exists(i, i.q > 3)", {"items": [{}, {"q": "x"}, {"q": 4}]}),
        ("message.items.all(i, i.q > message.least)", {"items": [{"q": 2}], "least": 1}),
        ("message.items.exists_one(i, i == 1)", {"items": [1, 2]}),
        ("message.rows.exists(r, r.exists(c, c == r[0] + 1))", {"rows": [[1, 2]]}),
        ('message.o.exists(name, name == "a")', {"o": {"a": 1}}),
        ("message.x == 1 // a comment", {"x": 1}),
        ("message.x\n  == 1", {"x": 1}),
    ],
)
def test_a_condition_holds(text: str, document: dict[str, Any]) -> None:
    assert holds(text, document) is True


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ('message.name.startsWith("or")', {"name": "order"}),
        ('message.name.matches("^o.*r$")', {"name": "order"}),
        (r'message.name.matches(r"^\w+\d$")', {"name": "order1"}),
        ('message.name.contains("rd") && message.n == 1', {"name": "order", "n": 1}),
        (
            'message.at > "2026" && timestamp(message.at) < timestamp("2027-01-01T00:00:00Z")',
            {"at": "2026-05-05T00:00:00Z"},
        ),
        ("timestamp(message.at).getFullYear() == 2026", {"at": "2026-05-05T00:00:00Z"}),
        (
            'timestamp(message.b) - timestamp(message.a) > duration("1h")',
            {"a": "2026-05-05T00:00:00Z", "b": "2026-05-05T01:00:01Z"},
        ),
        ("message.items.filter(i, i.q > 3).size() == 1", {"items": [{"q": 4}, {"q": 3}]}),
        ("message.items.map(i, i.q)[0] == 4", {"items": [{"q": 4}]}),
        (
            "message.items.exists(i, has(i.n) && i.n.startsWith(message.p))",
            {"items": [{}, {"n": "ab"}], "p": "a"},
        ),
        ('message.items.exists(i, i.n.startsWith("a"))', {"items": [{}, {"n": "ab"}]}),
        ("int(message.n) > 3", {"n": "4"}),
        ("message.list[0] == 1", {"list": [1]}),
        ("message.n == 3u", {"n": 3}),
        ("type(message.n) == int", {"n": 3}),
        ('{1: "a", 2: "b"}[message.n] == "b"', {"n": 2}),
        ('[message.a, "c"].join("-") == "b-c"', {"a": "b"}),
        ("message.rows.map(r, r.map(r, r + 1)[0])[1] == 4", {"rows": [[1], [3]]}),
        ("(message.a ? message.n : 0) + 1 == 4", {"a": True, "n": 3}),
        ('string(message.n > 2) == "true"', {"n": 3}),
        ("3u - 1u == uint(message.n)", {"n": "2"}),
        ('bytes(message.s) == b"\\xc3\\xa4"', {"s": "ä"}),
        ('timestamp(message.at).getHours("Europe/Berlin") == 2', {"at": "2026-05-05T00:00:00Z"}),
        ('message.s.matches("^(a+)+$") == false', {"s": "a" * 5000 + "!"}),
        ("message.x.filter(vv, has(vv.a)).size() == 1", {"x": [{"a": 1}, {}]}),
    ],
)
def test_function_calls_are_evaluated(text: str, document: dict[str, Any]) -> None:
    assert holds(text, document) is True


@pytest.mark.parametrize(
    "text",
    [
        'message.x == "a"',
        'message.x != "a"',
        "message.x > 3",
        "!(message.x == 3)",
        "message.x",
        "message.x.y == 1",
        "message.x == message.y",
        "message.x in [1, 2]",
        "1 in message.x",
        "message.x + 1 == 2",
        "size(message.x) >= 0",
        "message.x.exists(i, true)",
        "message.x.all(i, true)",
        'header.y == "h"',
        'property.message_id == ""',
        "message.x == 1 && true",
        "message.x == 1 || false",
        "message.x ? true : true",
    ],
)
def test_a_missing_field_makes_a_condition_false(text: str) -> None:
    assert holds(text) is not True


@pytest.mark.parametrize(
    "text",
    [
        'message.x.startsWith("a")',
        '!message.x.startsWith("a")',
        "timestamp(message.x) < timestamp('2026-01-01T00:00:00Z')",
        "message.x.filter(i, true).size() == 0",
        "message.x[0] != 1",
    ],
)
@pytest.mark.parametrize("document", [{}, {"x": None}, {"x": 3}, {"x": {"y": 1}}, {"x": 2**80}])
def test_a_field_of_a_wrong_type_makes_a_condition_false(
    text: str, document: dict[str, Any]
) -> None:
    assert holds(text, document) is not True


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("message.x == 1 || true", True),
        ("true || message.x == 1", True),
        ("message.x == 1 && false", False),
        ("false && message.x == 1", False),
        ("message.x > 1 || message.n == 1", True),
        ('message.n > "a" || message.n == 1', True),
        ("!(message.x == 1 && false)", True),
    ],
)
def test_an_error_does_not_matter_if_the_other_side_decides(text: str, answer: bool) -> None:
    """By CEL's own rules."""
    assert holds(text, {"n": 1}) is answer


@pytest.mark.parametrize("value", [None, True, "3", "a", [3], {"n": 3}])
@pytest.mark.parametrize("sign", ["<", "<=", ">", ">="])
def test_only_values_of_one_kind_have_an_order(value: object, sign: str) -> None:
    assert holds(f"message.n {sign} 3", {"n": value}) is None
    assert holds(f"!(message.n {sign} 3)", {"n": value}) is None


@pytest.mark.parametrize(
    "text",
    [
        "message.n + 1 > 0",
        "message.n * 2 > 0",
        "message.n - -1 > 0",
        "message.n + message.n > 0",
        "message.f * 10.0 > 0",
        "message.n / 0 > 0",
        "message.f / 0.0 > 0",
        "message.n % 0 == 0",
        "message.list + 1 > 0",
        "message.text + 1 > 0",
        "message.flag + 1 > 0",
    ],
)
def test_a_result_that_is_no_number_makes_a_condition_false(text: str) -> None:
    """Beyond 64 bits too, as in CEL."""
    document = {"n": 2**63 - 1, "f": 1.7e308, "list": [1], "text": "1", "flag": True}

    assert holds(text, document) is None


@pytest.mark.parametrize(
    "text",
    [
        'message.s.replace("", message.s).size() > 0',
        "message.l.join(message.s).size() > 0",
        "1u - 2u < 3",
        "uint(message.n) >= 0u",
        '"a".charAt(message.n) == ""',
        "message.l[message.f] == null",
        'timestamp("9999-12-31T23:59:59Z") + duration(message.d) > timestamp(message.at)',
    ],
)
def test_a_function_without_a_result_makes_a_condition_false(text: str) -> None:
    """Nor can a message use up all memory."""
    document = {
        **{"s": "x" * 5000, "l": ["x"] * 5000, "n": -1, "f": 0.5},
        **{"d": "1s", "at": "2026-05-05T00:00:00Z"},
    }

    assert holds(text, document) is None


def test_the_items_of_a_list_keep_their_types() -> None:
    assert holds("message.a == [1]", {"a": [True]}) is False
    assert holds("message.a in [1, 2]", {"a": True}) is False
    assert holds("message.a == 1", {"a": True}) is False
    assert holds("message.a == 0", {"a": False}) is False


@pytest.mark.parametrize("items", [[{}], [{"q": "x"}], [{"q": 1}, {}]])
def test_an_item_with_an_error_is_an_error_if_no_other_decides(items: list[Any]) -> None:
    assert holds("message.items.exists(i, i.q > 3)", {"items": items}) is None
    assert holds("!message.items.exists(i, i.q > 3)", {"items": items}) is None
    assert holds("message.items.exists_one(i, i.q > 0)", {"items": items}) is None
    assert holds("message.items.all(i, i.q > 0)", {"items": items}) is None
    assert holds("message.items.all(i, i.q > 0)", {"items": [*items, {"q": 0}]}) is False


def test_values_nested_deeper_than_the_stack_are_unequal() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]

    assert holds("message.a == message.b", {"a": deep, "b": [deep]}) is False


def test_a_condition_lists_the_fields_it_reads() -> None:
    """Each field once, spelled like elsewhere in a spec."""
    text = '''message.a.b == 1 || message.a.b == 2 || header["x-1"] == 2
              || message["c.d"].e || queue == "q"'''
    found = condition(text, allow_group=False)

    assert found.paths == tuple(parse(p) for p in ("a.b", "header.x-1", "/c.d/e", "queue"))
    assert found.group == ()


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("has(message.a.b)", ["a.b"]),
        ("message.items.exists(i, i.q > message.least)", ["items", "least"]),
        ("size(message.x) > 1", ["x"]),
        ("message.queue == 1", ["body.queue"]),
        ("message.body.x == 1", ["body.body.x"]),
        ('message.a["0"] == 1', ["a"]),
        ("message.a[0] == 1", ["a"]),
        ("header.a.b == 1", ["header.a"]),
        ("true", []),
    ],
)
def test_a_condition_reads_no_other_fields(text: str, paths: list[str]) -> None:
    assert condition(text, allow_group=False).paths == tuple(parse(path) for path in paths)


def test_the_whole_document_is_read_only_if_a_condition_needs_it() -> None:
    assert condition('"a" in message', allow_group=False).paths == (DOCUMENT,)
    assert condition("message.exists(name, name == 'a')", allow_group=False).paths == (DOCUMENT,)


def test_values_may_be_at_other_positions() -> None:
    """One tuple has all values that a plan reads."""
    found = condition("message.b > 1 && message.items.exists(i, i == message.b)", allow_group=False)
    test = found.bind([parse(path) for path in ("z", "items", "y", "b")])

    assert test(("z", [1, 2], "y", 2), None) is True
    assert test(("z", [1], "y", 2), None) is False


GROUP = GroupSoFar('["a",1]', count=3, bytes=2048, age=1.5, results=[100, 7.5])


@pytest.mark.parametrize(
    "text",
    [
        "group.count >= 3",
        "group.count == 3.0",
        "group.bytes > 2047",
        "group.age > 1",
        "group.age < 1.6",
        'group.key == ["a", 1]',
        'group.sum("amount") >= 100',
        'group.sum("amount") > 99.5',
        'group.count >= 3 && group.sum("amount") >= 100.0 && group.avg("x.y") == 7.5',
        'group.sum("amount") / group.count == 33',
        'group.avg("amount") > message.n && group.avg("amount") >= 100',
    ],
)
def test_until_reads_the_group_so_far(text: str) -> None:
    assert holds_of(text, GROUP) is True


def test_a_condition_lists_the_running_values_it_needs() -> None:
    """Each once, in the order of `GroupSoFar.results`."""
    text = 'group.sum("a") > 1 && group.max("/b.c/0") > 2 && group.sum("a") < group.min("header.x")'
    found = condition(text, allow_group=True)

    wanted = [("sum", "a"), ("max", "/b.c/0"), ("min", "header.x")]
    assert found.group == tuple((function, parse(path)) for function, path in wanted)
    assert ask(found, {}, GroupSoFar(None, 1, 2, 0.0, [2, 3, 5])) is True


def test_running_values_are_passed_to_functions() -> None:
    text = 'string(group.key) == "a" && int(group.max("n")) == 4 && group.count > 1'

    assert holds_of(text, GroupSoFar('"a"', 2, 9, 0.0, [4])) is True


@pytest.mark.parametrize(("key", "value"), [('"a"', '"a"'), ("1", "1"), ("true", "true")])
def test_the_key_is_a_value_and_no_json_text(key: str, value: str) -> None:
    assert holds_of(f"group.key == {value}", GroupSoFar(key, 1, 2, 0.0)) is True


def test_without_by_the_key_is_null() -> None:
    assert holds_of("group.key == null", GroupSoFar(None, 1, 2, 0.0)) is True


def test_a_running_value_without_numbers_makes_a_condition_false() -> None:
    assert holds_of('group.sum("a") > 0', GroupSoFar(None, 1, 2, 0.0, [None])) is None
    assert holds_of('group.sum("a") > 0', GroupSoFar(None, 1, 2, 0.0, [10**40])) is True


def test_a_user_function_gets_all_values() -> None:
    found = condition(f"{OWN}:of_everything", allow_group=True)

    group = GroupSoFar(None, 2, 9, 0.0)
    assert ask(found, {"n": 1}, group) is True
    assert ask(found, {"n": 2}, group) is False
    assert found.group == ()


def test_a_user_function_may_get_values_from_other_positions() -> None:
    found = condition(f"{OWN}:is_end", allow_group=False)
    paths = [parse("a"), *reversed(found.paths)]

    values = reader(paths)({"a": 1, "type": "end"}, PROPERTIES, "tasks")
    assert found.bind(paths)(values, None) is True


def test_a_user_function_is_called_once_at_load() -> None:
    own_functions.CALLS.clear()
    condition(f"{OWN}:counts_its_calls", allow_group=True)

    (view,) = own_functions.CALLS
    assert (view.message, view.header, view.group.count) == ({}, {}, 1)


def test_an_exception_at_run_time_is_the_reason_of_the_rejection() -> None:
    """The message is parked with it; the condition is not just false."""
    found = condition(f"{OWN}:needs_a_field", allow_group=False)

    assert ask(found, {"total": 101}) is True
    with pytest.raises(user_functions.Failed, match="needs_a_field: KeyError: 'total'"):
        ask(found, {})


def test_a_result_that_is_no_boolean_is_the_reason_of_the_rejection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = condition(f"{OWN}:is_end", allow_group=False)
    monkeypatch.setattr(own_functions, "bool", lambda _: 1, raising=False)

    reason = "it returned 1, which is neither True nor False"
    with pytest.raises(user_functions.Failed, match=reason):
        ask(found, {})


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("returns_a_text", r"called with an empty message, it returned 'None\nand more'"),
        ("returns_nothing", "it returned None, which is neither True nor False"),
        ("misspells_the_view", "no attribute 'mesage'"),
        ("misspells_a_name", "name 'vew' is not defined"),
        ("takes_two", "must take 1 argument"),
        ("no", "there is no no in tests.flows.own_functions"),
    ],
)
def test_a_function_that_can_never_work_is_refused_at_load(function: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        condition(f"{OWN}:{function}", allow_group=True)
