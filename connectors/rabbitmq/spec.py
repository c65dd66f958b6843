"""What `pipeline.yaml` says about RabbitMQ: the queue to consume, and where messages are parked.

It connects to nothing; what only the broker can know is asked when the job starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Annotated, Any, ClassVar

from pydantic import Field

from connectors.rabbitmq.declaration import OFFSET, Consume, Declaration, Declare
from connectors.rabbitmq.other_keys import OTHER_KEYS
from connectors.rabbitmq.url import AmqpUrls, ShortText
from connectors.spec import (
    DEFAULT_PREFETCH,
    MAX_MESSAGE,
    Consumers,
    Format,
    Indices,
    MaxMessage,
    Prefetch,
    Problem,
    Spec,
)
from connectors.units import Duration


class RabbitMQSource(Spec):
    """A queue to consume."""

    elsewhere: ClassVar = OTHER_KEYS

    url: AmqpUrls
    """`amqp://user:password@host:5672/virtual-host`, or `amqps://`, or a list for a cluster.
    After a lost connection the next one of the list is tried."""
    queue: Annotated[ShortText, Field(min_length=1)]
    """Name of the queue."""
    consumers: Consumers = "auto"
    """How many consumers share the queue; `auto`: one for each Bytewax worker.
    More consumers on one classic queue do not make it faster."""
    prefetch: Prefetch = DEFAULT_PREFETCH
    """Messages that one consumer may hold unacknowledged: the bound on memory. Enough is what
    arrives while a window fills and is written. Omitted: a consumer may hold more, up to 65,535 or
    256 MiB, where open groups hold all of it, and only more messages could complete them."""
    declare: Declaration | None = None
    """How to make the queue; `passive` or omitted: it must exist."""
    consume: Consume = Consume()
    """How the broker is asked for messages."""
    offset_queue: ShortText | None = None
    """For a stream: name of the queue in which the job keeps its offset; it is made if it does not
    exist. Omitted: that of the stream with `.offset` behind it. Two jobs need two of them."""
    consumer_timeout: Annotated[Duration, Field(gt=0)] = Field(
        default_factory=lambda given: _consumer_timeout(given.get("declare"), given.get("consume"))
    )
    """How long the broker waits for an acknowledgement before it closes the channel; the job hands
    everything back a little earlier. Omitted: `x-consumer-timeout` (milliseconds) of
    `consume.arguments`, which RabbitMQ knows since 4.3, else of `declare.arguments`, else 30
    minutes, RabbitMQ's default. To be said when the broker's configuration or a policy differs."""
    most_deliveries: Annotated[int, Field(ge=1)] | None = 10
    """Park a message that was delivered so often before and always came back, because the job died
    of it, or its connection was lost each time. Only quorum queues count. `null`: never.
    Less than the queue's delivery limit, at which the broker drops it: 20 since RabbitMQ 4."""
    format: Format = "auto"
    """What the bodies are: `json`, `text`, `msgpack`, `ndjson`, `es_bulk` (the body of a request to
    `_bulk`), or `auto`: what the content type says; where it says nothing, a JSON object, and what
    is none becomes `{"message": text, "@timestamp": arrival}`. The `charset` of the content type is
    obeyed, else text is UTF-8. A JSON array of objects, NDJSON and `es_bulk` are many documents:
    their message is acknowledged when all of them are stored, and those that are rejected are
    parked in a message by themselves. An array that has other values in it is parked whole."""
    indices: Indices = ()
    """With `format: es_bulk`: which indices documents may name, `events-*` for example; a document
    that names another is parked. One that names none goes where the sink says."""
    max_message: MaxMessage = MAX_MESSAGE
    """The most bytes that a body may have, packed or not; one that has more when its content
    encoding (`gzip`, `deflate`, `zstd`) is undone, or in UTF-8, is parked without being parsed."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.consumers not in ("auto", 1) and (self.is_stream or self.consume.exclusive):
            why = "each of several gets all of a stream" if self.is_stream else "it is exclusive"
            yield Problem(("consumers",), f"must be 1: {why}")

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`. What a policy of the broker says, or an older declaration, is not known."""
        if isinstance(self.declare, Declare) and not self.declare.durable:
            yield Problem(
                ("declare", "durable"),
                "such a queue ends with the broker, and newer ones refuse to make it (RabbitMQ "
                "4.3): set it to true",
            )
        if self._argument("x-queue-type") != "quorum" or self._argument("x-dead-letter-exchange"):
            return
        limit = self._argument("x-delivery-limit")
        if limit is None:
            limit = DELIVERY_LIMIT
        if isinstance(limit, int) and limit <= (self.most_deliveries or inf):
            yield Problem(
                ("most_deliveries",),
                f"the queue has no x-dead-letter-exchange, and a delivery limit of {limit}, at "
                "which the broker drops messages before they are parked: make it less, or "
                "declare.arguments.x-delivery-limit more",
            )

    @property
    def without_dead_letter(self) -> str:
        """What the broker does with messages that are rejected without requeue."""
        if self._argument("x-dead-letter-exchange") is None:
            return (
                "rejected messages are lost, unless declare.arguments or a policy of the broker "
                "gives the queue an x-dead-letter-exchange"
            )
        return "rejected messages go to the queue's x-dead-letter-exchange, without their reason"

    @property
    def is_stream(self) -> bool:
        """The queue is known to be a stream; of one that is not declared, its offset tells."""
        declared = self._argument("x-queue-type") == "stream"
        return declared or OFFSET in self.consume.arguments

    @property
    def start_offset(self) -> Any:
        """Where to begin in a stream as long as nothing of it has been read."""
        return self.consume.arguments.get(OFFSET, "first")

    @property
    def offsets(self) -> str:
        """Name of the queue that keeps the offset."""
        return self.offset_queue or f"{self.queue}.offset"

    def consumer_count(self, workers: int) -> int:
        """Consumers of the whole cluster, which has so many workers."""
        if self.consumers != "auto":
            return self.consumers
        return 1 if self.is_stream or self.consume.exclusive else workers

    @property
    def nack_keeps_place(self) -> bool:
        """What `basic.nack` returns stays ahead of what has not been delivered yet.

        A quorum queue puts it behind that where it is told to have no delivery limit.
        """
        limit = self._argument("x-delivery-limit")
        return not self.is_stream and not (isinstance(limit, int) and limit < 0)

    @property
    def may_grow(self) -> bool:
        """A number that is given is an upper limit; the default is not."""
        return "prefetch" not in self.model_fields_set and self.may_be_cautious

    @property
    def may_be_cautious(self) -> bool:
        """A consumer can be replaced by one that holds another number of messages.

        On a queue with a single active consumer, another one would take its place; and a stream
        does not tell what came back.
        """
        return not self.is_stream and not self._argument("x-single-active-consumer")

    def _argument(self, name: str) -> Any:
        return self.declare.arguments.get(name) if isinstance(self.declare, Declare) else None


def _consumer_timeout(*said: object) -> float:
    """In seconds, of the arguments of a queue and of its consumer; those that come last count."""
    found = CONSUMER_TIMEOUT
    for one in said:
        arguments = one.arguments if isinstance(one, Declare | Consume) else {}
        milliseconds = arguments.get("x-consumer-timeout")
        if isinstance(milliseconds, int) and milliseconds > 0:
            found = milliseconds / 1000
    return found


DELIVERY_LIMIT = 20
"""Of a quorum queue for which none is set, since RabbitMQ 4; before that it had none."""
CONSUMER_TIMEOUT = 1800.0
"""Seconds; RabbitMQ's default ("Consumers", delivery acknowledgement timeout)."""


class RejectLimit(Spec):
    """How many messages may be rejected before a consumer stops reading."""

    rejected: Annotated[int, Field(ge=1)] = 500
    """More messages than this, rejected for one kind of reason, are too many. For several kinds
    together, the limit is halfway between this and `of`."""
    of: Annotated[int, Field(ge=1)] = 1000
    """Among so many that were read one after the other; what has no outcome yet is not rejected."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.rejected >= self.of:
            yield Problem(("of",), "must be more than rejected, or the limit is never reached")


class RabbitMQDeadLetter(Spec):
    """Where messages are published that will never be stored."""

    url: AmqpUrls | None = None
    """The broker; omitted: the source's."""
    exchange: ShortText = ""
    """Name of an exchange that exists; empty: the default one, which finds queues by name."""
    routing_key: ShortText = ""
    """On the default exchange, the name of a queue; it is made, durable, if it does not exist."""
    reject_limit: RejectLimit | None = RejectLimit()
    """When more are rejected, the spec or the mapping is wrong rather than they: each consumer that
    sees it parks no more, hands everything back, and reads nothing but a probe now and then, until
    one is stored. So it does when the last 20 messages, or more, of a slow stream are all rejected.
    `null`: none."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if not self.exchange and not self.routing_key:
            yield Problem((), "needs a routing_key: the name of the queue to park messages in")
