"""The models of what happens in a test: messages arrive, and faults."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from connectors.spec import Problem, Spec, instead_of
from connectors.units import Duration
from flows.testing.values import AnyValue, Number


def _base64(text: str) -> str:
    try:
        b64decode(text, validate=True)
    except Error:
        raise ValueError("must be base64") from None
    return text


class MessageProperties(Spec):
    """The envelope of a message, with AMQP's names."""

    elsewhere: ClassVar = instead_of(
        {"write headers beside properties": "headers", "write message_id": "id"}
    )

    exchange: str = ""
    """Exchange that the message was published to."""
    routing_key: str = ""
    """Routing key that it was published with."""
    message_id: str | None = None
    """Its own id."""
    correlation_id: str | None = None
    """Id that several messages share."""
    content_type: str | None = None
    """Format of its body, as application/json."""
    content_encoding: str | None = None
    """How its body is packed, as gzip."""
    timestamp: Annotated[int | None, Field(ge=0)] = None
    """When it was sent: seconds since 1970."""
    type: str | None = None
    """Type of the message."""
    app_id: str | None = None
    """Program that sent it."""
    user_id: str | None = None
    """User that sent it."""
    reply_to: str | None = None
    """Where an answer should go."""
    expiration: str | None = None
    """Milliseconds until it expires, as text."""
    priority: Annotated[int | None, Field(ge=0, le=255)] = None
    """Its priority."""
    delivery_mode: Annotated[int | None, Field(ge=1, le=2)] = None
    """2: it outlives a restart of the broker."""


OTHER_KEYS_OF_MESSAGES = {
    "write body": "message payload document",
    "write at": "time when after delay",
    "write properties": "envelope",
    "write properties: {message_id: …}": "id message_id",
}


class MessageSpec(Spec):
    """A message that arrives."""

    elsewhere: ClassVar = instead_of(OTHER_KEYS_OF_MESSAGES)

    at: Duration | None = None
    """When it happens, counted from the beginning of the test; omitted: at the time of the step
    before, the first one at 0."""
    body: AnyValue = None
    """Body of a message, which is sent as JSON."""
    text: str | None = None
    """Body of a message, as it is."""
    base64: Annotated[str, AfterValidator(_base64)] | None = None
    """Body of a message, in base64: for bytes that are no text."""
    properties: MessageProperties = MessageProperties()
    """Properties of the message."""
    headers: dict[str, AnyValue] | None = None
    """Headers of the message."""
    queue: str | None = None
    """Queue in which the message arrives; omitted: the first one of the source."""
    redelivered: bool = False
    """The broker says that it may have delivered the message before."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        bodies = self.model_fields_set & set(BODIES)
        if len(bodies) != 1:
            yield Problem((), f"needs exactly one of: {', '.join(BODIES)}")


BODIES = ("body", "text", "base64")
"""The keys that make a message, of which it has one."""


class InjectedAnswerSpec(Spec):
    """What Elasticsearch answers to the next request that has document number `item`."""

    elsewhere: ClassVar = instead_of(
        {"write status": "code http", "write item": "document position index"}
    )

    status: Annotated[int, Field(ge=400, le=599)]
    """Status of HTTP. For an item, 429 and 500 to 599 mean that its document is retried, others
    that it is refused. For a whole request, 400 and 413 mean that it is retried in halves."""
    item: Number | None = None
    """Which document of the request it is about, counted from 1; omitted: the whole request."""
    times: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many requests get this answer."""


class StepSpec(MessageSpec):
    """What happens: a message arrives, or a fault."""

    elsewhere: ClassVar = instead_of(
        {
            **OTHER_KEYS_OF_MESSAGES,
            "write answer: {status: 429}": "status error respond response",
            "write down: 10s": "outage unavailable",
            "write crash: 0s": "kill killed",
            "write lose_connection: true": "lost cut disconnect",
            "write stop: 0s": "drain sigterm restart",
            "write complete: true": "flush signal sigusr1",
        }
    )

    answer: InjectedAnswerSpec | None = None
    """What Elasticsearch answers."""
    down: Duration | None = None
    """Elasticsearch answers nothing for so long."""
    lose_connection: bool = False
    """The connection to RabbitMQ breaks, and the job reconnects at once; the broker redelivers what
    was not acknowledged."""
    crash: Duration | None = None
    """The process ends, as by `kill -9`; another one starts after this time."""
    stop: Duration | None = None
    """The process drains, as by SIGTERM; another one starts after this time, but not before the
    first one has ended."""
    complete: bool = False
    """All open groups are completed, as by SIGUSR1."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        does = self.model_fields_set & set(ACTIONS)
        if len(does) != 1:
            yield Problem((), f"needs exactly one of: {', '.join(ACTIONS)}")
        elif not does & set(BODIES):
            for name in self.model_fields_set & {"properties", "headers", "queue", "redelivered"}:
                yield Problem((name,), f"belongs to a message, which has {' or '.join(BODIES)}")


ACTIONS = (*BODIES, "answer", "down", "lose_connection", "crash", "stop", "complete")
"""The keys that make a step, of which it has one."""
