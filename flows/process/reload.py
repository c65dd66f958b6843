"""Changes the spec of a running job: checks the new one, drains, and starts the process anew.

`file_changes.py` decides. The process keeps its id: it replaces its own program, with the same
command line, after Bytewax has returned. So all that it held is written and acknowledged, or
requeued, as at the end of any drain.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from connectors import metrics
from connectors.errors import SpecError, Unavailable
from connectors.message import Reload
from flows.process.file_changes import FileChanges, fingerprint, is_behind
from flows.process.stop import ProcessStop
from flows.spec import Pipeline, content_of, load
from flows.steps.raised import RAISED
from flows.values.reloads import Reloads, from_carried

LOG = logging.getLogger("hopper")

EVERY = 2.0
"""Seconds between two looks at the file."""
BEHIND_SECONDS = 120.0
"""How long a process waits for a file that changes later than that of another process: Kubernetes
changes mounted files within a minute or two."""
CARRIED = "HOPPER_RELOADS"
"""The environment variable with what the process remembers when it starts anew."""

# The signals that would end a process before it handles them: they wait while it starts anew.
_WAITING = {signal.SIGHUP, signal.SIGUSR1}
_BLOCKED = _WAITING | {signal.SIGTERM, signal.SIGINT}


def begin() -> Reloads:
    """Return what the process remembers, if it has started anew; call it first.

    From here on, SIGTERM and Ctrl-C end the process, as at every start; `accept_signals` lets the
    others in.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED - _WAITING)
    reloads = from_carried(os.environ.pop(CARRIED, None))
    metrics.RELOADS.labels("reloaded").inc(reloads.reloaded)
    metrics.RELOADS.labels("refused").inc(reloads.refused)
    return reloads


def accept_signals() -> None:
    """Let the signals in that came while the process started anew, since it handles them now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITING)


def seen(path: str) -> str | None:
    """Return the fingerprint of the file; `None`: it cannot be read."""
    try:
        return fingerprint(content_of(path))
    except SpecError:
        return None


class Reloader:
    """Reloads the spec of one process when its file has changed, or on request."""

    def __init__(
        self,
        path: str,
        running: str | None,
        stop: ProcessStop,
        reloads: Reloads,
        *,
        watch: bool,
        accept: Callable[[Pipeline], object] = lambda _: None,
    ) -> None:
        """`running`: the fingerprint of the file at the start; `watch`: looks at the file.

        `accept`: raises `Unavailable` for a spec that the next start would refuse.
        """
        self._path, self._stop, self.reloads, self._watch = path, stop, reloads, watch
        self._changes, self._accept = FileChanges(running or ""), accept
        self._asked = threading.Event()

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="reload", daemon=True).start()

    def ask(self) -> None:
        """Request a reload, also of an unchanged file; from any thread, and from a signal."""
        self._asked.set()

    def look(self, *, asked: bool) -> None:
        """Look at the file once, and request a drain if it is to be reloaded."""
        if self._stop.reason is not None:
            return
        content = seen(self._path)
        changed = self._watch and self._changes.look(content)
        if not (asked or changed):
            return
        if content is not None:
            self._changes.judge(content)
        try:
            self._accept(load(self._path))
        except SpecError as error:
            self._refuse(error.problems)
            return
        except Unavailable as error:
            self._refuse([f"{error}"])
            return
        reload = Reload(self._changes.running, content or "")
        self._stop.request("reload by SIGHUP" if asked else "reload: the file has changed", reload)

    def renew(self) -> None:
        """Start the process anew if a reload is why it has drained; else return.

        Waits until the file can be used: another process of the cluster may have asked.
        """
        self._wait_for_file()
        # Signals that come from here on wait for the new program.
        signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
        if self._stop.reload is None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)
            return
        self._replace_program()

    def renew_at_exit(self) -> None:
        """Start anew as `renew`, except after an error: that ends the process."""
        if RAISED.error is None:
            self.renew()

    def _run(self) -> None:
        while True:
            asked = self._asked.wait(EVERY)
            # Before the dataflow begins, the other processes of the cluster are being connected:
            # they would wait for ever for a process that starts anew meanwhile.
            if self._stop.begun:
                self._asked.clear()
                self.look(asked=asked)
            elif asked:
                time.sleep(EVERY)

    def _refuse(self, problems: Sequence[str]) -> None:
        self.reloads.refuse([*problems], time.time())
        metrics.RELOADS.labels("refused").inc()
        for problem in problems:
            LOG.error("the changed file is not used, and the job goes on as before: %s", problem)

    def _wait_for_file(self) -> None:
        until, logged = time.monotonic() + BEHIND_SECONDS, ""
        while (reload := self._stop.reload) is not None:
            behind = time.monotonic() < until and is_behind(seen(self._path), reload)
            trouble = "it has not changed yet as that of another process" if behind else ""
            if not behind:
                try:
                    load(self._path)
                except SpecError as error:
                    trouble = "; ".join(error.problems)
                else:
                    return
            if trouble != logged:
                LOG.warning("waits, to start anew, for %s: %s", self._path, trouble)
                logged = trouble
            time.sleep(EVERY / 4)

    def _replace_program(self) -> NoReturn:
        LOG.info("reload: starts anew")
        carried = self.reloads.carried(time.time(), paused=self._stop.paused)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(
            sys.executable,
            [sys.executable, *sys.orig_argv[1:]],
            os.environ | {CARRIED: carried},
        )
