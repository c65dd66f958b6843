"""The behaviour of all local servers, with one that starts at once."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.local import server
from tools.local.folders import CannotStart
from tools.local.server import Server

LISTEN = """
import signal, socket, sys
port, how = int(sys.argv[2]), sys.argv[3]
if how == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if how == "broken":
    sys.exit("the disk is on fire")
listener = socket.create_server(("127.0.0.1", port))
while True:
    listener.accept()[0].close()
"""


class Listener(Server):
    """Listens on a port, and keeps the files in its folder."""

    kind = "listener"
    account = pwd.getpwuid(os.geteuid()).pw_name
    ports_needed = 1

    def __init__(self, name: str | None = None, how: str = "well") -> None:
        super().__init__(name, {"how": how})

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.ports[0]}"

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.ports[0])).close()
        except OSError:
            return False
        return True

    def _launch(self) -> None:
        listen = [sys.executable, "-c", LISTEN, self.mark, str(self.ports[0]), self.options["how"]]
        self._run(["sh", "-c", '"$@" & echo $! >pid', "sh", *listen], dict(os.environ))


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOPPER_LOCAL", str(tmp_path))
    monkeypatch.setattr(server, "POLL_SECONDS", 0.01)
    yield
    Listener().remove()


def test_starting_again_finds_the_shared_server() -> None:
    """One process and one URL, for any number of starts from any place."""
    first = Listener().start()

    second = Listener().start()

    assert (first.pid, first.url) == (second.pid, second.url)


def test_leaving_a_with_block_leaves_the_shared_server_running() -> None:
    with Listener():
        pass

    assert Listener().answers()


def test_a_private_server_begins_empty_and_is_removed() -> None:
    with Listener("own") as one:
        (one.folder / "document").touch()
        pid = one.pid

    assert not one.folder.exists()
    assert not Path(f"/proc/{pid}/exe").exists()
    with Listener("own") as another:
        assert not (another.folder / "document").exists()


def test_private_servers_of_one_name_are_separate() -> None:
    """Two runs of the same test, at the same time, from two clones."""
    with Listener("own") as one, Listener("own") as other:
        assert one.url != other.url
        other.remove()
        assert one.answers()


def test_a_forgotten_private_server_is_removed_when_its_name_is_used_again() -> None:
    forgotten = Listener("own").start()
    pid = forgotten.pid
    assert forgotten._claim is not None
    os.close(forgotten._claim)  # like the end of its process

    with Listener("own") as again:
        assert again.folder == forgotten.folder
        assert again.pid != pid
        assert not Path(f"/proc/{pid}/exe").exists()


@pytest.mark.parametrize("end", [Listener.stop, Listener.kill])
def test_data_and_url_outlive_the_process(end: Any) -> None:
    with Listener("own") as one:
        (one.folder / "document").touch()
        url = one.url

        end(one)

        assert one.pid is None
        assert not one.answers()
        one.start()
        assert one.answers()
        assert one.url == url
        assert (one.folder / "document").exists()


def test_another_process_with_the_same_number_is_not_touched() -> None:
    """The recorded number may be old."""
    one = Listener().start()
    one.stop()
    with subprocess.Popen(["sleep", "60"]) as innocent:
        (one.folder / "pid").write_text(str(innocent.pid))

        one.kill()

        assert one.pid is None
        assert innocent.poll() is None
        innocent.kill()


def test_other_options_replace_the_server_and_its_data() -> None:
    one = Listener().start()
    (one.folder / "document").touch()

    other = Listener(how="deaf").start()

    assert other.folder == one.folder
    assert not (other.folder / "document").exists()
    other.kill()


def test_a_server_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_STOP_SECONDS", 0.2)
    with Listener("own", how="deaf") as one:
        one.stop()

        assert one.pid is None


def test_a_server_that_ends_during_its_start_reports_why() -> None:
    with pytest.raises(CannotStart, match="the disk is on fire"), Listener("own", how="broken"):
        pass


def test_a_server_that_never_answers_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_START_SECONDS", 0.1)
    monkeypatch.setattr(Listener, "answers", lambda _: False)
    one = Listener("own")

    with pytest.raises(CannotStart, match="never answered"):
        one.start()

    assert one.pid is None
    one.remove()
