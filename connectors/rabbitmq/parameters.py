"""Translates a URL into pika's connection parameters; TLS and credentials are read here.

Certificates of servers are always verified. pika would let the URL choose a protocol without
verification, and trusts no CA if the URL names a client certificate but no CA file. No error quotes
a part of the URL.
"""

from __future__ import annotations

import ast
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pika
from pika.credentials import ExternalCredentials


def parameters(url: str) -> pika.URLParameters:
    """Read a URL that `address.py` has accepted.

    Raises:
        OSError: a file with a certificate, a key or CAs cannot be read or is invalid.

    """
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    options, mechanism = query.pop("ssl_options", "{}"), query.pop("auth_mechanism", "plain")
    rest = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    read = pika.URLParameters(parts._replace(query=rest).geturl())
    if parts.scheme == "amqps":
        read.ssl_options = _ssl_options(ast.literal_eval(options))
    if mechanism == "external":
        read.credentials = ExternalCredentials()
    return read


def _ssl_options(options: Mapping[str, Any]) -> pika.SSLOptions:
    try:
        return pika.SSLOptions(_context(options), options.get("server_hostname"))
    except OSError as error:  # it does not name the file
        what = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise OSError(f"ssl_options: a certificate, a key or a CA cannot be read: {what}") from None


def _context(options: Mapping[str, Any]) -> ssl.SSLContext:
    """Trust these CAs, else those of the system; send this client certificate, if there is one."""
    context = ssl.create_default_context(
        cafile=options.get("cafile") or options.get("ca_certs"),
        capath=options.get("capath") or options.get("ca_path"),
        cadata=options.get("cadata") or options.get("ca_data"),
    )
    if "certfile" in options:
        context.load_cert_chain(
            options["certfile"], options.get("keyfile"), options.get("password")
        )
    if "ciphers" in options:
        context.set_ciphers(options["ciphers"])
    return context


def advice(error: ssl.SSLError) -> str:
    """Describe an error of TLS and its remedy, in one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        helps = _HELPS.get(error.verify_code, _HELPS_TO_TRUST)
        return f"the broker's certificate is not accepted: {error.verify_message}; {helps}"
    reason = (error.reason or str(error)).replace("_", " ").lower()
    for words, helps in _HELPS_BY_REASON.items():
        if words in reason:
            return f"TLS: {reason}; {helps}"
    return f"TLS: {reason}"


_HELPS_TO_TRUST = (
    "if it is the right broker, name the CA that signed it: ?ssl_options={'cafile':'/path/ca.pem'}"
)
_HELPS = {
    10: "renew it, or correct the clock of this machine",
    9: "correct the clock of this machine, or use it later",
    62: "write in the URL the name that the certificate has, "
    "or name it in ?ssl_options={'server_hostname':'name'}",
    64: "write in the URL the name that the certificate has, "
    "or name it in ?ssl_options={'server_hostname':'name'}",
}
"""By OpenSSL's number of the error (X509_V_ERR): expired, not yet valid, another name, another
address."""
_HELPS_BY_REASON = {
    "wrong version number": "this port does not speak TLS: write amqp://, or another port",
    "certificate required": "the broker requires a client certificate: "
    "?ssl_options={'certfile':'/path/client.pem','keyfile':'/path/client.key'}",
    "unknown ca": "the broker does not trust the CA of the client certificate (certfile)",
    "certificate expired": "the client certificate (certfile) has expired: renew it",
}
