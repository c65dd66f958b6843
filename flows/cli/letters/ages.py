"""Writes ages in short form.

Pure.
"""

from __future__ import annotations


def age_text(seconds: float | None) -> str:
    """Return an age as in `3d`, `2h`, `5m`, `10s`; `-` for an unknown one."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(max(0, seconds))}s"
