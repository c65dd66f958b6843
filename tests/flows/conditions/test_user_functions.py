"""User functions: found by name, and called safely."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.conditions import user_functions
from tests.flows import own_functions


def raises(error: BaseException) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise error

    return function


@pytest.mark.parametrize("text", ["rules:is_end", "my.rules:is_end", "rules:Rules.is_end"])
def test_a_function_name_differs_from_an_expression(text: str) -> None:
    assert user_functions.names_function(text)


@pytest.mark.parametrize(
    "text", ["rules", "rules:", ":f", "a ? b : c", "a?b:c", "rules:f()", "{a:b}", "1:2", "a.:b"]
)
def test_an_expression_is_no_function_name(text: str) -> None:
    assert not user_functions.names_function(text)


def test_a_function_is_imported() -> None:
    assert user_functions.load("tests.flows.own_functions:is_end") is own_functions.is_end
    found = user_functions.load("tests.flows.own_functions:OwnRules.is_end")
    assert found is own_functions.OwnRules.is_end


def test_a_function_is_found_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "my_rules.py").write_text("def yes(view): return True\n")
    code = (
        "import os, sys; from flows.conditions import user_functions; os.chdir(sys.argv[1]);"
        "print(user_functions.load('my_rules:yes')(None))"
    )

    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert run.stdout == "True\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rules", "module:function"),
        ("no_such_rules:f", "no_such_rules cannot be imported: ModuleNotFoundError"),
        ("tests.flows.own_functions:no", "there is no no in tests.flows.own_functions ("),
        ("tests.flows.own_functions:Rules.no", "there is no Rules.no"),
        ("tests.flows.own_functions:NUMBER", "is no function"),
        ("sys:no", "there is no no in sys"),
    ],
)
def test_a_missing_function_is_reported_at_load(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        user_functions.load(text)


def test_a_module_that_cannot_be_imported_is_reported_at_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_rules.py").write_text("raise OSError('no disk')\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ValueError, match="broken_rules cannot be imported: OSError: no disk"):
        user_functions.load("broken_rules:f")


def test_the_result_is_returned() -> None:
    assert user_functions.call(max, 1, 2) == 2


@pytest.mark.parametrize(
    "error",
    [KeyError("total"), ZeroDivisionError(), RecursionError("deep"), MemoryError(), SystemExit(3)],
)
def test_every_exception_is_one_kind_of_failure(error: BaseException) -> None:
    with pytest.raises(user_functions.Failed, match=type(error).__name__) as failed:
        user_functions.call(raises(error))

    assert failed.value.__cause__ is error


def test_the_reason_is_one_short_line_that_names_the_function() -> None:
    with pytest.raises(user_functions.Failed) as failed:
        user_functions.call(raises(ValueError("line 1\n  line 2" + "x" * 1000)))

    reason = str(failed.value)
    assert "function: ValueError: line 1 line 2x" in reason
    assert "\n" not in reason
    assert len(reason) < 400


def test_an_exit_is_not_caught() -> None:
    with pytest.raises(KeyboardInterrupt):
        user_functions.call(raises(KeyboardInterrupt()))


def test_the_first_call_returns_a_result() -> None:
    assert user_functions.probe(len, []) == (0,)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        IndexError(),
        TypeError("None"),
        ValueError(),
        AttributeError("None"),
        UnboundLocalError("what a loop over nothing would have set"),
    ],
)
def test_the_first_call_may_fail_because_the_message_is_empty(error: Exception) -> None:
    assert user_functions.probe(raises(error), {}) is None


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (own_functions.misspells_a_name, "name 'vew' is not defined"),
        (own_functions.misspells_the_view, "no attribute 'mesage'"),
        (own_functions.takes_two, "must take 1 argument(s): missing a required argument: 'group'"),
        (raises(ImportError("no numpy")), "no numpy"),
        (raises(NotImplementedError("later")), "later"),
    ],
)
def test_an_error_that_no_message_can_cause_is_reported_at_load(
    function: Callable[..., Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        user_functions.probe(function, type("View", (), {"message": {"type": ""}})())
