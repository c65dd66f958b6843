"""Describes an answer of a proxy, a firewall or a login page instead of Elasticsearch. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from connectors.url import without_password

REDIRECTS = (301, 302, 303, 307, 308)

MAX_WORDS_LENGTH = 200
"""Characters to quote from a page: its title and its first sentences."""

MAX_REASON_LENGTH = 1000
"""Characters. A reason may quote the document; it travels in a header of the parked message."""


def describe(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Return one printable line about the answer, for a redirect with the remedy.

    The line has no status: callers write it in front. `headers`: names in lower case.
    """
    location = headers.get("location")
    if status in REDIRECTS and location:
        return one_line(
            f"a redirect to {without_password(location)}: "
            "write that address in sink.elasticsearch.url"
        )
    kind = headers.get("content-type") or "no content type"
    words = _first_words(body)
    said = f"{kind}: {words}" if words else f"{kind}, no content"
    return one_line(f"not an answer of Elasticsearch ({said})")


def one_line(text: str) -> str:
    """Quote an untrusted text: as one line of limited length, with printable characters only."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_REASON_LENGTH else line[:MAX_REASON_LENGTH] + "…"


def _first_words(body: bytes) -> str:
    text = body[:_LOOKED_AT].decode(errors="replace")
    if text.lstrip().startswith("<"):
        text = _TAG.sub(" ", _UNSEEN.sub(" ", text)) if _TAG.sub("", text).strip() else text
    line = one_line(text)
    return line if len(line) <= MAX_WORDS_LENGTH else line[:MAX_WORDS_LENGTH] + "…"


_LOOKED_AT = 10_000
"""Bytes: a page has its style sheet before its text."""
_UNSEEN = re.compile(r"<(style|script)\b.*?(</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>?")
