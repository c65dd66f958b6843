"""Starting services decides rightly, without a service being started."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from deploy import services
from deploy.local import packages
from deploy.local.distribution import PLUGIN, SHA256, fetch, source_for
from deploy.local.elasticsearch import VERSION, VERSION_FOR_OLD_JAVA
from deploy.local.folders import CannotStart, root_folder
from deploy.local.java import find_java, java_version, oldest_java
from deploy.local.ports import PORTS, free_ports, is_free


def refuse() -> object:
    raise CannotStart("there is no rabbitmq-server")


def test_a_named_service_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(services.SERVERS, "RABBITMQ_URL", refuse)
    monkeypatch.setenv("RABBITMQ_URL", "amqp://elsewhere")

    assert services.url("RABBITMQ_URL") == "amqp://elsewhere"


def test_nothing_is_exported_that_the_environment_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may hold a password, and the shell has it already."""
    for variable in services.SERVERS:
        monkeypatch.setenv(variable, "amqp://user:password@elsewhere")

    services.start()
    services.status()

    assert "password" not in capsys.readouterr().out


def test_what_cannot_start_is_told_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: what is missing, the two variables, the file for Docker; exit code 1."""
    monkeypatch.setattr(services, "SERVERS", {"RABBITMQ_URL": refuse})
    monkeypatch.delenv("RABBITMQ_URL", raising=False)
    monkeypatch.setattr(sys, "argv", ["services.py", "start"])

    with pytest.raises(SystemExit) as end:
        services.main()

    told = str(end.value.code)  # a text is printed, and the exit code is 1
    wanted = ["there is no rabbitmq-server", "RABBITMQ_URL", "ELASTICSEARCH_URL", "compose.yaml"]
    assert [words for words in wanted if words not in told] == []


def test_without_root_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(CannotStart, match="apt-get install rabbitmq-server"):
        packages.install("rabbitmq-server")


@pytest.mark.parametrize(
    ("user", "environment", "folder"),
    [
        (0, {}, "/var/cache/hopper"),
        (1000, {"HOME": "/home/ann"}, "/home/ann/.cache/hopper"),
        (1000, {"HOME": "/home/ann", "XDG_CACHE_HOME": "/fast"}, "/fast/hopper"),
        (0, {"HOPPER_LOCAL": "/elsewhere"}, "/elsewhere"),
    ],
)
def test_files_are_where_the_servers_account_can_reach_them(
    user: int, environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)

    assert str(root_folder()) == folder


def test_a_folder_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPPER_LOCAL", "/proc/hopper")

    with pytest.raises(CannotStart, match="set HOPPER_LOCAL"):
        root_folder()


def test_free_ports_differ_and_are_free() -> None:
    ports = free_ports(3)

    assert len(set(ports)) == 3
    assert all(port in PORTS and is_free(port) for port in ports)


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not is_free(listener.getsockname()[1])


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    """Linux begins these at 32768; a client must never be given a stopped server's port."""
    assert PORTS.stop <= 32768


def _java(folder: Path, version: str, *, compiler: bool = True) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\n')
    if compiler:
        (folder / "bin" / "javac").touch(mode=0o755)
    return folder


def test_java_tells_its_version(tmp_path: Path) -> None:
    assert java_version(_java(tmp_path / "java", "21.0.4")) == 21
    assert java_version(tmp_path / "nothing") == 0


def test_a_java_that_is_named_is_taken_if_it_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New enough, and with a compiler; 99 keeps those of this machine out."""
    monkeypatch.setenv("ES_JAVA_HOME", str(_java(tmp_path / "old", "98.0.1")))
    monkeypatch.setenv("JAVA_HOME", str(_java(tmp_path / "new", "99.0.1")))
    assert find_java(99) == tmp_path / "new"

    monkeypatch.setenv("JAVA_HOME", str(_java(tmp_path / "run-only", "99", compiler=False)))
    assert find_java(99) is None


def test_versions_are_pinned_and_fit_their_java() -> None:
    assert oldest_java(VERSION) == 21
    assert oldest_java(VERSION_FOR_OLD_JAVA) == 17
    assert {VERSION, VERSION_FOR_OLD_JAVA} <= SHA256.keys()


def test_a_version_without_a_checksum_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"7\.17\.0 is not among 9\.5\.0"):
        fetch("7.17.0", tmp_path)


@pytest.mark.parametrize(("version", "other"), [("9.5.0", 8), ("8.19.21", 9)])
def test_the_plugin_is_compiled_for_one_major_version(version: str, other: int) -> None:
    """Lines that are for the other are empty, and all others stay where they were."""
    source = "\n".join(file.read_text() for file in PLUGIN)
    written = source.splitlines()
    compiled = source_for(version, source).splitlines()

    differing = [line for line, kept in zip(written, compiled, strict=True) if line != kept]
    assert differing
    assert all(line.endswith(f"// only {other}") for line in differing)
    assert not any(line.endswith(f"// only {other}") for line in compiled)
