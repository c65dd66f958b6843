"""The remedies for requests that a broker refuses for good, where waiting does not help.

Pure. A remedy is found by the request and the reply code. If the broker's text says that the state
is temporary, there is no remedy, and the link retries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Remedies = Mapping[int, str]
"""Remedies by the reply code with which the broker closes a channel."""

ACCESS_REFUSED, NOT_FOUND, RESOURCE_LOCKED, PRECONDITION_FAILED, NOT_IMPLEMENTED = (
    403,
    404,
    405,
    406,
    540,
)
NOT_ALLOWED = 530
TEMPORARY = ("in exclusive use", "is down or inaccessible", "is reached", "timed out")
"""Texts of temporary refusals: another consumer is exclusive, the node of the queue is down, there
are too many connections."""

NO_QUEUE = "NOT_FOUND - no queue"
"""RabbitMQ's text about a queue that does not exist."""

_EXCLUSIVE = "the queue is exclusive to the connection that declared it: name another queue"
CONSUME: Remedies = {
    ACCESS_REFUSED: "give this user the permission to read the queue source.rabbitmq.queue",
    NOT_FOUND: "create the queue, or let the job declare it: source.rabbitmq.declare",
    RESOURCE_LOCKED: f"{_EXCLUSIVE} in source.rabbitmq.queue",
    PRECONDITION_FAILED: "correct source.rabbitmq.consume, or source.rabbitmq.prefetch",
    NOT_IMPLEMENTED: "correct source.rabbitmq.consume",
}
"""For `basic.consume`."""
PASSIVE_DECLARE: Remedies = {
    **CONSUME,
    NOT_FOUND: "create the queue, or let the job declare it: "
    "source.rabbitmq.declare: {durable: true}",
}
"""For a queue that must exist."""
DECLARE: Remedies = {
    ACCESS_REFUSED: "give this user the permission to configure the queue, or set "
    "source.rabbitmq.declare to passive if the queue exists",
    NOT_FOUND: "correct source.rabbitmq.declare",
    RESOURCE_LOCKED: f"{_EXCLUSIVE} in source.rabbitmq.queue",
    PRECONDITION_FAILED: "the queue exists with other properties: write the same in "
    "source.rabbitmq.declare, or set it to passive to use the queue unchanged",
    NOT_IMPLEMENTED: "correct source.rabbitmq.declare",
}
"""For the declaration of a queue."""
BIND: Remedies = {
    ACCESS_REFUSED: "give this user the permission to write to the queue and to read the "
    "exchange, or bind them yourself and leave out source.rabbitmq.declare.bind",
    NOT_FOUND: "create the exchange, or correct source.rabbitmq.declare.bind",
    PRECONDITION_FAILED: "correct source.rabbitmq.declare.bind",
}
"""For a binding of the queue."""
OFFSETS: Remedies = {
    ACCESS_REFUSED: "give this user the permission to configure, write to and read the queue "
    "source.rabbitmq.offset_queue",
    RESOURCE_LOCKED: f"{_EXCLUSIVE} in source.rabbitmq.offset_queue",
    PRECONDITION_FAILED: "name another queue in source.rabbitmq.offset_queue",
}
"""For the queue that keeps a stream's offset."""
DEAD_LETTER_EXCHANGE: Remedies = {
    ACCESS_REFUSED: "give this user the permission to write to dead_letter.rabbitmq.exchange",
    NOT_FOUND: "create the exchange, or correct dead_letter.rabbitmq.exchange",
}
"""For the exchange that the job publishes dead letters to."""
DEAD_LETTER_QUEUE: Remedies = {
    ACCESS_REFUSED: "give this user the permission to configure the queue "
    "dead_letter.rabbitmq.routing_key, or create the queue",
    RESOURCE_LOCKED: f"{_EXCLUSIVE} in dead_letter.rabbitmq.routing_key",
    PRECONDITION_FAILED: "name another queue in dead_letter.rabbitmq.routing_key",
}
"""For the queue that messages are parked in."""
PUBLISH: Remedies = {
    ACCESS_REFUSED: "give this user the permission to write to the default exchange (amq.default)",
}
"""For a dead letter that is published to a queue."""
BROWSE: Remedies = {
    ACCESS_REFUSED: "give this user the permission to read the queue of dead letters",
    NOT_FOUND: "the job declares the queue of dead_letter at its start; --queue names another one",
    RESOURCE_LOCKED: "the queue of dead letters is exclusive to another connection",
}
"""For a look at a queue of dead letters."""
REPLAY: Remedies = {
    ACCESS_REFUSED: "give this user the permission to write to the exchange",
    NOT_FOUND: "create the exchange, or replay straight to the queue: --to-queue",
}
"""For a dead letter that is published again."""
_CONNECT: Remedies = {
    ACCESS_REFUSED: "correct user and password in the URL",
    NOT_ALLOWED: "correct the virtual host at the end of the URL, or give this user access to it",
}


def remedy(remedies: Remedies, code: int | None, text: str) -> str:
    """Return the remedy when the broker has closed a channel; empty: the state is temporary."""
    if code is None or any(words in text for words in TEMPORARY):
        return ""
    return remedies.get(code, "")


def remedy_of_connection(error: BaseException) -> str:
    """Return the remedy when the broker refuses a connection; empty: the state is temporary."""
    for one in causes(error):
        if type(one).__name__ in ("ProbableAuthenticationError", "AuthenticationError"):
            return _CONNECT[ACCESS_REFUSED]
        if type(one).__name__ == "ConnectionClosedByBroker":
            return remedy(_CONNECT, reply_code(one), str(one))
        # Pika passes on the text only: of a refused virtual host, or of a connection that is lost.
        if type(one).__name__ == "ProbableAccessDeniedError" and f"({NOT_ALLOWED})" in str(one):
            return remedy(_CONNECT, NOT_ALLOWED, str(one))
    return ""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error of pika, and the errors that it wraps."""
    yield error
    nested = [*getattr(error, "exceptions", ()), getattr(error, "exception", None), *error.args]
    for inner in nested:
        if isinstance(inner, BaseException):
            yield from causes(inner)


def reply_code(error: Any) -> int | None:
    """Return the code with which the broker closed a channel or a connection."""
    code = getattr(error, "reply_code", None)
    return code if isinstance(code, int) else None
