"""A stub for the counts that a consumer keeps of its messages."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.message import ConsumerCounts


@dataclass
class SettlingStub:
    """Returns the counts that a test sets."""

    awaiting_outcome: int = 0
    counts: ConsumerCounts = field(default_factory=ConsumerCounts)
