"""Which services are started, and the advice if they cannot start; no service is started here."""

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


def test_variables_of_the_environment_are_not_exported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They may contain a password, and the shell has them already."""
    for variable in services.SERVERS:
        monkeypatch.setenv(variable, "amqp://user:password@elsewhere")

    services.start()
    services.status()

    assert "password" not in capsys.readouterr().out


def test_a_failed_start_prints_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: the missing thing, the two variables, the file for Docker; exit code 1."""
    monkeypatch.setattr(services, "SERVERS", {"RABBITMQ_URL": refuse})
    monkeypatch.delenv("RABBITMQ_URL", raising=False)
    monkeypatch.setattr(sys, "argv", ["services.py", "start"])

    with pytest.raises(SystemExit) as end:
        services.main()

    printed = str(end.value.code)  # sys.exit prints a text, and the exit code is 1
    wanted = ["there is no rabbitmq-server", "RABBITMQ_URL", "ELASTICSEARCH_URL", "compose.yaml"]
    assert [words for words in wanted if words not in printed] == []
