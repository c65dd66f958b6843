"""Logs why a process of a cluster ends, when Bytewax ends it by a panic.

When one process dies, Bytewax ends the others with `PanicException: Send thread panic`. When a step
raises, Bytewax ends its process with the same words, and does not show the error. So steps run
within `RAISED`, which keeps the first error, and an exception hook logs it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import ParamSpec, TypeVar

from flows.process.stop import EXIT_UNAVAILABLE

P = ParamSpec("P")
R = TypeVar("R")

LOG = logging.getLogger("hopper")


class Raised:
    """The first error that a step of this process has raised."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        ends = isinstance(error, StopIteration)  # the end of a source, not an error
        if isinstance(error, Exception) and not ends and self.error is None:
            self.error = error


RAISED = Raised()
"""The first error of this process."""


def remembered(method: Callable[P, R]) -> Callable[P, R]:
    """Run a step's method within `RAISED`; that costs 0.2 µs for each batch."""

    @wraps(method)
    def call(*arguments: P.args, **options: P.kwargs) -> R:
        with RAISED:
            return method(*arguments, **options)

    return call


def install() -> None:
    """Log one line instead of a panic; only for a process of a cluster."""
    sys.excepthook = _log


def _log(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if kind.__name__ != "PanicException":
        sys.__excepthook__(kind, error, traceback)
        return
    if RAISED.error is not None:
        LOG.error("this process ends; this is a bug in Hopper", exc_info=RAISED.error)
    else:
        LOG.error(
            "another process of the cluster has ended, so this one ends too; the broker redelivers "
            "unacknowledged messages"
        )
    logging.shutdown()
    os._exit(EXIT_UNAVAILABLE)  # `sys.exit` would wait for threads that Bytewax has left running
