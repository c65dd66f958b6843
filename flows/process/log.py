"""Writes the log to standard error: as text for people, as JSON for programs that collect logs.

`log_limit.py` decides which lines are left out.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from math import inf
from threading import Timer
from typing import TextIO

from flows.process.log_limit import PERIOD, LogLimit
from flows.spec import LogSpec

ACCOUNTS = logging.getLogger("hopper.accounts")
"""For errors about the accounts of the messages: none of its lines is left out."""

TEXT = "%(asctime)s %(levelname)s %(name)s [{job}]: %(message)s"
FIELDS = {"asctime": "time", "levelname": "level", "name": "logger", "message": "message"}
"""The fields of a line of JSON, by Python's names for them; `job` and `exception` follow."""

CHOICE = "HOPPER_LOG_FORMAT"
"""The environment variable that decides where the spec says `format: auto`."""


def set_up_log(spec: LogSpec, job: str) -> None:
    """Log to standard error, with the name of the job in each line: jobs may share one log.

    A process that has set up its log already keeps it.
    """
    # Both log long texts about errors that Hopper logs in one line.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    logging.getLogger("elastic_transport").setLevel(logging.CRITICAL)
    root = logging.getLogger()
    if root.handlers:
        return
    handler = LimitedHandler(sys.stderr)
    as_json = format_of(spec, sys.stderr.isatty()) == "json"
    handler.setFormatter(json_formatter(job) if as_json else text_formatter(job))
    root.addHandler(handler)
    root.setLevel(spec.level.upper())


def format_of(spec: LogSpec, is_terminal: bool, environment: Mapping[str, str] = os.environ) -> str:
    """Return `text` or `json`; `is_terminal`: a person reads the log."""
    chosen = spec.format if spec.format != "auto" else environment.get(CHOICE)
    if chosen in ("text", "json"):
        return chosen
    return "text" if is_terminal else "json"


def text_formatter(job: str) -> logging.Formatter:
    """Return a formatter for lines of text, with local times."""
    return logging.Formatter(TEXT.format(job=job.replace("%", "%%")))


def json_formatter(job: str) -> logging.Formatter:
    """Return a formatter for one JSON object on each line, with times in UTC."""
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415  # a terminal needs none

    formatter = JsonFormatter(
        [*FIELDS],
        rename_fields=FIELDS | {"exc_info": "exception"},
        static_fields={"job": job},
        json_ensure_ascii=False,
    )
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    formatter.converter = time.gmtime
    return formatter


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes the log, but leaves out lines if too many have the same logger and format string.

    It reports their number with the next line, at the latest after twice `PERIOD`, and at the end
    of the process.
    """

    def __init__(
        self,
        stream: TextIO,
        limit: LogLimit[tuple[str, str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: returns seconds, and only goes forward."""
        super().__init__(stream)
        self._limit, self._clock = limit or LogLimit(), clock
        self._timer: Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or leave it out; `logging` calls this with the lock of the handler."""
        now = self._clock()
        self._report(now)
        if record.name == ACCOUNTS.name or self._limit.admit((record.name, str(record.msg)), now):
            super().emit(record)
        elif self._timer is None:
            self._timer = Timer(PERIOD, self._report_later)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """Report all lines that were left out; `logging.shutdown` calls this."""
        self._report_locked(inf)
        super().close()

    def _report_later(self) -> None:
        self._timer = None
        self._report_locked(self._clock())

    def _report_locked(self, now: float) -> None:
        self.acquire()
        try:
            self._report(now)
        finally:
            self.release()

    def _report(self, now: float) -> None:
        for (logger, format), lines in self._limit.ended(now):
            level, text = logging.WARNING, "left out %d more within %g s like: %s"
            arguments = (lines, PERIOD, format)
            super().emit(logging.LogRecord(logger, level, __file__, 0, text, arguments, None))
