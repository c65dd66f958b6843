"""What pika needs to connect to a URL: it reads the URL, but TLS and who we are, we read ourselves.

Servers are always verified: pika would let a URL choose a protocol that does not, and it trusts
no CA where a URL names a client certificate and no CA file. Nothing of a URL is quoted in an error.
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
        OSError: a certificate, a key or a list of CAs cannot be read, or is none.

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
    except OSError as error:  # which does not say the name of the file
        what = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise OSError(f"ssl_options: a certificate, a key or a CA cannot be read: {what}") from None


def _context(options: Mapping[str, Any]) -> ssl.SSLContext:
    """Trust these CAs, else those of the system; show this certificate, if there is one."""
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
    """What is wrong with TLS, in one line, and what helps."""
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
    10: "it must be renewed, or the clock of this machine is wrong",
    9: "the clock of this machine is wrong, or it is to be used later",
    62: "the URL must name the broker as its certificate does, "
    "or ?ssl_options={'server_hostname':'name'} says what to expect",
    64: "the URL must name the broker as its certificate does, "
    "or ?ssl_options={'server_hostname':'name'} says what to expect",
}
"""By OpenSSL's number of the error (X509_V_ERR): expired, not yet valid, another name, another
address."""
_HELPS_BY_REASON = {
    "wrong version number": "this port does not speak TLS: write amqp://, or another port",
    "certificate required": "the broker wants to see a certificate of ours: "
    "?ssl_options={'certfile':'/path/client.pem','keyfile':'/path/client.key'}",
    "unknown ca": "the broker does not trust the CA of our certificate (certfile)",
    "certificate expired": "the broker says so of our certificate (certfile)",
}
