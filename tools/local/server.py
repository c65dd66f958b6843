"""The base class of local servers; RabbitMQ and Elasticsearch are subclasses."""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from tools.local import process
from tools.local.commands import MAX_WORDS
from tools.local.folders import CannotStart, locked, root_folder, run_as, take_lock
from tools.local.ports import free_ports, is_free

log = logging.getLogger(__name__)

ServerT = TypeVar("ServerT", bound="Server")

MAX_START_SECONDS = 120
"""Ten times the start of the slower of both on two cores."""
MAX_STOP_SECONDS = 30
"""Then a server that does not end is killed; both need one to five seconds."""
POLL_SECONDS = 0.1


class Server(ABC):
    """A local server, identified by its folder; it outlives the process that started it.

    Without a name it is the shared one of its kind: each caller finds it running, and leaves it
    running. With a name it is private to this process: it begins empty, on its own ports, and the
    process calls `remove`, which the end of a `with` statement does. If the process was killed,
    the server is removed when the name is used again.
    """

    kind: ClassVar[str]
    """The name of the service, with which the folder's name begins."""
    account: ClassVar[str]
    """The account that it runs as, if we are root."""
    ports_needed: ClassVar[int]

    def __init__(self, name: str | None, options: dict[str, Any]) -> None:
        self.options = options
        self._claim: int | None = None
        servers = root_folder() / "servers"
        if name is None:
            self.folder = servers / self.kind
            return
        for number in itertools.count(1):
            self.folder = servers / f"{self.kind}-{name}-{number}"
            try:
                self._claim = take_lock(self._lock, wait=False)
            except BlockingIOError:
                continue
            self._end_and_delete()
            return

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL, which stays the same when the server is stopped or killed and started again."""

    @property
    def ports(self) -> list[int]:
        """All ports of loopback that it listens on; the first one is for clients.

        Raises:
            CannotStart: it has never been started.
        """
        recorded = self._recorded()
        if recorded is None:
            raise CannotStart(f"{self.kind} has not been started")
        ports: list[int] = recorded["ports"]
        return ports

    @property
    def pid(self) -> int | None:
        """Its process; `None` when it does not run."""
        return process.find(self.folder / "pid", self.mark)

    @property
    def mark(self) -> str:
        """A text in the command line of its process, and of no other."""
        return f"{self.folder}/"  # the slash excludes longer names

    def start(self: ServerT) -> ServerT:
        """Start it on its former data, unless it runs, and wait until it answers.

        A server that was started with other options is replaced, together with its data.

        Raises:
            CannotStart: this machine cannot run it, or it did not start; the message says why.
        """
        with self._exclusively():
            recorded = self._recorded()
            if recorded is not None and recorded["options"] != self.options:
                self._end_and_delete()
                recorded = None
            if self.pid is None:
                known = recorded["ports"] if recorded else []
                again = bool(known) and all(map(is_free, known))
                self._boot(known if again else free_ports(self.ports_needed))
            self._wait_until_it_answers()
        log.info("%s answers at %s", self.kind, self.url)
        return self

    def stop(self) -> None:
        """Stop it with SIGTERM, if it runs; its data stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it (`kill -9`), as a power cut does; its data stays as it is."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it again, on the same data and the same URL."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop it and delete its data."""
        with self._exclusively():
            self._end_and_delete()
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def __enter__(self: ServerT) -> ServerT:
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self._claim is not None:
            self.remove()

    @abstractmethod
    def answers(self) -> bool:
        """Whether it accepts requests."""

    @abstractmethod
    def _launch(self) -> None:
        """Start it in the background, with its mark in its command line, and write `pid`."""

    def _run(self, command: list[str | Path], environment: dict[str, str]) -> None:
        """Run a command as the server's account, in a session of its own, until it returns."""
        log.info("%s starts, with its files in %s", self.kind, self.folder)
        try:
            with (self.folder / "server.log").open("w") as file:
                subprocess.run(
                    command,
                    env=environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    check=True,
                    timeout=MAX_START_SECONDS,
                    start_new_session=True,
                    **run_as(self.account),
                )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise CannotStart(self._last_words(str(error))) from error

    def _boot(self, ports: list[int]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "pid").unlink(missing_ok=True)
        unfinished = self.folder / "server.json.unfinished"
        unfinished.write_text(json.dumps({"ports": ports, "options": self.options}))
        unfinished.replace(self.folder / "server.json")
        self._launch()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + MAX_START_SECONDS
        while self.pid is None or not self.answers():
            if process.has_ended(self.folder / "pid"):
                raise CannotStart(self._last_words("it ended while it started"))
            if time.monotonic() > deadline:
                self._end(signal.SIGKILL)
                raise CannotStart(self._last_words("it never answered"))
            time.sleep(POLL_SECONDS)

    def _last_words(self, what: str) -> str:
        words = (self.folder / "server.log").read_text(errors="replace")[-MAX_WORDS:]
        return f"{self.kind} cannot start: {what}\n{words}"

    def _end(self, how: signal.Signals) -> None:
        if (pid := self.pid) is not None:
            process.end(pid, how, MAX_STOP_SECONDS)

    def _end_and_delete(self) -> None:
        self._end(signal.SIGKILL)  # a clean end would only save the data
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Let one process at a time start or remove the shared server; others need no lock."""
        with nullcontext() if self._claim is not None else locked(self._lock):
            yield

    @property
    def _lock(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.lock")

    def _recorded(self) -> dict[str, Any] | None:
        """The ports it listens on, and the options it was started with."""
        try:
            recorded: dict[str, Any] = json.loads((self.folder / "server.json").read_text())
        except OSError:
            return None
        return recorded
