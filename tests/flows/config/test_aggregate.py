"""Valid and wrong forms of `aggregate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.errors import SpecError
from flows.config.aggregate import AggregateSpec, MissingKey
from flows.config.reduce import FUNCTIONS, Reduction
from flows.spec import load, warnings
from tests.flows.aggregate_specs import WHOLE, pipeline


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("pipeline.yaml")


@pytest.fixture
def read(path: Path) -> Any:
    def read(aggregate: str) -> AggregateSpec:
        path.write_text(pipeline(aggregate), encoding="utf-8")
        return load(path, {}).aggregate

    return read


def test_all_keys(read: Any) -> None:
    spec: AggregateSpec = read(WHOLE)

    assert (spec.by, spec.order, spec.window.size) == (
        "order.id",
        "sequence",
        "header.sequence-size",
    )
    assert (spec.window.time, spec.window.idle, spec.window.bytes) == (5.0, 1.0, 5 * 1024**2)
    assert spec.window.until == 'group.count >= 3 && group.sum("amount") > 100.0'
    assert isinstance(spec.reduce, dict)
    assert {
        name: one if one == "count" else (one.function, one.path, one.q, one.separator)
        for name, one in spec.reduce.items()
    } == {
        "order": ("first", "order.id", None, ""),
        "lines": ("list", "line", None, ""),
        "total": ("sum", "amount", None, ""),
        "users": ("distinct", "user.id", None, ""),
        "p99": ("quantile", "latency_ms", 0.99, ""),
        "names": ("concat", "name", None, ", "),
        "n": "count",
    }
    assert spec.summary.names == {
        "key": "key",
        "window_start": "start",
        "window_end": "end",
        "members": "count",
    }


def test_aligned_windows(read: Any) -> None:
    spec: AggregateSpec = read(
        """
by: [sensor, header.site]
window: {tumbling: {every: 1m, event_time: "@timestamp", lateness: 10s}, time: 10m}
late: amend
amend_for: 2h
reduce: {mean: {avg: value}}
"""
    )

    assert spec.by == ("sensor", "header.site")
    assert spec.window.tumbling
    assert (spec.window.tumbling.every, spec.window.tumbling.lateness) == (60.0, 10.0)
    assert (spec.window.tumbling.idle_after, spec.window.tumbling.ahead) == (30.0, 60.0)
    assert (spec.late, spec.amend_for) == ("amend", 7200.0)


def test_the_defaults(read: Any) -> None:
    spec: AggregateSpec = read("window: {count: 1}")

    assert (spec.by, spec.missing_key, spec.order, spec.reduce) == (None, "park", None, None)
    assert (spec.incomplete, spec.on_stop, spec.late) == ("write", "write", "park")
    assert (spec.remember, spec.amend_for, spec.max_groups) == (0, 3600.0, 1_000_000)


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("by: k", "requeue"),
        ("by: [k, l]", "requeue"),
        ("by: k\nincomplete: park", "requeue"),
        ("by: k\non_stop: write", "write"),
        ("by: k\non_stop: park", "park"),
        ("on_stop: requeue", "requeue"),
        ("incomplete: park", "write"),
    ],
)
def test_by_default_a_stop_requeues_groups_by_key(read: Any, aggregate: str, expected: str) -> None:
    """Otherwise a part of a group would be taken for a whole one."""
    spec: AggregateSpec = read(f"{aggregate}\nwindow: {{count: 3, time: 1s}}")

    assert spec.on_stop == expected


def test_defaults_may_be_written(read: Any) -> None:
    """Also where they have no effect."""
    read(
        "missing_key: park\nlate: park\nremember: 0\namend_for: 1h\nmax_groups: 1000000\n"
        "summary: {}\nwindow: {tumbling: {every: 1m, lateness: 0, idle_after: 30s, ahead: 1m}}"
    )


@pytest.mark.parametrize("by", ["order.id", ["order.id"]])
def test_a_list_of_one_path_is_a_list(read: Any, by: Any) -> None:
    """Its keys are lists too."""
    spec: AggregateSpec = read(f"by: {by}\nwindow: {{time: 1s}}")

    assert spec.by == (by if isinstance(by, str) else tuple(by))


@pytest.mark.parametrize(
    ("yaml", "value"), [("none", "none"), ("''", ""), ("0", 0), ("1.5", 1.5), ("true", True)]
)
def test_the_default_key_has_a_type(read: Any, yaml: str, value: Any) -> None:
    spec: AggregateSpec = read(f"by: a\nmissing_key: {{default: {yaml}}}\nwindow: {{time: 1s}}")

    assert isinstance(spec.missing_key, MissingKey)
    assert spec.missing_key.default == value
    assert type(spec.missing_key.default) is type(value)


def test_on_off_yes_and_no_are_texts(read: Any) -> None:
    spec: AggregateSpec = read(
        "by: [on, y]\nmissing_key: {default: no}\nwindow: {time: 1s, size: yes}\n"
        "reduce: {on: {sum: off}, yes: count, no: {first: n}}"
    )

    assert (spec.by, spec.window.size) == (("on", "y"), "yes")
    assert isinstance(spec.missing_key, MissingKey)
    assert spec.missing_key.default == "no"
    assert isinstance(spec.reduce, dict)
    assert list(spec.reduce) == ["on", "yes", "no"]
    assert isinstance(spec.reduce["on"], Reduction)
    assert spec.reduce["on"].path == "off"


def test_a_user_function_is_found_in_the_working_directory(read: Any) -> None:
    Path("orders_of_mine.py").write_text("def merge(documents): return {}\n")

    assert read("window: {time: 1s}\nreduce: orders_of_mine:merge").reduce == "orders_of_mine:merge"


WINDOW = "window: {time: 1s}"
NEEDS_ONE_OF = f"needs exactly one of: {', '.join(FUNCTIONS)}"
QUOTE_IT = "must be text: quote it, as in 'message.type == \"end\"'"
QUOTE_ALL = "quote the whole value, if it is text"
TEXT = "must be text; a number, true, false and null are text in quotes"
NO_KEYS = "needs by: without it there are no keys"
NOTHING_IS_LATE = "needs remember, or window.tumbling with an event_time: nothing is late"
IN_TUMBLING = "window: {tumbling: {every: 1m, event_time: a}}"

WRONG: list[tuple[str, str]] = [
    # When a group is complete
    (
        "window: {}",
        "6:11: aggregate.window: needs at least one of: "
        "count, bytes, time, idle, last, first, until, size, tumbling",
    ),
    ("window: {count: 0}", "6:19: aggregate.window.count: must be at least 1"),
    ("window: {idle: 0}", "6:18: aggregate.window.idle: must be more than 0"),
    (
        "window: {time: 1s, idle: 1s}",
        "6:28: aggregate.window.idle: must be less than time (1s), which always ends first",
    ),
    ("window: {size: 3}", f"6:18: aggregate.window.size: {TEXT}"),
    (
        "window: {size: a..b}",
        "6:18: aggregate.window.size: a name is missing between the dots: write a.b or /a.b, "
        "not a..b",
    ),
    (
        "window: {tumbling: 1m}",
        "6:22: aggregate.window.tumbling: must be a mapping: a key and a value on each line, "
        "as in {every: …}",
    ),
    ("window: {tumbling: {}}", "6:12: aggregate.window.tumbling.every: is missing"),
    (
        "window: {tumbling: {every: 0.1ms}}",
        "6:30: aggregate.window.tumbling.every: must be at least 1ms",
    ),
    (
        "window: {tumbling: {every: 1m, lateness: 1s}}",
        "6:44: aggregate.window.tumbling.lateness: needs event_time: by time of arrival nothing is "
        "late",
    ),
    (
        "window: {tumbling: {every: 1m, ahead: 1h}}",
        "6:41: aggregate.window.tumbling.ahead: needs event_time: by time of arrival nothing is "
        "late",
    ),
    (
        "window: {tumbling: {every: 1m, event_time: a, idle_after: 0}}",
        "6:61: aggregate.window.tumbling.idle_after: must be more than 0",
    ),
    # Conditions
    ("window: {last: true}", f"6:18: aggregate.window.last: {QUOTE_IT}"),
    ("window: {first: 1}", f"6:19: aggregate.window.first: {QUOTE_IT}"),
    ("window: {until: [a]}", f"6:19: aggregate.window.until: {QUOTE_IT}"),
    (
        "window:\n  last: !message.open",
        f"7:11: aggregate.window.last: unknown tag !message.open; {QUOTE_ALL}",
    ),
    (
        "window:\n  last: message.a ? message.b : message.c",
        f"7:33: not YAML: mapping values are not allowed here; {QUOTE_ALL}",
    ),
    (
        'window:\n  last: "end" == message.type',
        f"7:17: not YAML: expected <block end>, but found '<scalar>'; {QUOTE_ALL}",
    ),
    (
        "window: {last: !message.open}",
        f"6:31: not YAML: expected ' ', but found '}}'; {QUOTE_ALL}",
    ),
    (
        "window:\n  last: !message.a && message.b",
        f"7:23: not YAML: expected alphabetic or numeric character, but found '&'; {QUOTE_ALL}",
    ),
    (
        "window: {last: message.a in [1, 2]}",
        f"6:31: not YAML: expected ',' or '}}', but got '['; {QUOTE_ALL}",
    ),
    (
        "window: {last: message.a ? message.b : message.c}",
        f"6:28: not YAML: expected ',' or '}}', but got '?'; {QUOTE_ALL}",
    ),
    (
        "window: {last: !message.a, time: 1s}",
        f"6:34: not YAML: expected ',' or '}}', but got ':'; {QUOTE_ALL}",
    ),
    (
        "window: {last: message.a == {}}",
        f"6:31: not YAML: expected ',' or '}}', but got '{{'; {QUOTE_ALL}",
    ),
    (
        "window: {last: 'mesage.a == 1'}",
        "6:18: aggregate.window.last: line 1, column 1: there is no mesage: did you mean message?",
    ),
    (
        "window: {first: 'group.count > 3'}",
        "6:19: aggregate.window.first: line 1, column 7: only until can read the group",
    ),
    (
        "window: {until: 'group.cnt > 3'}",
        "6:19: aggregate.window.until: line 1, column 7: there is no group.cnt: did you mean "
        "count?",
    ),
    (
        "window: {last: 'no_such_module:end'}",
        "6:18: aggregate.window.last: no_such_module cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such_module'",
    ),
    # Keys
    (f"by: []\n{WINDOW}", "6:7: aggregate.by: must not be empty"),
    (f"by: 5\n{WINDOW}", f"6:7: aggregate.by: {TEXT}"),
    (
        f"by: {{a: b}}\n{WINDOW}",
        "6:7: aggregate.by: must be a path, such as order.id, or a list of paths",
    ),
    (f"by: [a, 5]\n{WINDOW}", f"6:11: aggregate.by[1]: {TEXT}"),
    (
        f"by: [a, b..c]\n{WINDOW}",
        "6:11: aggregate.by[1]: a name is missing between the dots: write a.b or /a.b, not b..c",
    ),
    (f"missing_key: alone\n{WINDOW}", f"6:16: aggregate.missing_key: {NO_KEYS}"),
    (f"remember: 5\n{WINDOW}", f"6:13: aggregate.remember: {NO_KEYS}"),
    (f"max_groups: 5\n{WINDOW}", f"6:15: aggregate.max_groups: {NO_KEYS}"),
    (f"by: a\nmax_groups: 0\n{WINDOW}", "7:15: aggregate.max_groups: must be at least 1"),
    (f"by: a\nremember: -1\n{WINDOW}", "7:13: aggregate.remember: must be at least 0"),
    (
        f"by: a\nmissing_key: drop\n{WINDOW}",
        "7:16: aggregate.missing_key: must be park, alone, or a mapping such as {default: none}",
    ),
    (
        f"by: a\nmissing_key: {{defalt: 1}}\n{WINDOW}",
        "7:17: aggregate.missing_key.defalt: unknown key; did you mean `default`?",
    ),
    *(
        (
            f"by: a\nmissing_key: {{default: {value}}}\n{WINDOW}",
            "7:26: aggregate.missing_key.default: must be text, a number, true or false",
        )
        for value in ("null", "[1]", ".inf", ".nan")
    ),
    # Late messages and incomplete groups
    (
        f"by: a\nremember: 5\n{IN_TUMBLING}",
        "7:13: aggregate.remember: cannot be with window.tumbling, where windows are closed, "
        "not keys",
    ),
    (f"late: drop\n{WINDOW}", f"6:9: aggregate.late: {NOTHING_IS_LATE}"),
    ("late: new\nwindow: {tumbling: {every: 1m}}", f"6:9: aggregate.late: {NOTHING_IS_LATE}"),
    *(
        (
            f"late: amend\n{rest}",
            "6:9: aggregate.late: amend needs reduce, and window.tumbling with an event_time",
        )
        for rest in (
            WINDOW,
            f"by: a\nremember: 5\n{WINDOW}",
            IN_TUMBLING,
            f"{WINDOW}\nreduce: {{n: count}}",
            "window: {tumbling: {every: 1m}}\nreduce: {n: count}",
        )
    ),
    (
        f"late: amend\n{IN_TUMBLING}\nreduce: os.path:join",
        "6:9: aggregate.late: amend keeps running values, not documents for a function of your own",
    ),
    (f"amend_for: 2h\n{WINDOW}", "6:14: aggregate.amend_for: needs late: amend"),
    (
        f"incomplete: park\n{WINDOW}",
        "6:15: aggregate.incomplete: would park every group but forced ones: a group that "
        "time or idle ends is incomplete; add a rule that completes groups: last, size or count",
    ),
    (
        "incomplete: drop\nwindow: {idle: 1s}",
        "6:15: aggregate.incomplete: would drop every group but forced ones: a group that "
        "time or idle ends is incomplete; add a rule that completes groups: last, size or count",
    ),
    (f"on_stop: drop\n{WINDOW}", "6:12: aggregate.on_stop: must be write, requeue, park or keep"),
    # The document of a group
    (f"{WINDOW}\nreduce: {{}}", "7:11: aggregate.reduce: must not be empty"),
    (
        f"{WINDOW}\nreduce: [n]",
        "7:11: aggregate.reduce: must be module:function, or a mapping such as "
        "{total: {sum: amount}}",
    ),
    (
        f"{WINDOW}\nreduce: count",
        "7:11: aggregate.reduce: a function of your own is written module:function",
    ),
    (
        f"{WINDOW}\nreduce: {{a: sum}}",
        "7:15: aggregate.reduce.a: must be count, or a function and its path: {sum: amount}",
    ),
    (f"{WINDOW}\nreduce: {{a: {{}}}}", f"7:15: aggregate.reduce.a: {NEEDS_ONE_OF}"),
    (f"{WINDOW}\nreduce: {{a: {{sum: b, min: c}}}}", f"7:15: aggregate.reduce.a: {NEEDS_ONE_OF}"),
    (
        f"{WINDOW}\nreduce: {{a: {{summ: b}}}}",
        "7:16: aggregate.reduce.a.summ: unknown key; did you mean `sum`?",
    ),
    (
        f"{WINDOW}\nreduce: {{list: {{lst: b}}}}",
        "7:19: aggregate.reduce.list.lst: unknown key; did you mean `list`?",
    ),
    (f"{WINDOW}\nreduce: {{a: {{sum: 5}}}}", f"7:21: aggregate.reduce.a.sum: {TEXT}"),
    (
        f"{WINDOW}\nreduce: {{a: {{quantile: b}}}}",
        "7:15: aggregate.reduce.a: quantile needs q, from 0 to 1: 0.5 is the median",
    ),
    (
        f"{WINDOW}\nreduce: {{a: {{quantile: b, q: 99}}}}",
        "7:32: aggregate.reduce.a.q: must be at most 1",
    ),
    (
        f"{WINDOW}\nreduce: {{a: {{quantile: b, q: '0.5'}}}}",
        "7:32: aggregate.reduce.a.q: must be a number",
    ),
    (f"{WINDOW}\nreduce: {{a: {{sum: b, q: 0.5}}}}", "7:27: aggregate.reduce.a.q: needs quantile"),
    (
        f"{WINDOW}\nreduce: {{a: {{sum: b, separator: x}}}}",
        "7:35: aggregate.reduce.a.separator: needs concat",
    ),
    *(
        (
            f"{WINDOW}\nreduce: {{'{name}': count}}",
            f"7:{16 + len(name)}: aggregate.reduce.{name}: is not the name of a field: a name, or "
            "several with a dot between two",
        )
        for name in ("a..b", ".a", "")
    ),
    (
        f"{WINDOW}\nreduce: {{n: count}}\nsummary: {{key: /customer/id}}",
        "8:18: aggregate.summary.key: the name of a field is no JSON Pointer: write customer.id",
    ),
    (
        f"{WINDOW}\nreduce: {{count: {{sum: a}}}}",
        "7:19: aggregate.reduce.count: is a field that every summary has: rename it, or set "
        "summary.count to another name, or to null",
    ),
    (
        f"{WINDOW}\nreduce: {{count.all: {{sum: a}}}}",
        "7:23: aggregate.reduce.count.all: cannot be beside count, which every summary has: one "
        "would be in the other; rename it, or set summary.count to another name, or to null",
    ),
    (
        f"{WINDOW}\nreduce: {{n: count}}\nsummary: {{start: n.from}}",
        "7:15: aggregate.reduce.n: cannot be beside n.from, which every summary has: one would be "
        "in the other; rename it, or set summary.start to another name, or to null",
    ),
    (
        f"{WINDOW}\nreduce: {{n: count}}\nsummary: {{key: n}}",
        "7:15: aggregate.reduce.n: is a field that every summary has: rename it, or set "
        "summary.key to another name, or to null",
    ),
    (
        f"{WINDOW}\nreduce: {{n: count}}\nsummary: {{key: count}}",
        "8:3: aggregate.summary.count: is the name of key too",
    ),
    # Functions that are no reducers
    (
        f"{WINDOW}\nreduce: operator:eq",
        "7:11: aggregate.reduce: eq must take 1 argument(s): missing a required argument: 'b'",
    ),
    (
        f"{WINDOW}\nreduce: builtins:len",
        "7:11: aggregate.reduce: called with one empty document, it returned 1, which is no dict",
    ),
    (f"{WINDOW}\nsummary: {{key: id}}", "7:12: aggregate.summary: needs reduce"),
]


@pytest.mark.parametrize(("aggregate", "problem"), WRONG, ids=[each for each, _ in WRONG])
def test_a_mistake_is_refused_at_its_place(path: Path, aggregate: str, problem: str) -> None:
    path.write_text(pipeline(aggregate), encoding="utf-8")

    with pytest.raises(SpecError) as caught:
        load(path, {})

    assert caught.value.problems == [f"pipeline.yaml:{problem}"]


def test_a_value_from_outside_is_not_quoted(path: Path) -> None:
    """It may be a secret in the wrong place."""
    path.write_text(
        pipeline(
            "by: ${A}\norder: ${A}\nwindow: {last: '${A}', first: '${B}', until: '${A}'}\n"
            "reduce: ${B}"
        ),
        encoding="utf-8",
    )

    with pytest.raises(SpecError) as caught:
        load(path, {"A": "secret..secret", "B": "secret:secret"})

    assert [line.partition(": aggregate.")[2] for line in caught.value.problems] == [
        "by: is not the path of a field, such as order.id",
        "order: is not the path of a field, such as order.id",
        "window.last: is not a condition",
        "window.first: is not a condition",
        "window.until: is not a condition",
        "reduce: is not a function of your own: module:function",
    ]


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        (
            "by: a\nremember: 5\nlate: drop\nincomplete: drop\nwindow: {count: 2, time: 1s}",
            [
                "aggregate.incomplete: drop: these messages are acknowledged without being stored",
                "aggregate.late: drop: these messages are acknowledged without being stored",
            ],
        ),
        ("window: {tumbling: {every: 1m}, time: 59s}", []),
        (
            "window: {tumbling: {every: 1m}, time: 1m}",
            ["aggregate.window.time: is never reached: a window ends after 1m"],
        ),
        (
            "window: {tumbling: {every: 1m}, idle: 2m}",
            ["aggregate.window.idle: is never reached: a window ends after 1m"],
        ),
        ("window: {tumbling: {every: 1m, event_time: a}, time: 10m}", []),
    ],
)
def test_a_risky_setting_is_a_warning(path: Path, aggregate: str, expected: list[str]) -> None:
    path.write_text(pipeline(aggregate), encoding="utf-8")

    assert warnings(load(path, {})) == expected
