"""A single-node OpenSearch on loopback, for tests; its jars come from Maven Central.

OpenSearch publishes its server there in parts, and no archive. This node has only the module for
HTTP, and no sandbox: no ingest processors, no scripts, no security.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tools.local import packages
from tools.local.commands import run
from tools.local.elasticsearch import ElasticsearchServer
from tools.local.folders import CannotStart, give, locked, root_folder
from tools.local.java import find_or_install_java

log = logging.getLogger(__name__)

VERSION = "3.8.0"
OLDEST_JAVA = 21
SHA256 = "a4d472e3ff010a8529f4e63a4826d600225c3bccb01228f53c3ea3a68ce19eca"
"""The checksum of all jars, by their names."""
POM = Path(__file__).with_suffix(".xml")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"
"""Pinned, so that Maven does not look for the newest; Maven 3 itself names this one."""
MODULE = "transport-netty4"
DESCRIPTOR = f"""\
name={MODULE}
description=HTTP, and the connections between nodes
classname=org.opensearch.transport.Netty4ModulePlugin
version={VERSION}
opensearch.version={VERSION}
java.version={OLDEST_JAVA}
"""
LOG = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


class OpenSearchServer(ElasticsearchServer):
    """One node on loopback; it starts in half the time of Elasticsearch."""

    kind = "opensearch"

    def __init__(
        self, name: str | None = None, *, settings: Mapping[str, str] | None = None
    ) -> None:
        """Describe it; `start` starts it. `name`, `settings`: see `ElasticsearchServer`."""
        super().__init__(name, version=VERSION, settings=settings, fast=True)

    def _launch(self) -> None:
        java = find_or_install_java(OLDEST_JAVA)
        home = fetch()
        configuration = self.folder / "config"
        configuration.mkdir(exist_ok=True)
        (configuration / "opensearch.yml").write_text(self._settings({}))
        (configuration / "log4j2.properties").write_text(LOG)
        give(self.folder, self.account)
        heap = self.options["heap"]
        command: list[str | Path] = [
            *(java / "bin" / "java", f"-Xms{heap}", f"-Xmx{heap}"),
            *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.disable.jmx=true"),
            f"-Djava.io.tmpdir={self.folder}/tmp",  # this path identifies the process
            f"-Dopensearch.path.home={home}",
            f"-Dopensearch.path.conf={configuration}",
            *("-cp", f"{home}/lib/*", "org.opensearch.bootstrap.OpenSearch"),
        ]
        in_background = ["/bin/sh", "-c", '"$@" & echo $! > pid', "sh"]
        self._run([*in_background, *command], self._environment(java))


def fetch() -> Path:
    """The home folder of OpenSearch; the first call on a machine downloads 62 MB.

    Raises:
        CannotStart: Maven is missing or cannot download it, or the checksum is wrong.
    """
    made_by = hashlib.sha256(POM.read_bytes() + DESCRIPTOR.encode()).hexdigest()
    home = root_folder() / f"opensearch-{VERSION}-{made_by[:8]}"
    with locked(root_folder() / "opensearch.lock"):
        if not home.exists():
            with tempfile.TemporaryDirectory(dir=root_folder(), prefix="unfinished-") as folder:
                unfinished = Path(folder, "home")
                _download(unfinished / "lib")
                _make_module(unfinished)
                unfinished.rename(home)
    return home


def _download(folder: Path) -> None:
    if shutil.which("mvn") is None:
        packages.install("maven")
    log.info("fetching OpenSearch %s from Maven Central (62 MB, once)", VERSION)
    run(["mvn", "-B", "-q", "-f", POM, COPY, f"-DoutputDirectory={folder}"])
    checksum = hashlib.sha256()
    for jar in sorted(folder.iterdir()):
        checksum.update(jar.name.encode() + hashlib.sha256(jar.read_bytes()).digest())
    if checksum.hexdigest() != SHA256:
        raise CannotStart(
            f"the jars of OpenSearch {VERSION} have the sha256 {checksum.hexdigest()}, "
            f"and should have {SHA256}"
        )


def _make_module(home: Path) -> None:
    """Move the module to its folder; what it needs may stay with the server."""
    module = home / "modules" / MODULE
    module.mkdir(parents=True)
    jar = f"{MODULE}-client-{VERSION}.jar"
    (home / "lib" / jar).rename(module / jar)
    (module / "plugin-descriptor.properties").write_text(DESCRIPTOR)
    for name in ("bin", "plugins"):  # the server makes them if they are missing, but may not
        (home / name).mkdir()
