"""What systemd hears, on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.process.systemd import Notifier


class Systemd:
    """The other end of the socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def received(self) -> list[str]:
        """The messages since the last call."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(100).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{tmp_path}/notify" if request.param == "path" else f"@{tmp_path}"


@pytest.fixture
def systemd(address: str) -> Iterator[Systemd]:
    end = Systemd(address.replace("@", "\0", 1))
    yield end
    end.close()


def test_it_hears_once_that_the_process_is_ready_and_once_that_it_stops(
    systemd: Systemd, address: str
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address})

    notifier.tell(live=False, ready=False, stopping=False)
    assert systemd.received() == []
    for _ in range(2):
        notifier.tell(live=False, ready=True, stopping=False)
    assert systemd.received() == ["READY=1"]
    for _ in range(2):
        notifier.tell(live=False, ready=False, stopping=True)
    assert systemd.received() == ["STOPPING=1"]


def test_a_reload_is_no_stop(systemd: Systemd, address: str) -> None:
    """It hears so once, with the time that it demands."""
    notifier = Notifier({"NOTIFY_SOCKET": address})

    for _ in range(2):
        notifier.tell(live=False, ready=False, stopping=False, reloading=True)

    [message] = systemd.received()
    first, second = message.splitlines()
    assert first == "RELOADING=1"
    assert second.startswith("MONOTONIC_USEC=")


def test_the_watchdog_hears_of_the_process_as_long_as_it_is_live(
    systemd: Systemd, address: str
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address})

    for _ in range(2):
        notifier.tell(live=True, ready=False, stopping=False)
    assert systemd.received() == ["WATCHDOG=1"] * 2
    notifier.tell(live=False, ready=False, stopping=False)
    assert systemd.received() == []


def test_without_systemd_nothing_is_sent() -> None:
    Notifier({}).tell(live=True, ready=True, stopping=True)


def test_a_socket_that_is_gone_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The job goes on: its messages do not depend on systemd."""
    notifier = Notifier({"NOTIFY_SOCKET": f"{tmp_path}/gone"})

    for _ in range(2):
        notifier.tell(live=True, ready=True, stopping=False)

    [text] = caplog.messages
    assert text.startswith("cannot tell systemd READY=1, and will not try again: ")
