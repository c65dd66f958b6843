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
from functools import partial
from types import TracebackType
from typing import NoReturn

from flows.process.stop import EXIT_UNAVAILABLE
from flows.steps.raised import RAISED

LOG = logging.getLogger("hopper")


def install(renew: Callable[[], None]) -> None:
    """Log one line instead of a panic; only for a process of a cluster.

    `renew`: starts the process anew if it drains for a reload: the other process has, too.
    """
    sys.excepthook = partial(_log, renew)


def _log(
    renew: Callable[[], None],
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
) -> None:
    if kind.__name__ != "PanicException":
        sys.__excepthook__(kind, error, traceback)
        return
    end(renew)


def end(renew: Callable[[], None]) -> NoReturn:
    """End this process, since another one of the cluster has ended or a step has raised.

    `renew`: see `install`.
    """
    if RAISED.error is None:
        renew()
    if RAISED.error is not None:
        LOG.error("this process ends; this is a bug in Hopper", exc_info=RAISED.error)
    else:
        LOG.error(
            "another process of the cluster has ended, so this one ends too; the broker redelivers "
            "unacknowledged messages"
        )
    logging.shutdown()
    os._exit(EXIT_UNAVAILABLE)  # `sys.exit` would wait for threads that Bytewax has left running
