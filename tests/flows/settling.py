"""What a consumer would count of its messages, where a test has none."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.message import ConsumerCounts


@dataclass
class SettlingStub:
    """Says of a consumer's messages what a test tells it to say."""

    awaiting_outcome: int = 0
    counts: ConsumerCounts = field(default_factory=ConsumerCounts)
