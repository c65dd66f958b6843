"""Finds the kind of a reason: its text without the values of the message.

Pure. The limit on rejections, the log and the metrics count by these kinds. A reason that quotes a
value of the message does it with `quoted`, at its end.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

MAX_KINDS = 50
"""The largest number of kinds: reasons may quote documents in ways that no rule recognises."""
OTHER = "other reasons"
"""The kind of all further reasons."""


def kind_of(reason: str, known: Container[str] = (), count: int = 0) -> str:
    """Return the kind of a reason, without quoted texts, numbers, ids and parts of documents.

    A kind that is not `known` is `OTHER` if `count`, the number of known kinds, is at its limit.
    """
    text = _PREVIEW.sub("", reason)
    text = _VARYING.sub("…", text)
    kind = _REPEATED.sub("…", text)[:_MAX_LENGTH].rstrip(" .,:;…[({") or "…"
    return kind if count < MAX_KINDS or kind in known else OTHER


def quoted(value: Any) -> str:
    """Return the text of a value for a reason: cut, and in a form that its kind leaves out."""
    if isinstance(value, (dict, list)):  # it may be nested deeper than repr() can go
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value!r:.{_MAX_QUOTED}}"


_PREVIEW = re.compile(r"\.? Preview of field's value: .*", re.DOTALL)
"""Elasticsearch quotes a value, unescaped, and appends the error of just that value."""

_VARYING = re.compile(
    r"""
      "(?:[^"\\]|\\.)*(?:"|$)               # a text, which a cut may have left open
    | (?<!\w)'.*?(?:'(?!\w)|$)              # the same; an apostrophe follows a letter
    | (?<=[ :]\[)[^\]]*(?=\]:[ ])            # [id]: before the error of that document
    | \b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b   # a UUID
    | \b(?=[a-z]*[0-9])[0-9a-f]{8,}\b       # a hash
    | [-+]?[0-9]+(?:[.,:][0-9]+)*(?:e[-+]?[0-9]+)?  # a number, a time, a version, a position
    """,
    re.VERBOSE | re.DOTALL,
)
_REPEATED = re.compile(r"…(?:[\s,:;.\[\](){}+-]*…)+")
_MAX_LENGTH = 200
"""The largest length of a kind, in characters."""
_MAX_QUOTED = 100
"""The largest length of a quoted value, in characters: a sender may write megabytes."""
