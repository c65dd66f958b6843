"""The TLS context, and remedies for errors of TLS; it connects to nothing."""

from __future__ import annotations

import ssl


def context(
    ca_certs: str | None, client_cert: str | None = None, client_key: str | None = None
) -> ssl.SSLContext:
    """Return a context that trusts the certificates of this file only; `None`: the system's.

    Raises:
        OSError: a file cannot be read, is invalid, or does not fit the others.
    """
    made = ssl.create_default_context(cafile=ca_certs)
    if client_cert is not None:
        # With a password, even a wrong one, OpenSSL does not ask for it at the terminal.
        made.load_cert_chain(client_cert, client_key, password="")
    return made


def advice(error: BaseException | None) -> str:
    """Describe an error of TLS and its remedy, in one line."""
    found = _innermost(error)
    if isinstance(found, ssl.SSLCertVerificationError):
        remedy = _REMEDIES.get(
            found.verify_code, "if it is the right cluster, name its CA in ca_certs"
        )
        return f"its certificate is not accepted: {found.verify_message.rstrip('.')}: {remedy}"
    if not isinstance(found, ssl.SSLError):
        # Where the host is an address, urllib3 itself compares the names.
        return f"its certificate is not accepted: {found}: {_NAME}"
    reason = (found.reason or str(found)).replace("_", " ").lower()
    for words, remedy in _REMEDIES_BY_REASON.items():
        if words in reason:
            return f"{reason}: {remedy}"
    return reason


def _innermost(error: BaseException | None) -> BaseException | None:
    """Return the original error inside the errors of libraries."""
    while error is not None:
        wrapped = [arg for arg in error.args if isinstance(arg, BaseException)]
        inner = wrapped[0] if wrapped else error.__cause__
        if inner is None:
            return error
        error = inner
    return error


_NAME = "write in url the name that the certificate has"
_REMEDIES = {
    10: "renew it, or correct the clock of this machine",
    9: "correct the clock of this machine, or use it later",
    62: _NAME,
    64: _NAME,
}
"""By OpenSSL's number of the error (X509_V_ERR): expired, not yet valid, another name, another
address."""
_REMEDIES_BY_REASON = {
    "wrong version number": "there is no TLS: write http://, or another port",
    "record layer failure": "there is no TLS: write http://, or another port",
    "certificate required": "the server requires a certificate: set client_cert and client_key",
    "handshake failure": "the server may require a certificate: set client_cert and client_key",
    "eof occurred": "the server hung up, and may require a certificate: set client_cert and "
    "client_key",
    "unknown ca": "the server does not trust the CA of client_cert",
    "certificate expired": "client_cert has expired: renew it",
}
