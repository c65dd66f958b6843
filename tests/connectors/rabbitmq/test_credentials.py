"""Passwords that change while the job runs."""

from __future__ import annotations

import pytest

from connectors.errors import SpecError
from connectors.rabbitmq.credentials import Credentials, Specs
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource


def specs(**dead_letter: str) -> Specs:
    source = RabbitMQSource.model_validate({"url": "amqp://a:new@host/", "queue": "q"})
    parking = RabbitMQDeadLetter.model_validate({"routing_key": "parked", **dead_letter})
    return source, parking


def test_urls_are_read_again() -> None:
    credentials = Credentials(specs)

    assert credentials.of_source() == ("amqp://a:new@host/",)
    assert credentials.of_dead_letter() == ("amqp://a:new@host/",)


def test_parking_may_have_credentials_of_its_own() -> None:
    credentials = Credentials(lambda: specs(url="amqp://b:other@host/"))

    assert credentials.of_dead_letter() == ("amqp://b:other@host/",)


def test_credentials_that_cannot_be_read_are_logged_and_change_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def read() -> Specs:
        raise SpecError(["pipeline.yaml:4:5: the file cannot be read"])

    assert Credentials(read).of_source() == ()
    assert "so the old ones are kept: pipeline.yaml:4:5" in caplog.text


def test_without_a_way_to_read_them_again_credentials_stay() -> None:
    assert Credentials().of_source() == Credentials().of_dead_letter() == ()
