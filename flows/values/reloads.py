"""Counts what became of changes of the spec. The process keeps it when it starts anew.

Pure.
"""

from __future__ import annotations

import msgspec


class Reloads(msgspec.Struct):
    """The reloads of a process, and what it must remember when it starts anew."""

    reloaded: int = 0
    """How often the process has started anew with a changed spec."""
    refused: int = 0
    """How often a changed spec had problems, so that the old one stayed in force."""
    at: float | None = None
    """When the last of both was, in seconds since 1970; `None`: never."""
    problems: list[str] = []
    """Of the changed spec, each with place and remedy; empty: the spec of the file is in force."""
    paused: bool = False
    """Whether the process was paused when it started anew."""

    def refuse(self, problems: list[str], at: float) -> None:
        """Note that a changed spec has problems."""
        self.refused, self.problems, self.at = self.refused + 1, problems, at

    def carried(self, at: float, *, paused: bool) -> str:
        """Return, for the process that starts anew, a text with one reload more."""
        renewed = Reloads(self.reloaded + 1, self.refused, at, [], paused)
        return msgspec.json.encode(renewed).decode()


def from_carried(text: str | None) -> Reloads:
    """Return what `carried` has made; `None`: the process has not started anew."""
    return msgspec.json.decode(text, type=Reloads) if text else Reloads()
