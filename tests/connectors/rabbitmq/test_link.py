"""How logs and errors name a broker and its problem."""

from __future__ import annotations

import logging
import socket

import pytest
from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowFailed,
    AMQPConnectorSocketConnectError,
)
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionOpenAborted,
    IncompatibleProtocolError,
    ProbableAuthenticationError,
)

from connectors.errors import Unavailable
from connectors.rabbitmq.link import NO_AMQP, address_of, describe
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQSource
from connectors.rabbitmq.visit import Visit


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://guest:secret@localhost", 'localhost:5672, virtual host "/"'),
        ("amqp://guest:secret@localhost/", 'localhost:5672, virtual host "/"'),
        ("amqp://guest:secret@localhost:5673/%2F", 'localhost:5673, virtual host "/"'),
        ("amqps://guest:secret@broker/team%2Fa", 'broker:5671, virtual host "team/a"'),
    ],
)
def test_a_broker_is_named_by_host_port_and_virtual_host(url: str, expected: str) -> None:
    """The name has no password."""
    assert address_of(url) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            AMQPConnectionWorkflowFailed(
                [AMQPConnectorSocketConnectError(ConnectionRefusedError(111, "Connection refused"))]
            ),
            "Connection refused",
        ),
        (ChannelClosedByBroker(404, "NOT_FOUND - no queue"), "NOT_FOUND - no queue (404)"),
        (ProbableAuthenticationError("ACCESS_REFUSED"), "ACCESS_REFUSED"),
        (ValueError(), "ValueError"),
        (IncompatibleProtocolError("StreamLostError: ('Transport indicated EOF',)"), NO_AMQP),
        (ConnectionOpenAborted("(320): \"Timeout while setting up AMQP to '127.0.0.1'\""), NO_AMQP),
    ],
)
def test_an_error_is_shown_without_its_wrappers(error: Exception, expected: str) -> None:
    assert describe(error) == expected


def test_a_missing_certificate_file_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the name of the broker, and without the password."""
    monkeypatch.setattr(Visit, "TRIES", 1)
    url = "amqps://guest:s3cret@127.0.0.1:1/?ssl_options={'cafile':'/no/such/file'}"
    spec = RabbitMQSource.model_validate({"url": url, "queue": "q"})

    with pytest.raises(Unavailable, match="No such file") as error:
        RabbitMQ(spec, None, workers=1).check()

    assert '127.0.0.1:1, virtual host "/"' in str(error.value)
    assert "s3cret" not in str(error.value)


def test_each_failed_attempt_at_the_start_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An attempt at a port that answers nothing takes many seconds."""
    monkeypatch.setattr(Visit, "TRIES", 2)
    spec = RabbitMQSource.model_validate({"url": "amqp://127.0.0.1:1", "queue": "q"})

    with caplog.at_level(logging.WARNING, "hopper"), pytest.raises(Unavailable, match="2 attempts"):
        RabbitMQ(spec, None, workers=1).check()

    [logged] = [
        record.getMessage() for record in caplog.records if record.name.startswith("hopper")
    ]
    assert logged == (
        'no connection, attempt 1 of 2, 127.0.0.1:1, virtual host "/": Connection refused'
    )


def test_a_consumer_can_end_during_the_handshake() -> None:
    """The broker has accepted the connection, and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as broker:
        url = f"amqp://127.0.0.1:{broker.getsockname()[1]}"
        spec = RabbitMQSource.model_validate({"url": url, "queue": "q"})
        source = RabbitMQ(spec, None, workers=1)
        consumer = source.consumer(*source.consumers())
        consumer.start()
        accepted, _ = broker.accept()
        with accepted:
            assert accepted.recv(8) == b"AMQP\x00\x00\x09\x01"
            consumer.close()

    assert consumer.unacknowledged == 0
