"""The RabbitMQ part of `pipeline.yaml`: the queues to consume, and where messages are parked.

It connects to no broker; the job asks the broker at its start.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from connectors.consumer_names import consumers_of_each
from connectors.queue_names import QueueNames
from connectors.rabbitmq.declaration import OFFSET, Consume, Declaration, Declare
from connectors.rabbitmq.other_keys import OTHER_KEYS
from connectors.rabbitmq.url import AmqpUrls, ShortText, short
from connectors.spec import (
    DEFAULT_MEMORY,
    MAX_CONSUMERS,
    MAX_MESSAGE,
    Consumers,
    Format,
    Indices,
    MaxMessage,
    Memory,
    Prefetch,
    Problem,
    Spec,
    instead_of,
)
from connectors.units import Duration

QUEUE = "{queue}"
"""Stands for the name of the queue, in another name."""


def _short(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        short(name)
    return names


class RabbitMQSource(Spec):
    """The queues to consume."""

    elsewhere: ClassVar = OTHER_KEYS

    url: AmqpUrls
    """`amqp://user:password@host:5672/virtual-host`, or `amqps://`, or a list for a cluster.
    After a lost connection the next one of the list is tried."""
    queue: Annotated[QueueNames, AfterValidator(_short)]
    """Name of the queue. Several queues are a list of names, or a pattern such as `orders.{0..7}`,
    which stands for the names from `orders.0` to `orders.7` (`{00..07}`: from `00` to `07`); at
    most 256. `consumers`, `prefetch`, `declare` and `consume` are for each of them."""
    consumers: Consumers = "auto"
    """How many consumers each queue has; `auto`: as few as give each Bytewax worker at least one.
    So one queue has one for each worker, and eight queues have one each for up to eight workers.
    More consumers on one classic queue do not make it faster."""
    memory: Memory = DEFAULT_MEMORY
    """Memory for messages that one process holds unacknowledged, all its consumers together; each
    message counts with its body, its properties and 600 bytes; one with several documents also with
    its body again and 600 bytes for each document. The process itself takes 60 MiB
    more, and up to 32 MiB for what is under way: messages that arrive or are read, pieces of
    requests, and what the allocator keeps for the next ones. Open groups hold their messages:
    choose more if they wait for room."""
    prefetch: Prefetch = "auto"
    """Largest number of messages that one consumer may hold unacknowledged. `auto`: the prefetch
    grows while messages are what the job waits for, up to 65,535, and shrinks when messages get
    larger, so that they fit into `memory`. The prefetch of a stream and of a queue with a single
    active consumer does not change: it is the number, or 4000."""
    declare: Declaration | None = None
    """How to declare the queue; `passive` or omitted: the queue must exist."""
    consume: Consume = Consume()
    """How the job subscribes to the queue."""
    offset_queue: ShortText = f"{QUEUE}.offset"
    """For a stream: name of the queue in which the job keeps its offset; `{queue}` stands for the
    name of the stream. The job declares the queue if it does not exist. Two jobs need two offset
    queues, and so do two streams."""
    consumer_timeout: Annotated[Duration, Field(gt=0)] = Field(
        default_factory=lambda given: _consumer_timeout(given.get("declare"), given.get("consume"))
    )
    """How long the broker waits for an acknowledgement before it closes the channel; the job
    requeues all messages a little earlier. Omitted: `x-consumer-timeout` (milliseconds) of
    `consume.arguments`, which RabbitMQ knows since 4.3, else of `declare.arguments`, else 30
    minutes, RabbitMQ's default. Set it if the broker's configuration or a policy differs."""
    max_deliveries: Annotated[int, Field(ge=1)] | None = 10
    """Park a message that was delivered this often before and never acknowledged, because the job
    crashed or lost its connection each time. Only quorum queues count deliveries. `null`: never.
    Choose less than the queue's delivery limit (20 since RabbitMQ 4), at which the broker drops the
    message."""
    format: Format = "auto"
    """Format of the bodies: `json`, `text`, `msgpack`, `ndjson`, `es_bulk` (the body of a request
    to `_bulk`), or `auto`. `auto` follows the content type; without a content type, a body that is
    a JSON object is taken as it is, and any other becomes
    `{"message": text, "@timestamp": arrival}`. Text has the `charset` of the content type, else
    UTF-8. A JSON array of objects, NDJSON and `es_bulk` hold several documents: their message is
    acknowledged when all documents are stored, and rejected documents are parked in a message of
    their own. An array that holds other values is parked whole."""
    indices: Indices = ()
    """With `format: es_bulk`: the indices that documents may name, `events-*` for example; a
    document that names another index is parked. One that names no index goes to the sink's."""
    max_message: MaxMessage = MAX_MESSAGE
    """Largest size of a body in bytes, before and after its content encoding (`gzip`, `deflate`,
    `zstd`) is decoded, and in UTF-8; a larger body is parked without being parsed."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        several = len(self.queue)
        if self.consumers != "auto" and self.consumers * several > MAX_CONSUMERS:
            yield Problem(
                ("consumers",),
                f"are for each of {several} queues, and a job has at most {MAX_CONSUMERS}: "
                "lower the number",
            )
        if several > 1 and self.is_stream and QUEUE not in self.offset_queue:
            yield Problem(
                ("offset_queue",),
                "is for one stream: write {queue} in it, which stands for the name of each stream",
            )
        if self.consumers not in ("auto", 1) and (self.is_stream or self.consume.exclusive):
            why = (
                "each consumer of a stream receives all of its messages"
                if self.is_stream
                else "the consumer is exclusive"
            )
            yield Problem(("consumers",), f"must be 1: {why}")

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`. Policies of the broker and earlier declarations of the queue are unknown."""
        if isinstance(self.declare, Declare) and not self.declare.durable:
            yield Problem(
                ("declare", "durable"),
                "the queue and its messages are lost when the broker restarts, and RabbitMQ 4.3 "
                "refuses to declare it: set durable to true",
            )
        if self._argument("x-queue-type") != "quorum" or self._argument("x-dead-letter-exchange"):
            return
        limit = self._argument("x-delivery-limit")
        if limit is None:
            limit = DELIVERY_LIMIT
        if isinstance(limit, int) and limit <= (self.max_deliveries or inf):
            yield Problem(
                ("max_deliveries",),
                f"the queue has a delivery limit of {limit} and no x-dead-letter-exchange, so the "
                "broker drops messages before the job parks them: set max_deliveries lower, or "
                "declare.arguments.x-delivery-limit higher",
            )

    @property
    def without_dead_letter(self) -> str:
        """Say where messages go that are rejected without requeue, for a warning at the start."""
        if self._argument("x-dead-letter-exchange") is None:
            return (
                "rejected messages are lost, unless declare.arguments or a policy of the broker "
                "gives the queue an x-dead-letter-exchange"
            )
        return "rejected messages go to the queue's x-dead-letter-exchange, without their reason"

    @property
    def is_stream(self) -> bool:
        """The spec declares a stream, or consumes from an offset."""
        declared = self._argument("x-queue-type") == "stream"
        return declared or OFFSET in self.consume.arguments

    @property
    def start_offset(self) -> Any:
        """The offset to begin at in a stream that the job has not read yet."""
        return self.consume.arguments.get(OFFSET, "first")

    def of_queue(self, name: str) -> RabbitMQSource:
        """Return the same spec for one of the queues alone."""
        return self.model_copy(update={"queue": (name,)})

    @property
    def only_queue(self) -> str:
        """Name of the queue of a spec that has one."""
        [name] = self.queue
        return name

    @property
    def offsets(self) -> str:
        """Name of the queue that keeps the offset, of a spec that has one queue."""
        return self.offset_queue.replace(QUEUE, self.only_queue)

    def consumers_of_each(self, workers: int) -> int:
        """Return the number of consumers of each queue, by the number of the cluster's workers."""
        if self.consumers != "auto":
            return self.consumers
        is_alone = self.is_stream or self.consume.exclusive
        return 1 if is_alone else consumers_of_each(len(self.queue), workers)

    @property
    def nack_keeps_position(self) -> bool:
        """The queue puts messages that `basic.nack` requeues back to its head.

        A quorum queue without a delivery limit puts them at its tail.
        """
        limit = self._argument("x-delivery-limit")
        return not self.is_stream and not (isinstance(limit, int) and limit < 0)

    @property
    def prefetch_number(self) -> int | None:
        """The largest prefetch, where there is a number; `None`: it is found."""
        if self.prefetch == "auto":
            return None if self.can_change_prefetch else FIXED_PREFETCH
        return self.prefetch

    @property
    def can_change_prefetch(self) -> bool:
        """A consumer can be replaced by one with another prefetch.

        On a queue with a single active consumer, another job's consumer would become active; and a
        stream does not mark redelivered messages.
        """
        return not self.is_stream and not self._argument("x-single-active-consumer")

    def _argument(self, name: str) -> Any:
        return self.declare.arguments.get(name) if isinstance(self.declare, Declare) else None


def _consumer_timeout(*specs: object) -> float:
    """Return the timeout in seconds that the arguments set; the last one counts."""
    found = CONSUMER_TIMEOUT
    for one in specs:
        arguments = one.arguments if isinstance(one, Declare | Consume) else {}
        milliseconds = arguments.get("x-consumer-timeout")
        if isinstance(milliseconds, int) and milliseconds > 0:
            found = milliseconds / 1000
    return found


FIXED_PREFETCH = 4000
"""Messages: the prefetch of a consumer that cannot be replaced, if the spec sets none."""
DELIVERY_LIMIT = 20
"""Deliveries: the default of quorum queues since RabbitMQ 4; before, they had no limit."""
CONSUMER_TIMEOUT = 1800.0
"""Seconds: RabbitMQ's default ("Consumers", delivery acknowledgement timeout)."""


class RejectLimit(Spec):
    """How many messages may be rejected before a consumer stops reading."""

    rejected: Annotated[int, Field(ge=1)] = 500
    """The limit: more rejected messages of one kind of reason reach it. For all kinds together, the
    limit is halfway between this and `of`."""
    of: Annotated[int, Field(ge=1)] = 1000
    """Consecutive messages that are counted; those without an outcome yet count as not rejected."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.rejected >= self.of:
            yield Problem(("of",), "must be more than rejected, or the limit is never reached")


class RabbitMQDeadLetter(Spec):
    """Where the job publishes messages that can not be stored."""

    elsewhere: ClassVar = instead_of(
        {"write routing_key: without an exchange, it is the name of the queue": "queue queue_name"}
    )

    url: AmqpUrls | None = None
    """The broker; omitted: the source's."""
    exchange: ShortText = ""
    """Name of an exchange that exists; empty: the default exchange, which routes by queue name."""
    routing_key: ShortText = ""
    """On the default exchange: the name of a queue, which the job declares (durable) if it does not
    exist."""
    reject_limit: RejectLimit | None = RejectLimit()
    """When more messages are rejected, the spec or the mapping is probably wrong. The consumer then
    parks no more, requeues all messages, and reads only a probe from time to time, until a message
    is stored. It does the same when the last 20 messages or more of a slow stream are all rejected.
    With `state`, refused groups beyond the limit stay there, and are sent again.
    `null`: no limit."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if not self.exchange and not self.routing_key:
            yield Problem((), "needs a routing_key: the name of the queue to park messages in")
