"""What a changed key does to what is open, in words that rules and their readers share. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from flows.spec import Pipeline

About = Literal["restart", "groups", "documents", "order", "source", "dead letters", "setup"]
"""What a change is about; `restart`: it needs a restart, and nothing else."""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of open groups, documents and messages when one key changes."""

    about: About
    text: str
    """What happens, and what to do about it."""
    together: bool = True
    """Old and new version may run at the same time, as in a rolling update."""
    requeues: bool = False
    """The old version must requeue its open groups when it stops."""
    flushes: bool = False
    """What the state has must be written and discarded, before the new version starts."""

    @property
    def needs_attention(self) -> bool:
        """More than a restart is needed."""
        return self.about != "restart"


Rule = Callable[[Pipeline, Pipeline], Effect]
"""(old, new) -> what the change of a key means."""

RESTART = Effect(
    about="restart", text="counts after the restart; documents and their _ids stay the same"
)
"""Of keys that change how the job works, and not what it writes."""
