"""What a URL says about a connection: TLS, certificates and login."""

from __future__ import annotations

import ssl

import pytest
from pika.credentials import ExternalCredentials, PlainCredentials

from connectors.rabbitmq.parameters import advice, parameters


@pytest.mark.parametrize("query", ["", "?ssl_options={}", "?ssl_options={'ciphers':'HIGH'}"])
def test_the_broker_is_always_verified(query: str) -> None:
    """Its certificate and its name."""
    context = parameters(f"amqps://host/{query}").ssl_options.context

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_without_tls_there_is_no_tls_context() -> None:
    assert parameters("amqp://host/").ssl_options is None


def test_all_other_parameters_are_those_of_pika() -> None:
    read = parameters("amqps://us%40er:p%2Fw@host:5673/v%2Fh?heartbeat=30&ssl_options={}")

    assert (read.host, read.port, read.virtual_host, read.heartbeat) == ("host", 5673, "v/h", 30)
    assert read.credentials == PlainCredentials("us@er", "p/w")


def test_a_client_certificate_may_replace_the_password() -> None:
    read = parameters("amqps://host/?auth_mechanism=external")

    assert isinstance(read.credentials, ExternalCredentials)


def test_an_invalid_certificate_file_is_reported() -> None:
    with pytest.raises(OSError, match="ssl_options: a certificate, a key or a CA cannot be read"):
        parameters(f"amqps://host/?ssl_options={{'cafile':'{__file__}'}}")


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("WRONG_VERSION_NUMBER", "this port does not speak TLS"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "'certfile'"),
        ("TLSV1_ALERT_UNKNOWN_CA", "does not trust the CA of the client certificate"),
        ("SOMETHING_ELSE", "TLS: something else"),
    ],
)
def test_a_tls_error_is_reported_with_its_remedy(reason: str, says: str) -> None:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1)")
    error.reason = reason

    assert says in advice(error)
