"""A single-node Elasticsearch on loopback; `distribution.py` supplies its files."""

from __future__ import annotations

import base64
import json
import logging
import os
import pwd
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tools.local.distribution import fetch
from tools.local.folders import CannotStart, give, run_as
from tools.local.java import find_or_install_java, oldest_java
from tools.local.server import Server

log = logging.getLogger(__name__)

VERSION = "9.5.0"
VERSION_FOR_OLD_JAVA = "8.19.21"
"""Debian 12 has only Java 17, and 8.19 is the last line of versions that runs on it."""


UNPRIVILEGED = 65534
"""The number of the account that owns no files, on every Linux."""


class ElasticsearchServer(Server):
    """One node on loopback, which also writes to a nearly full disk."""

    kind = "elasticsearch"
    account = pwd.getpwuid(UNPRIVILEGED).pw_name  # Elasticsearch refuses to run as root
    ports_needed = 2

    def __init__(
        self,
        name: str | None = None,
        *,
        version: str | None = None,
        heap: str = "512m",
        settings: Mapping[str, str] | None = None,
        password: str | None = None,
        fast: bool = False,
    ) -> None:
        """Describe it; `start` starts it.

        Args:
            name: a private one, for the caller alone; without a name it is the shared one.
            version: one of `distribution.SHA256`; without it, the newest for which there is a Java.
            heap: memory for Java, as in its option `-Xmx`.
            settings: of `elasticsearch.yml`, for example `{"thread_pool.write.queue_size": "2"}`.
            password: of the user `elastic`; without it, every client may do everything.
            fast: starts two seconds sooner, and is slower afterwards: for tests, not to measure.
        """
        options = {"version": version, "heap": heap, "settings": dict(settings or {})}
        super().__init__(name, {**options, "password": password, "fast": fast})

    @property
    def url(self) -> str:
        """The URL, without the password."""
        return f"http://127.0.0.1:{self.ports[0]}"

    def answers(self) -> bool:
        """Whether the node has elected itself and opened its indices."""
        try:
            health = self._get("/_cluster/health?wait_for_status=yellow&timeout=5s")
        except (OSError, CannotStart):
            return False
        return health["timed_out"] is False

    def _get(self, path: str) -> dict[str, object]:
        request = urllib.request.Request(self.url + path)
        if self.options["password"]:
            login = base64.b64encode(f"elastic:{self.options['password']}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            body: dict[str, object] = json.load(answer)
            return body

    def _launch(self) -> None:
        version: str = self.options["version"] or _newest_version()
        java = find_or_install_java(oldest_java(version))
        home = fetch(version, java)
        self._configure(home)
        environment = self._environment(java)
        if self.options["password"]:
            self._keep_password(home, environment)
        give(self.folder, self.account)
        # The launcher returns when the server is ready, and leaves it in the background.
        launcher = home / "bin" / "elasticsearch"
        self._run([launcher, "-d", "-p", self.folder / "pid"], environment)

    def _configure(self, home: Path) -> None:
        configuration = self.folder / "config"
        shutil.rmtree(configuration, ignore_errors=True)
        shutil.copytree(home / "config", configuration)
        security = {
            "xpack.security.enabled": "true" if self.options["password"] else "false",
            "xpack.security.enrollment.enabled": "false",
        }
        (configuration / "elasticsearch.yml").write_text(self._settings(security))
        heap = self.options["heap"]
        # Untouched memory costs nothing; the log of the garbage collector is not needed.
        options = [f"-Xms{heap}", f"-Xmx{heap}", "-XX:-AlwaysPreTouch", "-Xlog:disable"]
        if self.options["fast"]:
            options.append("-XX:TieredStopAtLevel=1")  # compile quickly, but never thoroughly
        if self.options["password"]:
            # Otherwise it copies its roles to the index of its users after it has begun to answer,
            # and answers 503 to each request until then; or for ever, if a user logs in meanwhile.
            options.append("-Des.queryable_built_in_roles_enabled=false")
        (configuration / "jvm.options.d" / "hopper.options").write_text("\n".join(options))

    def _settings(self, more: Mapping[str, str]) -> str:
        """Make the folders of the node, and return its settings as YAML."""
        for name in ("data", "logs", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        settings = {
            "cluster.name": "hopper",
            "node.name": "hopper",
            "path.data": str(self.folder / "data"),
            "path.logs": str(self.folder / "logs"),
            "network.host": "127.0.0.1",
            "http.port": str(self.ports[0]),
            "transport.port": str(self.ports[1]),
            "discovery.type": "single-node",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "action.destructive_requires_name": "false",
            **more,
            **self.options["settings"],
        }
        return "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())

    def _environment(self, java: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "ES_JAVA_HOME": str(java),
            "ES_PATH_CONF": str(self.folder / "config"),
            "ES_TMPDIR": str(self.folder / "tmp"),  # this path identifies the process
            "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1",  # the launcher lives for seconds only
        }

    def _keep_password(self, home: Path, environment: dict[str, str]) -> None:
        """Add it to a new keystore, which `-f` makes without a question."""
        keystore = home / "bin" / "elasticsearch-keystore"
        give(self.folder, self.account)
        subprocess.run(
            [keystore, "add", "-x", "-f", "bootstrap.password"],
            input=self.options["password"],
            env=environment,
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
            **run_as(self.account),
        )


def _newest_version() -> str:
    try:
        find_or_install_java(oldest_java(VERSION))
    except CannotStart:
        find_or_install_java(oldest_java(VERSION_FOR_OLD_JAVA))
        log.info("no Java for Elasticsearch %s: taking %s", VERSION, VERSION_FOR_OLD_JAVA)
        return VERSION_FOR_OLD_JAVA
    return VERSION
