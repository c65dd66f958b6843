"""Checks AMQP URLs and AMQP names; it opens no connection."""

from __future__ import annotations

import ast
from typing import Annotated
from urllib.parse import parse_qs

from pydantic import AfterValidator

from connectors.spec import OneOrMore
from connectors.url import Url, parse


def _amqp_url(text: str) -> Url:
    """Check for parts that pika misreads, or fails at only when it connects."""
    parts = parse(text, ("amqp", "amqps"))
    if parts.username is not None and parts.password is None:
        raise ValueError("the user has no password: write amqp://user:password@host/")
    if "/" in parts.path[1:]:
        raise ValueError("write a / in the name of the virtual host as %2F")
    query = parse_qs(parts.query, keep_blank_values=True)
    for name, values in query.items():
        if name not in _IN_QUERY:
            known = ", ".join(_IN_QUERY)
            raise ValueError(f"what follows the ? must be one of: {known}")
        if len(values) > 1:
            raise ValueError(f"{name} is given twice after the ?")
        if name in _NUMBERS_IN_QUERY and not values[0].isdecimal():
            raise ValueError(f"{name} after the ? must be a whole number")
        if name in _MAPPINGS_IN_QUERY and not _is_mapping(values[0]):
            raise ValueError(f"{name} after the ? must be a mapping: {{'name': 'value'}}")
    if int(query.get("heartbeat", ["1"])[0]) == 0:
        raise ValueError("heartbeat must not be 0: the job would never notice a dead connection")
    if "ssl_options" in query:
        _check_ssl_options(parts.scheme, ast.literal_eval(query["ssl_options"][0]))
    if query.get("auth_mechanism", ["plain"])[0] not in ("plain", "external"):
        raise ValueError("auth_mechanism after the ? must be plain or external")
    return Url(text)


def _check_ssl_options(scheme: str, options: dict[object, object]) -> None:
    if scheme != "amqps":
        raise ValueError("ssl_options need amqps://")
    if not all(name in _SSL_OPTIONS for name in options):
        # One of the others is `protocol`, with which pika would not verify the broker.
        raise ValueError(f"ssl_options may have: {', '.join(_SSL_OPTIONS)}")
    if not all(isinstance(value, str) for value in options.values()):
        raise ValueError("the values of ssl_options must be texts")
    if "keyfile" in options and "certfile" not in options:
        raise ValueError("ssl_options have a keyfile: name its certfile too")


def _is_mapping(text: str) -> bool:
    """Return whether pika, which reads the text with the same function, finds a mapping."""
    try:
        return isinstance(ast.literal_eval(text), dict)
    except (ValueError, SyntaxError):
        return False


def short(text: str) -> str:
    """Check the length of a name in AMQP.

    Raises:
        ValueError: it is too long.
    """
    if len(text.encode()) > 255:
        raise ValueError("must be at most 255 bytes long")
    return text


_NUMBERS_IN_QUERY = (
    "heartbeat",
    "frame_max",
    "socket_timeout",
    "stack_timeout",
    "blocked_connection_timeout",
)
_MAPPINGS_IN_QUERY = ("ssl_options", "tcp_options")
_IN_QUERY = (*_NUMBERS_IN_QUERY, *_MAPPINGS_IN_QUERY, "auth_mechanism")
"""Parameters of pika's `URLParameters`, without those for retries and channels, which the job
controls itself. `auth_mechanism` is RabbitMQ's own ("URI Query Parameters")."""

_SSL_OPTIONS = (
    *("cafile", "ca_certs", "capath", "ca_path", "cadata", "ca_data"),
    *("certfile", "keyfile", "password", "ciphers", "server_hostname"),
)
"""By the names that pika has for them."""

AmqpUrls = OneOrMore[Annotated[str, AfterValidator(_amqp_url)]]

ShortText = Annotated[str, AfterValidator(short)]
"""A name in AMQP: at most 255 bytes."""
