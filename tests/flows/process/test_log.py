"""The lines of the log, as text and as JSON, and what is left out."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping
from io import StringIO

import pytest

from flows.process.log import LimitedHandler, format_of, json_formatter, text_formatter
from flows.process.log_limit import LogLimit
from flows.spec import LogSpec

RUN = """
import logging
from flows.process.log import set_up_log
from flows.spec import LogSpec

set_up_log(LogSpec(level="warning"), "orders")
log = logging.getLogger("hopper.test")
log.info("too low")
try:
    raise ValueError("why")
except ValueError:
    log.exception("grüße an %s", '"alles"')
"""


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "HOPPER_LOG_FORMAT"}


def test_a_log_without_a_terminal_is_json() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", RUN], stderr=subprocess.PIPE, env=environment(), check=True
    )

    [line] = map(json.loads, ended.stderr.decode().splitlines())
    assert list(line) == ["time", "level", "logger", "message", "job", "exception"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert (line["level"], line["logger"], line["job"]) == ("ERROR", "hopper.test", "orders")
    assert line["message"] == 'grüße an "alles"'
    assert line["exception"].endswith("ValueError: why")


def test_a_log_on_a_terminal_is_text() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", RUN], stderr=theirs, env=environment(), check=True)
    os.close(theirs)
    first = os.read(ours, 10_000).decode().splitlines()[0]
    os.close(ours)

    assert first.endswith('ERROR hopper.test [orders]: grüße an "alles"')


@pytest.mark.parametrize(
    ("format", "variable", "is_terminal", "expected"),
    [
        ("auto", None, True, "text"),
        ("auto", None, False, "json"),
        ("auto", "text", False, "text"),
        ("auto", "json", True, "json"),
        ("auto", "other", False, "json"),
        ("text", "json", False, "text"),
        ("json", "text", True, "json"),
    ],
)
def test_the_format_is_that_of_the_spec_then_of_the_environment(
    format: str, variable: str | None, is_terminal: bool, expected: str
) -> None:
    given: Mapping[str, str] = {} if variable is None else {"HOPPER_LOG_FORMAT": variable}
    spec = LogSpec.model_validate({"format": format})

    assert format_of(spec, is_terminal, given) == expected


class Log:
    """Lines of a handler with a limit of two lines of a kind, and a clock."""

    def __init__(self) -> None:
        self.now, self.written = 0.0, StringIO()
        self.handler = LimitedHandler(self.written, LogLimit(2, 60), lambda: self.now)
        self.handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def line(self, logger: str, text: str, *arguments: object) -> None:
        record = logging.LogRecord(logger, logging.INFO, "", 0, text, arguments, None)
        self.handler.handle(record)

    @property
    def lines(self) -> list[str]:
        return self.written.getvalue().splitlines()


def test_lines_with_one_format_are_limited() -> None:
    log = Log()

    for number in range(5):
        log.line("a", "no %d", number)
    log.line("b", "no %d", 9)
    assert log.lines == ["a: no 0", "a: no 1", "b: no 9"]

    log.now = 61.0
    log.line("a", "no %d", 10)
    assert log.lines[3:] == ["a: left out 3 more within 60 s like: no %d", "a: no 10"]


def test_the_end_of_the_process_reports_what_was_left_out() -> None:
    log = Log()
    for number in range(3):
        log.line("a", "no %d", number)

    log.handler.close()

    assert log.lines[2:] == ["a: left out 1 more within 60 s like: no %d"]


def test_errors_about_accounts_are_never_left_out() -> None:
    log = Log()

    for number in range(5):
        log.line("hopper.accounts", "mismatch %d", number)

    assert len(log.lines) == 5


def test_a_percent_sign_is_text() -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, "100%", (), None)

    assert text_formatter("50%d").format(record).endswith("INFO a [50%d]: 100%")
    assert json.loads(json_formatter("50%d").format(record))["job"] == "50%d"
