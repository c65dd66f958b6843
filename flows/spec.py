"""`pipeline.yaml` as frozen models: what a pipeline is, and which rules its parts must keep.

It starts nothing and connects to nothing. `python -m flows.spec pipeline.yaml` checks a file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import SpecError
from connectors.memory.spec import MemorySink, MemorySource
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.spec import OneOf, Problem, Spec
from connectors.units import Duration, Size, duration_text
from flows.problems import path_text, validate, warnings_of
from flows.yaml import read


class Source(OneOf):
    """Where messages come from: exactly one of these."""

    rabbitmq: RabbitMQSource | None = None
    """A queue of RabbitMQ."""
    memory: MemorySource | None = None
    """A queue in the memory of the process, for tests and dry runs."""

    @property
    def chosen(self) -> RabbitMQSource | MemorySource:
        """The one that is given."""
        chosen = self.rabbitmq or self.memory
        assert chosen
        return chosen


class Window(Spec):
    """When a group is complete: whichever comes first. At least one is needed."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    count: Annotated[int, Field(ge=1, examples=[1000])] | None = None
    """Messages. Elasticsearch takes a few hundred to a few thousand documents a request best."""
    bytes: Annotated[Size, Field(ge=1, examples=["5MiB"])] | None = None
    """Bytes of the bodies as received; the message that crosses the limit is in."""
    time: Annotated[Duration, Field(gt=0, examples=["1s"])] | None = None
    """Age, from the first message: how late a document may become visible when messages are rare.
    A message at exactly the end belongs to the next group."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.count is None and self.bytes is None and self.time is None:
            yield Problem((), "needs at least one of: count, bytes, time")

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`."""
        if self.time is None:
            yield Problem(
                ("time",), "is missing: the last window waits for more messages until the job stops"
            )


class Aggregate(Spec):
    """Which messages are written together: for each consumer, one stream of windows."""

    window: Window
    """When a group is complete."""
    on_stop: Literal["write", "requeue"] = "write"
    """What a stop does with the group that is open: `write` it although it is not complete, or
    `requeue` it, so that the broker delivers it again."""


class Sink(OneOf):
    """Where documents go: exactly one of these."""

    elasticsearch: ElasticsearchSink | None = None
    """A cluster of Elasticsearch."""
    memory: MemorySink | None = None
    """A store in the memory of the process, for tests and dry runs."""

    @property
    def chosen(self) -> ElasticsearchSink | MemorySink:
        """The one that is given."""
        chosen = self.elasticsearch or self.memory
        assert chosen
        return chosen


class DeadLetter(OneOf):
    """Where messages are parked, with the reason, that will never be stored."""

    rabbitmq: RabbitMQDeadLetter | None = None
    """An exchange of RabbitMQ."""


class Metrics(Spec):
    """An endpoint for Prometheus."""

    port: Annotated[int, Field(ge=1, le=65535)]
    """Port of `http://host:port/metrics`."""
    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` lets other machines in."""


def _number(value: object) -> object:
    return None if value is True else value  # to Python, True is 1


class Pipeline(Spec):
    """One job: from a source, in windows, to a sink."""

    version: Annotated[Literal[1], BeforeValidator(_number)]
    """Of this format."""
    name: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
    """What the job is called in logs, metrics and the broker's list of connections."""
    source: Source
    """Where messages come from."""
    aggregate: Aggregate
    """Which messages are written together."""
    sink: Sink
    """Where documents go."""
    dead_letter: DeadLetter | None = None
    """Where messages are parked that will never be stored; omitted: they are rejected without
    requeue, and the queue's own dead lettering, if it has one, gets them without the reason."""
    drain_timeout: Duration = 30.0
    """How long a stop may take to write and acknowledge what is open; what is not done by then is
    left to the broker, which delivers it again. Shorter than the patience of who stops the job."""
    metrics: Metrics | None = None
    """Omitted: no endpoint."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        yield from self._window_problems()
        rabbitmq, parked = self.source.rabbitmq, self.dead_letter and self.dead_letter.rabbitmq
        if parked and not rabbitmq:
            yield Problem(("dead_letter", "rabbitmq"), "needs source.rabbitmq")
        elif (
            parked
            and rabbitmq
            and not parked.exchange
            and parked.routing_key == rabbitmq.queue
            and parked.url in (None, rabbitmq.url)
        ):
            yield Problem(
                ("dead_letter", "rabbitmq", "routing_key"),
                "is the queue that is consumed: a parked message would come back for ever",
            )

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`."""
        window, prefetch = self.aggregate.window, self.source.chosen.prefetch
        if window.count and window.count > prefetch:
            yield Problem(
                ("aggregate", "window", "count"),
                f"is never reached: a consumer holds at most prefetch ({prefetch}) messages, "
                "so each window waits for its time",
            )
        timeout = self.source.rabbitmq and self.source.rabbitmq.consumer_timeout
        if timeout and window.time and window.time > timeout / 2:
            yield Problem(
                ("aggregate", "window", "time"),
                f"is more than half of the broker's consumer timeout ({duration_text(timeout)})",
            )
        if self.source.rabbitmq and not self.dead_letter:
            yield Problem(
                ("dead_letter",), f"is missing: {self.source.rabbitmq.without_dead_letter}"
            )

    def _window_problems(self) -> Iterator[Problem]:
        """See whether a window completes with what one consumer can hold, and in time."""
        window, prefetch = self.aggregate.window, self.source.chosen.prefetch
        if window.time is None and window.count is None:
            yield Problem(
                ("aggregate", "window", "bytes"),
                f"may never be reached by the messages that a consumer holds ({prefetch}): "
                f"add a time, or a count of at most {prefetch}",
            )
        elif window.time is None and window.count and window.count > prefetch:
            yield Problem(
                ("aggregate", "window", "count"),
                f"is more than a consumer holds: add a time, lower it to {prefetch}, "
                f"or raise prefetch to {window.count}",
            )
        timeout = self.source.rabbitmq and self.source.rabbitmq.consumer_timeout
        if timeout and window.time and window.time >= timeout:
            yield Problem(
                ("aggregate", "window", "time"),
                f"must stay well under the broker's consumer timeout ({duration_text(timeout)}), "
                "after which it takes the messages back",
            )


def load(path: str | os.PathLike[str], environment: Mapping[str, str] = os.environ) -> Pipeline:
    """Read a pipeline from a file.

    Raises:
        SpecError: the file cannot be read, or is not a pipeline; lists all problems, in order.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise SpecError([f"{name}: cannot be read: {error.strerror}"]) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SpecError([f"{name}:{line}:1: is not text in UTF-8"]) from None
    return validate(Pipeline, read(text, environment), name)


def warnings(pipeline: Pipeline) -> list[str]:
    """Tell what is allowed, but may not do what one expects; each as `path: text`."""
    return [f"{path_text(problem.at)}: {problem.text}" for problem in warnings_of(pipeline)]


def main(arguments: list[str]) -> int:
    """Check a file; returns the exit code: 0 right, 2 wrong."""
    path = arguments[0] if arguments else "pipeline.yaml"
    try:
        pipeline = load(path)
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{path} is right\n")
    for warning in warnings(pipeline):
        sys.stdout.write(f"{path}: {warning}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
