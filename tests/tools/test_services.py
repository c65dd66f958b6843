"""Starting services decides rightly, without a service being started."""

from __future__ import annotations

import sys

import pytest

from tools import services
from tools.local.folders import CannotStart


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
