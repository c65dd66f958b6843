"""Reads commands: messages with the header `x-hopper: complete`, which have no data.

Pure. A command is acknowledged when it is passed on, because it has no data that could be lost.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.message import Properties, Rejection
from flows.messages.keys import canonical
from flows.values.group import ABSENT, FlushRequest
from flows.values.paths import as_json

COMMAND, KEY = "x-hopper", "x-hopper-key"
"""Headers: the command, and the key of its group; `*`: all groups."""


class Command(NamedTuple):
    """A request to complete groups."""

    force: FlushRequest
    everywhere: bool
    """Every shard obeys, not only the shard of the key or of the consumer."""


def is_command(properties: Properties) -> bool:
    """Return whether a message is a command; it may still be an invalid one."""
    return properties.headers is not None and COMMAND in properties.headers


def read_command(properties: Properties, own_key: object, *, keyed: bool) -> Command | Rejection:
    """Read a command; `own_key`: the key of the message, `ABSENT` if it has none."""
    headers = properties.headers or {}
    if headers.get(COMMAND) != "complete":
        return Rejection(f"unknown_command: the only value of the header {COMMAND} is `complete`")
    key = headers.get(KEY, ABSENT)
    if key == "*":
        return Command(FlushRequest(), everywhere=True)
    if not keyed:
        if key is not ABSENT:
            return Rejection(f"unknown_key: there is no `by`, so {KEY} can only be *")
        return Command(FlushRequest(), everywhere=False)
    found = own_key if key is ABSENT else canonical(as_json(key))
    if not isinstance(found, str):
        return Rejection(f"missing_key: neither the header {KEY} nor the fields of `by` have a key")
    return Command(FlushRequest(found), everywhere=False)
