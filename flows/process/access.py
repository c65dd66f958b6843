"""Decides which HTTP requests the port of a process answers.

Pure.

Rule 1: a request for a foreign host is refused. Else a page on the Internet could read the answers
        through the browser of a person who can reach this port (DNS rebinding).
Rule 2: a request that changes something comes from this machine, or has the token of the spec.
Rule 3: it does not come from a page of another site in a browser: browsers name that in `Origin`.
Rule 4: a request for what messages contain has the token of the spec, also from this machine: all
        its users reach the port.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_own_host(host: str, names: Collection[str]) -> bool:
    """Return whether a `Host` header names this machine. Rule 1.

    An address does, since only names can be made to point here.
    """
    host = host.strip().lower()
    host = host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    host = host.removesuffix(".")
    if host in ("", "localhost") or host in {name.lower() for name in names}:
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def refusal_of_change(
    *, peer: str, host: str, origin: str | None, authorization: str | None, token: str | None
) -> str | None:
    """Return why a request must not change anything; `None`: it may. Rules 2 and 3.

    `peer`: address of the client; `host`, `origin` and `authorization`: headers of the request;
    `token`: of the spec.
    """
    if origin is not None and urlsplit(origin).netloc != host:
        return f"a page of {origin!r} must not change anything here"
    if _has_token(authorization, token):
        return None
    if ip_address(peer).is_loopback:
        return None
    if token is None:
        return "only this machine may change something, since the spec has no metrics.token"
    return "only this machine, or a request with metrics.token, may change something"


def refusal_of_contents(*, authorization: str | None, token: str | None) -> str | None:
    """Return why a request must not read what messages contain; `None`: it may. Rule 4."""
    if token is None:
        return (
            "what messages contain is shown only to a request with metrics.token, which the spec "
            "does not have: add metrics.token, and restart the job"
        )
    if _has_token(authorization, token):
        return None
    if authorization is not None:
        return "the request has another token than metrics.token of the spec that the job has read"
    return "what messages contain is shown only to a request with metrics.token"


def _has_token(authorization: str | None, token: str | None) -> bool:
    given = (authorization or "").removeprefix("Bearer ").encode()
    return token is not None and hmac.compare_digest(given, token.encode())
