"""The messages about TLS errors."""

from __future__ import annotations

import ssl

import pytest

from connectors.elasticsearch.tls import advice, context


def refused(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def other(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (refused(10, "certificate has expired"), "certificate has expired: renew it"),
        (refused(62, "Hostname mismatch, certificate is not valid for 'a'."), "'a': write in url"),
        (refused(19, "self-signed certificate in chain"), "name its CA in ca_certs"),
        (other("WRONG_VERSION_NUMBER"), "wrong version number: there is no TLS: write http://"),
        (other("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "client_cert and client_key"),
        (other("TLSV1_ALERT_UNKNOWN_CA"), "does not trust the CA of client_cert"),
        (other("SOMETHING_ELSE"), "something else"),
        (ValueError("hostname '127.0.0.1' doesn't match 'a'"), "doesn't match 'a': write in url"),
    ],
)
def test_a_tls_error_names_the_cause_and_the_remedy(error: Exception, remedy: str) -> None:
    wrapped = ValueError("of a library", error)
    outermost = RuntimeError("of another")
    outermost.__cause__ = wrapped

    assert remedy in advice(outermost)
    assert remedy in advice(error)


def test_without_ca_certs_the_system_certificates_are_trusted() -> None:
    made = context(None)

    assert made.verify_mode == ssl.CERT_REQUIRED
    assert made.check_hostname
