"""Whom we trust, who we are, and what helps where TLS fails; it connects to nothing."""

from __future__ import annotations

import ssl


def context(
    ca_certs: str | None, client_cert: str | None = None, client_key: str | None = None
) -> ssl.SSLContext:
    """Trust the certificates of these files alone; `None`: those of the system.

    Raises:
        OSError: a file cannot be read, is not what it should be, or does not fit the others.
    """
    made = ssl.create_default_context(cafile=ca_certs)
    if client_cert is not None:
        # With a password that is certainly wrong, OpenSSL does not ask for one at the terminal.
        made.load_cert_chain(client_cert, client_key, password="")
    return made


def advice(error: BaseException | None) -> str:
    """What is wrong, in one line, and which key of the spec helps."""
    found = _innermost(error)
    if isinstance(found, ssl.SSLCertVerificationError):
        helps = _HELPS.get(found.verify_code, "if it is the right cluster, name its CA in ca_certs")
        return f"its certificate is not accepted: {found.verify_message.rstrip('.')}: {helps}"
    if not isinstance(found, ssl.SSLError):
        # Where the host is an address, urllib3 itself compares the names.
        return f"its certificate is not accepted: {found}: {_NAME}"
    reason = (found.reason or str(found)).replace("_", " ").lower()
    for words, helps in _HELPS_BY_REASON.items():
        if words in reason:
            return f"{reason}: {helps}"
    return reason


def _innermost(error: BaseException | None) -> BaseException | None:
    """The error that libraries have wrapped into theirs."""
    while error is not None:
        wrapped = [arg for arg in error.args if isinstance(arg, BaseException)]
        inner = wrapped[0] if wrapped else error.__cause__
        if inner is None:
            return error
        error = inner
    return error


_NAME = "write in url the name that the certificate was made for"
_HELPS = {
    10: "it has to be renewed, or the clock of this machine is wrong",
    9: "the clock of this machine is wrong, or it is for later",
    62: _NAME,
    64: _NAME,
}
"""By OpenSSL's number of the error (X509_V_ERR): expired, not yet valid, another name, another
address."""
_HELPS_BY_REASON = {
    "wrong version number": "there is no TLS: write http://, or another port",
    "record layer failure": "there is no TLS: write http://, or another port",
    "certificate required": "it wants to see a certificate: client_cert and client_key",
    "handshake failure": "it may want to see a certificate: client_cert and client_key",
    "eof occurred": "it hung up, and may want to see a certificate: client_cert and client_key",
    "unknown ca": "it does not trust the CA of client_cert",
    "certificate expired": "client_cert has to be renewed",
}
