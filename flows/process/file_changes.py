"""Decides when a changed file is read again, and when a process may start anew with it.

Pure: `reload.py` reads the file, and calls with the fingerprint of its content. A fingerprint also
notices a symbolic link that leads to another file, as a mounted ConfigMap changes.

Rule 1: a change counts when two looks in succession see the same content: a file may be half
        written, or absent for a moment.
Rule 2: each content is judged once; a return to the content that the process runs is no change.
Rule 3: a process of a cluster waits until its file has changed as the file of the process that
        asks for the reload: a mounted file changes on some machines later than on others.
"""

from __future__ import annotations

import hashlib

from connectors.message import Reload


def fingerprint(content: bytes) -> str:
    """Return a short text that differs for different contents."""
    return hashlib.sha256(content).hexdigest()[:12]


class FileChanges:
    """The looks at one file."""

    def __init__(self, running: str) -> None:
        """`running`: the fingerprint of the content that the process runs."""
        self.running = running
        self._judged = running
        self._seen: str | None = running

    def look(self, seen: str | None) -> bool:
        """Return whether there is a new content to judge. Rules 1 and 2.

        `seen`: its fingerprint; `None`: the file cannot be read.
        """
        before, self._seen = self._seen, seen
        if seen is None or seen != before or seen == self._judged:
            return False
        self.judge(seen)
        return seen != self.running

    def judge(self, seen: str) -> None:
        """Note that this content is judged: another look need not do so."""
        self._judged = seen


def is_behind(seen: str | None, reload: Reload) -> bool:
    """Return whether a file has still the old content of a reload. Rule 3."""
    return seen == reload.old != reload.new
