"""What is asked of the broker before the first message: the queues and bindings that a spec wants.

Pure: it makes the requests, `link.py` sends them, at the start and after each lost connection.
"""

from __future__ import annotations

from connectors.rabbitmq.link import Preparation
from connectors.rabbitmq.offset_queue import ARGUMENTS
from connectors.rabbitmq.spec import Binding, Declare, RabbitMQDeadLetter, RabbitMQSource


def of_source(spec: RabbitMQSource) -> list[Preparation]:
    """Declare the queue and bind it; or, where nothing is to be declared, see that it is there."""
    offsets = [_declare(spec.offsets, Declare(arguments=ARGUMENTS))] if spec.is_stream else []
    if not isinstance(spec.declare, Declare):
        return [_exists(spec.queue), *offsets]
    return [
        _declare(spec.queue, spec.declare),
        *(_bind(spec.queue, binding) for binding in spec.declare.bind),
        *offsets,
    ]


def of_dead_letter(spec: RabbitMQDeadLetter) -> list[Preparation]:
    """See that whatever the messages are published to is there.

    On the default exchange the routing key is the name of a queue: where it is missing it is made,
    since the first rejected message would find no place and wait for ever.
    """
    if spec.exchange:
        return [
            Preparation(
                lambda channel, done: channel.exchange_declare(
                    spec.exchange, passive=True, callback=done
                )
            )
        ]
    return [
        Preparation(
            _exists(spec.routing_key).ask, if_missing=_declare(spec.routing_key, Declare()).ask
        )
    ]


def _exists(queue: str) -> Preparation:
    return Preparation(
        lambda channel, done: channel.queue_declare(queue, passive=True, callback=done)
    )


def _declare(queue: str, spec: Declare) -> Preparation:
    return Preparation(
        lambda channel, done: channel.queue_declare(
            queue, durable=spec.durable, arguments=dict(spec.arguments), callback=done
        )
    )


def _bind(queue: str, spec: Binding) -> Preparation:
    return Preparation(
        lambda channel, done: channel.queue_bind(
            queue, spec.exchange, spec.routing_key, dict(spec.arguments), callback=done
        )
    )
