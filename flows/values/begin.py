"""The values by which a job with state begins: no message is read before all of it is there.

Each worker sends `Begin` to each shard. A shard with a `Begin` of each worker finds its state, or
ends the process. It sends `Begun` to its `write` step, which sends `Ready` to each consumer. A
consumer with a `Ready` of each shard starts. Like the other values, these cross between processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class FolderView(NamedTuple):
    """What a process finds in its folder of the state when it starts."""

    process: int
    """Position of the process in the cluster."""
    place: str
    """The path of the folder, and the process that has it."""
    token: str
    """A text that no other folder has; a copy of the folder has it too."""
    nonce: str
    """A text that the process wrote into its lock, to tell the folder from its copies."""
    folders: Mapping[str, str]
    """All folders of the state when its first shard began in this one: places by token. Empty: the
    folder is new."""
    made: frozenset[str]
    """Shards whose files were made in this folder."""
    present: frozenset[str]
    """Shards whose files are there."""


class Begin(NamedTuple):
    """From a worker to a shard: the folder of its process."""

    shard: str
    worker: int
    workers: int
    """Number of all workers of the cluster."""
    folder: FolderView
    turn: int = 0
    """Position of the shard among all shards, which make their commits one after the other."""


class Begun(NamedTuple):
    """From a shard to its `write` step: the shard has its state."""

    shard: str


class Ready(NamedTuple):
    """From the `write` step of a shard to a consumer: the shard takes messages."""

    consumer: str
    shard: str
