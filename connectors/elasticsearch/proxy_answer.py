"""Describes an answer that is not from Elasticsearch: from a proxy, a firewall, a page to log in.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from connectors.url import without_password

REDIRECTS = (301, 302, 303, 307, 308)

MAX_WORDS_LENGTH = 200
"""Characters of a page that are quoted: its title and its first sentences."""

MAX_REASON_LENGTH = 1000
"""Characters. A reason may quote the document; it travels in a header of the parked message."""


def describe(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Return one printable line: what the answer is, and for a redirect what helps.

    The status itself is not in it, unless it says more than a refusal: it stands before a reason.
    `headers`: their names in lower case.
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
    return one_line(f"no answer of Elasticsearch ({said})")


def one_line(text: str) -> str:
    """Quote a text from anywhere: one line, cut, and nothing in it but what can be printed."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_REASON_LENGTH else line[:MAX_REASON_LENGTH] + "…"


def _first_words(body: bytes) -> str:
    text = body[:_LOOKED_AT].decode(errors="replace")
    if text.lstrip().startswith("<"):
        text = _TAG.sub(" ", _UNSEEN.sub(" ", text)) if _TAG.sub("", text).strip() else text
    line = one_line(text)
    return line if len(line) <= MAX_WORDS_LENGTH else line[:MAX_WORDS_LENGTH] + "…"


_LOOKED_AT = 10_000
"""Bytes: a page has its style before its words."""
_UNSEEN = re.compile(r"<(style|script)\b.*?(</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>?")
