"""The queues and bindings that a spec needs, as requests to the broker before the first message.

Pure: it makes the requests; `link.py` sends them at the start and after each lost connection.
"""

from __future__ import annotations

from connectors.rabbitmq import offset_queue, refusal
from connectors.rabbitmq.declaration import Binding, Declare
from connectors.rabbitmq.link import Preparation
from connectors.rabbitmq.refusal import Remedies
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource


def of_source(spec: RabbitMQSource) -> list[Preparation]:
    """Declare the queues and bind them; or, without a declaration, check that they exist."""
    return [one for name in spec.queue for one in _of_queue(spec.of_queue(name))]


def _of_queue(spec: RabbitMQSource) -> list[Preparation]:
    queue = spec.only_queue
    offsets = [_offsets(spec.offsets)] if spec.is_stream else []
    if not isinstance(spec.declare, Declare):
        return [exists(queue, refusal.PASSIVE_DECLARE), *offsets]
    return [
        declare(queue, spec.declare, refusal.DECLARE),
        *(_bind(queue, binding) for binding in spec.declare.bind),
        *offsets,
    ]


def of_dead_letter(spec: RabbitMQDeadLetter) -> list[Preparation]:
    """Check that the exchange or the queue for dead letters exists.

    On the default exchange the routing key is the name of a queue. A missing queue is declared:
    without it, rejected messages would wait for ever.
    """
    if spec.exchange:
        return [
            Preparation(
                lambda channel, done: channel.exchange_declare(
                    spec.exchange, passive=True, callback=done
                ),
                remedies=refusal.DEAD_LETTER_EXCHANGE,
            )
        ]
    remedies = refusal.DEAD_LETTER_QUEUE
    make = declare(spec.routing_key, Declare(), remedies).ask
    return [Preparation(exists(spec.routing_key, remedies).ask, make, remedies)]


def exists(queue: str, remedies: Remedies) -> Preparation:
    """See that a queue is there; it is not made."""
    return Preparation(
        lambda channel, done: channel.queue_declare(queue, passive=True, callback=done),
        remedies=remedies,
    )


def declare(queue: str, spec: Declare, remedies: Remedies) -> Preparation:
    """Make a queue, or see that it is there and the same."""
    return Preparation(
        lambda channel, done: channel.queue_declare(
            queue, durable=spec.durable, arguments=dict(spec.arguments), callback=done
        ),
        remedies=remedies,
    )


def _offsets(queue: str) -> Preparation:
    return Preparation(
        lambda channel, done: offset_queue.declare(channel, queue, done), remedies=refusal.OFFSETS
    )


def _bind(queue: str, spec: Binding) -> Preparation:
    return Preparation(
        lambda channel, done: channel.queue_bind(
            queue, spec.exchange, spec.routing_key, dict(spec.arguments), callback=done
        ),
        remedies=refusal.BIND,
    )
