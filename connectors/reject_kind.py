"""Which kind of reason a rejection has: what is left of its text without what is the message's own.

Pure. The limit on rejections, the log and the metrics count by these kinds, and by no others.
"""

from __future__ import annotations

import re
from collections.abc import Container

MAX_KINDS = 50
"""Kinds that are told apart at a time. Reasons quote documents in ways that no rule foresees."""
OTHER = "other reasons"
"""The kind of all reasons beyond these."""


def kind_of(reason: str, known: Container[str] = (), count: int = 0) -> str:
    """The kind of a reason; `OTHER` for a new one where `count` kinds are `known`, or more.

    Quoted texts, numbers and ids are taken out, and what Elasticsearch shows of the document.
    """
    text = _PREVIEW.sub("", reason)
    text = _VARYING.sub("…", text)
    kind = _REPEATED.sub("…", text)[:_MAX_LENGTH].rstrip(" .,:;…[({") or "…"
    return kind if count < MAX_KINDS or kind in known else OTHER


_PREVIEW = re.compile(r"\.? Preview of field's value: .*", re.DOTALL)
"""Elasticsearch shows a value, unescaped, and behind it what is wrong with just that value."""

_VARYING = re.compile(
    r"""
      "(?:[^"\\]|\\.)*(?:"|$)               # a text, which a cut may have left open
    | (?<!\w)'.*?(?:'(?!\w)|$)              # likewise; an apostrophe stands behind a letter
    | (?<=[ :]\[)[^\]]*(?=\]:[ ])            # [id]: before what is wrong with that document
    | \b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b   # a UUID
    | \b(?=[a-z]*[0-9])[0-9a-f]{8,}\b       # a hash
    | [-+]?[0-9]+(?:[.,:][0-9]+)*           # a number, a time, a version, a position
    """,
    re.VERBOSE | re.DOTALL,
)
_REPEATED = re.compile(r"…(?:[\s,:;.\[\](){}+-]*…)+")
_MAX_LENGTH = 200
"""Characters that are compared and shown."""
