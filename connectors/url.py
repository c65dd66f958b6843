"""Checks the URLs of services, and prints them without their password.

It connects to nothing, and knows no service: the allowed schemes are an argument.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit


class Url(str):
    """A URL that is used like any text, but whose printed form hides its secrets.

    Slicing, joining and parsing see the whole URL; `str()`, `repr()`, formatting and logging see
    `amqp://guest:***@host/`.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return without_password(self)

    def __repr__(self) -> str:
        return repr(without_password(self))

    def __format__(self, format_spec: str) -> str:
        return format(without_password(self), format_spec)


def without_password(url: str) -> str:
    """Return a URL for display: with `***` for the password, and for everything after a `?`.

    The text need not be a valid URL: every part that could be a password is hidden.
    """
    # str.__str__ would return the same object, whose own formatting calls this function again.
    plain = "".join(url)
    shown = _PASSWORD.sub(r"\1***@", plain)
    return _QUERY.sub("?***", shown)


def parse(url: str, schemes: Collection[str]) -> SplitResult:
    """Split a URL into its parts.

    Raises:
        ValueError: it is not a URL of these schemes with a host; the text does not quote it,
            because an invalid URL may have its password in any part.
    """
    if any(character <= " " for character in url):
        raise ValueError("must be a URL, without spaces")
    try:
        parts = urlsplit("".join(url))
    except ValueError:
        raise ValueError(f"must be a URL; {_ESCAPE}") from None
    if parts.scheme not in schemes or not url.lower().startswith(f"{parts.scheme}://"):
        hint = "; a variable is written ${NAME}" if url.startswith("$") else ""
        raise ValueError(f"must start with {' or '.join(f'{s}://' for s in schemes)}{hint}")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"the port is not a number from 1 to 65535; {_ESCAPE}")
    if cut := _CUT.match(url):
        raise ValueError(f"the {cut[1] or cut[2]} ends the host, but an @ follows it; {_ESCAPE}")
    if not parts.hostname:
        raise ValueError(f"the host is missing; {_ESCAPE}")
    if parts.fragment or url.endswith("#"):
        raise ValueError(f"nothing may follow a #; {_ESCAPE}")
    return parts


_PASSWORD = re.compile(r"(//[^:@/]*:).*@", re.DOTALL)
_QUERY = re.compile(r"\?.*", re.DOTALL)
_CUT = re.compile(r"[^/]*//[^@/?#]*(?:(/)[^@?#]*|(?<!/)(\?)[^@]*)@")
"""A password with a / or a ? in it: the text before that looks like host and port."""
_ESCAPE = "in a name or password, write / ? # @ : % as %2F %3F %23 %40 %3A %25"
