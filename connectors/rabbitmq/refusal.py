"""What a broker refuses for good, and what helps: to wait does not.

Pure. A remedy is found by the code of the error and by what was asked for; where the words of the
broker say that the state may pass, there is none, and the link tries again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Remedies = Mapping[int, str]
"""What helps, by the code with which the broker closes a channel."""

NO_ACCESS, NOT_FOUND, LOCKED, OTHERWISE, NOT_IMPLEMENTED = 403, 404, 405, 406, 540
NOT_ALLOWED = 530
PASSING = ("in exclusive use", "is down or inaccessible", "is reached", "timed out")
"""Words of refusals that end by themselves: another consumer is the only one for now, the node of
the queue is away, there are too many connections."""

_LOCKED = (
    "it belongs to the connection that made it (exclusive), and to no other: name another queue"
)
CONSUME: Remedies = {
    NO_ACCESS: "give this user the permission to read the queue source.rabbitmq.queue",
    NOT_FOUND: "make the queue, or let the job make it: source.rabbitmq.declare",
    LOCKED: f"{_LOCKED} in source.rabbitmq.queue",
    OTHERWISE: "correct source.rabbitmq.consume, or source.rabbitmq.prefetch",
    NOT_IMPLEMENTED: "correct source.rabbitmq.consume",
}
"""Of `basic.consume`."""
FIND: Remedies = {
    **CONSUME,
    NOT_FOUND: "make the queue, or let the job make it: source.rabbitmq.declare: {durable: true}",
}
"""Of a queue that must be there."""
DECLARE: Remedies = {
    NO_ACCESS: "give this user the permission to configure the queue, or set "
    "source.rabbitmq.declare to passive where it is there",
    NOT_FOUND: "correct source.rabbitmq.declare",
    LOCKED: f"{_LOCKED} in source.rabbitmq.queue",
    OTHERWISE: "it is there and is different: make source.rabbitmq.declare the same, or set it to "
    "passive to take the queue as it is",
    NOT_IMPLEMENTED: "correct source.rabbitmq.declare",
}
"""Of a queue that is made."""
BIND: Remedies = {
    NO_ACCESS: "give this user the permission to write to the queue and to read the exchange, or "
    "bind them without the job and leave out source.rabbitmq.declare.bind",
    NOT_FOUND: "make the exchange, or correct source.rabbitmq.declare.bind",
    OTHERWISE: "correct source.rabbitmq.declare.bind",
}
"""Of a binding of the queue."""
OFFSETS: Remedies = {
    NO_ACCESS: "give this user the permission to configure, write to and read the queue "
    "source.rabbitmq.offset_queue",
    LOCKED: f"{_LOCKED} in source.rabbitmq.offset_queue",
    OTHERWISE: "name another queue in source.rabbitmq.offset_queue",
}
"""Of the queue that keeps a stream's offset."""
DEAD_LETTER_EXCHANGE: Remedies = {
    NO_ACCESS: "give this user the permission to write to dead_letter.rabbitmq.exchange",
    NOT_FOUND: "make the exchange, or correct dead_letter.rabbitmq.exchange",
}
"""Of the exchange that messages are parked at."""
DEAD_LETTER_QUEUE: Remedies = {
    NO_ACCESS: "give this user the permission to configure the queue "
    "dead_letter.rabbitmq.routing_key, or make it",
    LOCKED: f"{_LOCKED} in dead_letter.rabbitmq.routing_key",
    OTHERWISE: "name another queue in dead_letter.rabbitmq.routing_key",
}
"""Of the queue that messages are parked in."""
_CONNECT: Remedies = {
    NO_ACCESS: "correct user and password in the URL",
    NOT_ALLOWED: "correct the virtual host at the end of the URL, or let this user use it",
}


def remedy(remedies: Remedies, code: int | None, text: str) -> str:
    """What helps against a channel's end; empty: it may pass."""
    if code is None or any(words in text for words in PASSING):
        return ""
    return remedies.get(code, "")


def remedy_of_connection(error: BaseException) -> str:
    """What helps against the end of a connection; empty: it may pass."""
    for one in causes(error):
        if type(one).__name__ in ("ProbableAuthenticationError", "AuthenticationError"):
            return _CONNECT[NO_ACCESS]
        if type(one).__name__ == "ConnectionClosedByBroker":
            return remedy(_CONNECT, reply_code(one), str(one))
    return ""


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error of pika, and those that it wraps."""
    yield error
    nested = [*getattr(error, "exceptions", ()), getattr(error, "exception", None), *error.args]
    for inner in nested:
        if isinstance(inner, BaseException):
            yield from causes(inner)


def reply_code(error: Any) -> int | None:
    """With what the broker closed a channel or a connection."""
    code = getattr(error, "reply_code", None)
    return code if isinstance(code, int) else None
