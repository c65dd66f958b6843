"""What an AMQP URL and the names in AMQP may look like; opens no connection."""

from __future__ import annotations

import ast
from typing import Annotated
from urllib.parse import parse_qs

from pydantic import AfterValidator

from connectors.spec import OneOrMore
from connectors.url import Url, parse


def _amqp_url(text: str) -> Url:
    """Check what pika would misread, or fail on only when it connects."""
    parts = parse(text, ("amqp", "amqps"))
    if parts.username is not None and parts.password is None:
        raise ValueError("the user has no password: write amqp://user:password@host/")
    if "/" in parts.path[1:]:
        raise ValueError("a / in the name of the virtual host is written %2F")
    query = parse_qs(parts.query, keep_blank_values=True)
    for name, values in query.items():
        if name not in _IN_QUERY:
            known = ", ".join(_IN_QUERY)
            raise ValueError(f"what follows the ? must be one of: {known}")
        if len(values) > 1:
            raise ValueError(f"{name} stands twice after the ?")
        if name in _NUMBERS_IN_QUERY and not values[0].isdecimal():
            raise ValueError(f"{name} after the ? must be a whole number")
        if name in _MAPPINGS_IN_QUERY and not _is_mapping(values[0]):
            raise ValueError(f"{name} after the ? must be as in Python: {{'name': 'value'}}")
    if int(query.get("heartbeat", ["1"])[0]) == 0:
        raise ValueError("without a heartbeat, a connection that has died is never noticed")
    if "ssl_options" in query:
        _check_ssl_options(parts.scheme, ast.literal_eval(query["ssl_options"][0]))
    if query.get("auth_mechanism", ["plain"])[0] not in ("plain", "external"):
        raise ValueError("auth_mechanism after the ? must be plain or external")
    return Url(text)


def _check_ssl_options(scheme: str, options: dict[object, object]) -> None:
    if scheme != "amqps":
        raise ValueError("ssl_options need amqps://")
    if not all(name in _SSL_OPTIONS for name in options):
        # Among the others is `protocol`, with which pika would not verify the broker.
        raise ValueError(f"ssl_options may have: {', '.join(_SSL_OPTIONS)}")
    if not all(isinstance(value, str) for value in options.values()):
        raise ValueError("ssl_options are texts")
    if "keyfile" in options and "certfile" not in options:
        raise ValueError("ssl_options have a keyfile, and no certfile that it belongs to")


def _is_mapping(text: str) -> bool:
    """Tell whether pika, which reads it with the same function, finds a mapping."""
    try:
        return isinstance(ast.literal_eval(text), dict)
    except (ValueError, SyntaxError):
        return False


def _short(text: str) -> str:
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
"""Parameters of pika's `URLParameters`, but for those that would repeat what the job does itself:
it makes its own attempts to connect, and uses two channels. `auth_mechanism` is RabbitMQ's own
("URI Query Parameters")."""

_SSL_OPTIONS = (
    *("cafile", "ca_certs", "capath", "ca_path", "cadata", "ca_data"),
    *("certfile", "keyfile", "password", "ciphers", "server_hostname"),
)
"""Under the names that pika knows them by."""

AmqpUrls = OneOrMore[Annotated[str, AfterValidator(_amqp_url)]]

ShortText = Annotated[str, AfterValidator(_short)]
"""AMQP carries names in at most 255 bytes."""
