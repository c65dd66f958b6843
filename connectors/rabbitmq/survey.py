"""Checks a broker for everything that the job needs, without changing or consuming anything.

Where the job declares a queue or a binding at its start, this checks whether it could. It continues
after an error, so that the user sees all errors at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import uuid4

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker, ChannelClosedByClient

from connectors.errors import Unavailable
from connectors.finding import Finding
from connectors.rabbitmq import refusal, topology
from connectors.rabbitmq.declaration import Declare
from connectors.rabbitmq.link import Done, Preparation, describe
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.rabbitmq.visit import Visit
from connectors.rabbitmq.wire import BatchConnection

NOTHING: Mapping[int, str] = MappingProxyType({})


class Question(NamedTuple):
    """One request to the broker, on a channel of its own."""

    subject: str
    asks: Preparation
    yes: Callable[[Any], str]
    """answer -> the text of the finding."""
    fine: Mapping[int, str] = NOTHING
    """The text for a refusal that is no problem for the job, by its code."""
    only_if: str | None = None
    """Ask only if this subject exists."""


def survey(
    source: RabbitMQSource, dead_letter: RabbitMQDeadLetter | None, seconds: float
) -> list[Finding]:
    """Check the broker, and that of dead letters if it is another; each within `seconds`."""
    questions = list(of_source(source))
    if dead_letter is None:
        return _Asking(source.url, questions, seconds).findings()
    if dead_letter.url in (None, source.url):
        questions += of_dead_letter(dead_letter)
        return _Asking(source.url, questions, seconds).findings()
    assert dead_letter.url is not None
    return [
        *_Asking(source.url, questions, seconds).findings(),
        *_Asking(dead_letter.url, list(of_dead_letter(dead_letter)), seconds).findings(),
    ]


def of_source(spec: RabbitMQSource) -> Iterator[Question]:
    """Yield the questions about what consumers need."""
    for name in spec.queue:
        yield from _of_queue(spec.of_queue(name))
    if isinstance(spec.declare, Declare):
        for exchange in dict.fromkeys(binding.exchange for binding in spec.declare.bind):
            asks = Preparation(_passive_exchange(exchange), remedies=refusal.BIND)
            yield Question(f"exchange {exchange}", asks, _is_there)


def _of_queue(spec: RabbitMQSource) -> Iterator[Question]:
    queue, declare = f"queue {spec.only_queue}", spec.declare
    makes = {refusal.NOT_FOUND: "does not exist: the job declares it at the start"}
    if_missing = makes if isinstance(declare, Declare) else NOTHING
    looks = topology.exists(spec.only_queue, refusal.PASSIVE_DECLARE)
    yield Question(queue, looks, _counts, if_missing)
    if isinstance(declare, Declare):
        asks = topology.declare(spec.only_queue, declare, refusal.DECLARE)
        yield Question(f"declare of {queue}", asks, lambda _: "is as declare says", only_if=queue)
    reads = Preparation(_try_to_consume(spec.only_queue), remedies=refusal.CONSUME)
    fine = {
        refusal.PRECONDITION_FAILED: "this user may read it",
        refusal.NOT_IMPLEMENTED: "may be read",
    }
    yield Question(f"reading {queue}", reads, _is_there, fine, only_if=queue)
    if spec.is_stream:
        asks = topology.exists(spec.offsets, refusal.OFFSETS)
        yield Question(f"queue {spec.offsets} of the offset", asks, _counts, makes)


def of_dead_letter(spec: RabbitMQDeadLetter) -> Iterator[Question]:
    """Yield the questions about dead letters; only publishing shows if an exchange permits it."""
    [looks] = topology.of_dead_letter(spec)
    asks = looks._replace(if_missing=None)
    if spec.exchange:
        yield Question(f"exchange {spec.exchange} of dead letters", asks, _is_there)
        return
    makes = {refusal.NOT_FOUND: "does not exist: the job declares it at the start"}
    yield Question(f"queue {spec.routing_key} of dead letters", asks, _counts, makes)
    writes = Preparation(_publish_to_nowhere, remedies=refusal.PUBLISH)
    yield Question("publishing dead letters", writes, lambda _: "is permitted")


class _Asking:
    """Asks one broker its questions, one after the other."""

    def __init__(self, urls: Sequence[str], questions: list[Question], seconds: float) -> None:
        self._visit = Visit(urls, "hopper check", seconds=seconds)
        self._questions, self._found = questions, list[Finding]()
        self._there: set[str] = set()
        self._connection: BatchConnection | None = None

    def findings(self) -> list[Finding]:
        """Ask all questions, and return the findings."""
        try:
            self._visit.make(self._connected)
        except Unavailable as error:
            self._found.append(Finding("RabbitMQ", False, str(error).removeprefix("RabbitMQ, ")))
        return self._found

    def _connected(self, connection: BatchConnection, _channel: Channel) -> None:
        self._connection = connection
        version = (connection.server_properties or {}).get("version", "of an unknown version")
        self._found.append(
            Finding("RabbitMQ", True, f"{version} at {self._visit.address} accepts the login")
        )
        self._next()

    def _next(self) -> None:
        if not self._questions:
            self._visit.done()
            return
        question = self._questions.pop(0)
        if question.only_if is not None and question.only_if not in self._there:
            self._next()
            return
        answers: list[object] = []

        def opened(channel: Channel) -> None:
            def answered(answer: object) -> None:
                answers.append(answer)
                channel.close()

            channel.add_on_close_callback(closed)
            question.asks.ask(channel, answered)

        def closed(_channel: Channel, error: BaseException) -> None:
            if isinstance(error, ChannelClosedByClient):
                self._there.add(question.subject)
                self._found.append(Finding(question.subject, True, question.yes(answers[0])))
                self._next()
            elif isinstance(error, ChannelClosedByBroker):
                self._found.append(_refused(question, error))
                self._next()
            # Otherwise the connection is lost, which the visit reports.

        assert self._connection is not None
        self._connection.channel(on_open_callback=opened)


def _refused(question: Question, error: ChannelClosedByBroker) -> Finding:
    code = error.reply_code
    if code in question.fine:
        return Finding(question.subject, True, question.fine[code])
    reason = describe(error)
    remedy = refusal.remedy(question.asks.remedies, code, reason)
    return Finding(question.subject, False, f"{reason}: {remedy or 'try again: this may pass'}")


def _is_there(_answer: object) -> str:
    return "exists"


def _counts(answer: Any) -> str:
    method = answer.method
    return f"exists: messages ready {method.message_count}, consumers {method.consumer_count}"


def _passive_exchange(name: str) -> Callable[[Channel, Done], object]:
    return lambda channel, done: channel.exchange_declare(name, passive=True, callback=done)


def _try_to_consume(queue: str) -> Callable[[Channel, Done], object]:
    """Ask to consume with an invalid argument, so that the broker always refuses.

    The broker checks first the permission to read the queue (403), then the arguments (406).
    """
    wrong = {"x-priority": "hopper check"}
    return lambda channel, done: channel.basic_consume(
        queue, lambda *_: None, arguments=wrong, callback=done
    )


def _publish_to_nowhere(channel: Channel, done: Done) -> None:
    """Publish a message that no queue takes, so that the broker returns it."""
    channel.add_on_return_callback(lambda *returned: done(returned))
    channel.basic_publish("", f"hopper-check-{uuid4()}", b"", mandatory=True)
