"""Messages that are no data, but tell the job what to do: `x-hopper: complete`.

Pure. A command is acknowledged when it is passed on: it holds nothing that could be lost.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.message import Properties, Rejection
from flows.messages.keys import canonical
from flows.values.group import ABSENT, FlushRequest
from flows.values.paths import as_json

COMMAND, KEY = "x-hopper", "x-hopper-key"
"""Headers: what to do, and with which group; `*`: with all of them."""


class Command(NamedTuple):
    """What a message tells to do."""

    force: FlushRequest
    everywhere: bool
    """Every shard obeys, not only the one of the key, or of the consumer."""


def is_command(properties: Properties) -> bool:
    """Whether it is one; what it says may be wrong yet."""
    return properties.headers is not None and COMMAND in properties.headers


def read_command(properties: Properties, own_key: object, *, keyed: bool) -> Command | Rejection:
    """What a command says; `own_key` is the key of the message, `ABSENT` if it has none."""
    headers = properties.headers or {}
    if headers.get(COMMAND) != "complete":
        return Rejection(f"unknown_command: the header {COMMAND} is not complete")
    key = headers.get(KEY, ABSENT)
    if key == "*":
        return Command(FlushRequest(), everywhere=True)
    if not keyed:
        if key is not ABSENT:
            return Rejection(f"unknown_key: there is no `by`, so {KEY} can only be *")
        return Command(FlushRequest(), everywhere=False)
    found = own_key if key is ABSENT else canonical(as_json(key))
    if not isinstance(found, str):
        return Rejection(f"missing_key: neither {KEY} nor what `by` names tells a group")
    return Command(FlushRequest(found), everywhere=False)
