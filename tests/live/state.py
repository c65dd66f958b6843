"""What the state of a job has, while it runs or not."""

from __future__ import annotations

from pathlib import Path

from connectors.errors import Unavailable
from flows.state.inspect import inspect


def kept(path: Path) -> int:
    """The number of messages that the open groups of a state count."""
    try:
        return sum(shard.messages for shard in inspect(path).shards)
    except Unavailable:
        return 0  # the job has not made it yet
