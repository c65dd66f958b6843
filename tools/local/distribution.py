"""The files of Elasticsearch: downloaded once from Maven Central, checked, unpacked and completed.

Elastic publishes the real server there with fewer modules than in its own packages; our plugin in
`plugin/` replaces those that writing needs. The files have the licences of Elastic (AGPL-3.0, SSPL
or Elastic License 2.0): each machine downloads them, and they are not distributed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
import zipfile
from pathlib import Path

from tools.local import packages
from tools.local.commands import run
from tools.local.folders import CannotStart, locked, root_folder
from tools.local.java import oldest_java

log = logging.getLogger(__name__)

SHA256 = {
    "9.5.0": "db0e275fd790f723eca7bcde96069fd6fed304ad23afdb70c8c09553dd9e8b1b",
    "8.19.21": "215d5f3dbf0609a149f6218a9e47b6ae2df34ebbff3c5754e35f15a5e5393c8a",
}
"""The available versions, each with the checksum of its archive."""
PLUGIN = sorted(Path(__file__).with_name("plugin").glob("*.java"))
COPY = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy"
"""Pinned, so that Maven does not look for the newest; Maven 3 itself names this one."""


def fetch(version: str, java: Path) -> Path:
    """The home folder of that version; the first call on a machine downloads 130 MB.

    Raises:
        CannotStart: Maven is missing or cannot download it, or the checksum is wrong.
    """
    if version not in SHA256:
        raise CannotStart(f"Elasticsearch {version} is not among {', '.join(SHA256)}")
    # A changed plugin needs another home: a running server may use the old one.
    plugin = hashlib.sha256(b"".join(source.read_bytes() for source in PLUGIN)).hexdigest()
    home = root_folder() / f"elasticsearch-{version}-{plugin[:8]}"
    with locked(root_folder() / "elasticsearch.lock"):
        if not home.exists():
            with tempfile.TemporaryDirectory(dir=root_folder(), prefix="unfinished-") as folder:
                unpacked = _unpack(_download(version, Path(folder)), version)
                _add_plugin(unpacked, version, java)
                unpacked.rename(home)
    return home


def _download(version: str, folder: Path) -> Path:
    if shutil.which("mvn") is None:
        packages.install("maven")
    artifact = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{version}:zip"
    log.info("fetching Elasticsearch %s from Maven Central (130 MB, once)", version)
    run(["mvn", "-B", "-q", COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"])
    archive = folder / f"elasticsearch-{version}.zip"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256[version]:
        raise CannotStart(f"{artifact} has the sha256 {found}, and should have {SHA256[version]}")
    return archive


def _unpack(archive: Path, version: str) -> Path:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(archive.parent)
    home = archive.parent / f"elasticsearch-{version}"
    for program in (home / "bin").iterdir():
        program.chmod(0o755)  # zip files of Java know no permissions
    return home


def _add_plugin(home: Path, version: str, java: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for source in PLUGIN:
            Path(folder, source.name).write_text(source_for(version, source.read_text()))
        classes = Path(folder, "classes")
        release = str(oldest_java(version))
        options = ["-nowarn", "-proc:none", "--release", release, "-cp", f"{home}/lib/*"]
        run([java / "bin" / "javac", *options, "-d", classes, *Path(folder).glob("*.java")])
        services = classes / "META-INF" / "services"
        services.mkdir(parents=True)
        (services / "org.elasticsearch.features.FeatureSpecification").write_text("hopper.Features")
        plugin = home / "plugins" / "stand-ins"
        plugin.mkdir(parents=True)
        shutil.make_archive(os.fspath(plugin / "stand-ins"), "zip", classes)
        (plugin / "stand-ins.zip").rename(plugin / "stand-ins.jar")
    (plugin / "plugin-descriptor.properties").write_text(
        "description=Stands in for modules that this distribution lacks\n"
        "version=1\nname=stand-ins\nclassname=hopper.StandIns\n"
        f"java.version={release}\nelasticsearch.version={version}\n"
    )


def source_for(version: str, source: str) -> str:
    """Empty the lines of a source file that are only for another major version.

    They are not removed, so that the line numbers of the compiler stay correct.
    """
    major = version.partition(".")[0]
    return re.sub(rf"^.*// only (?!{major}$)\d+$", "", source, flags=re.MULTILINE)
