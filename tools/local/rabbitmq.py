"""A RabbitMQ node from the package of Debian or Ubuntu, separate from other nodes.

It has its own node name, cookie, data and port mapper (`epmd`), so another RabbitMQ on the machine
and this one do not see each other. It listens on loopback only.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tools.local import packages
from tools.local.folders import give, run_as
from tools.local.ports import is_free
from tools.local.server import MAX_STOP_SECONDS, POLL_SECONDS, Server

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
"""The programs of the package: those on the path require root."""


class RabbitMQServer(Server):
    """One node; the user `guest` with the password `guest` may do everything on it."""

    kind = "rabbitmq"
    account = "rabbitmq"
    ports_needed = 3

    def __init__(
        self, name: str | None = None, *, settings: Mapping[str, str] | None = None
    ) -> None:
        """Describe it; `start` starts it.

        Args:
            name: a private one, for the caller alone; without a name it is the shared one.
            settings: of `rabbitmq.conf`, for example `{"consumer_timeout": "5000"}`.
        """
        super().__init__(name, {"settings": dict(settings or {})})

    @property
    def url(self) -> str:
        """The URL, with user and password."""
        return f"amqp://guest:guest@127.0.0.1:{self.ports[0]}/"

    def answers(self) -> bool:
        """Whether it answers an AMQP 0.9.1 client: a node opens its listener last."""
        try:
            with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=5) as link:
                link.sendall(b"AMQP\x00\x00\x09\x01")
                return link.recv(1) == b"\x01"  # the type of a method frame: Connection.Start
        except OSError:
            return False

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on this node, and return what it prints.

        Raises:
            subprocess.CalledProcessError: the command failed; `stderr` says why.
        """
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [PROGRAMS / "rabbitmqctl", "--quiet", *arguments],
            env=self._environment(),
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
            **run_as(self.account),
        )
        return done.stdout

    def _launch(self) -> None:
        if not PROGRAMS.exists():
            packages.install("rabbitmq-server")
        settings = {"listeners.tcp.1": f"127.0.0.1:{self.ports[0]}", **self.options["settings"]}
        lines = (f"{key} = {value}\n" for key, value in settings.items())
        (self.folder / "rabbitmq.conf").write_text("".join(lines))
        (self.folder / "enabled_plugins").write_text("[].\n")
        give(self.folder, self.account)
        # Not with `-detached`, which hides the error of a failed start. Erlang ignores the last
        # argument, which identifies the process.
        node = [str(PROGRAMS / "rabbitmq-server"), "-noinput", "-hopper", self.mark]
        environment = {**self._environment(), "RABBITMQ_ALLOW_INPUT": "true"}
        self._run(["sh", "-c", '"$@" & echo $! >pid', "sh", *node], environment)

    def _end(self, how: signal.Signals) -> None:
        super()._end(how)
        if PROGRAMS.exists() and self._recorded() is not None:
            # The port mapper refuses to end while a node is registered, as it should.
            environment = self._environment()
            deadline = time.monotonic() + MAX_STOP_SECONDS
            # It ends a moment after its answer, and until then its port seems taken.
            while not is_free(self.ports[2]) and time.monotonic() < deadline:
                subprocess.run(["epmd", "-kill"], env=environment, check=False, capture_output=True)
                time.sleep(POLL_SECONDS)

    def _environment(self) -> dict[str, str]:
        _, distribution_port, mapper_port = self.ports
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "PATH": os.environ["PATH"] + ":/usr/sbin:/usr/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),  # the cookie's place
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(mapper_port),
            "RABBITMQ_NODENAME": "hopper@localhost",
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
            "RABBITMQ_CTL_ERL_ARGS": loopback,
            # No file of /etc/rabbitmq, which belongs to another node.
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "environment"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",  # log to the output
        }
