"""The models of `pipeline.yaml`, and `load`.

It starts nothing and connects to nothing; `hopper check` reports the mistakes in a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from connectors.elasticsearch.setup.spec import ElasticsearchSetup
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import SpecError
from connectors.memory.spec import MemorySink, MemorySource
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from connectors.spec import OneOf, Problem, Spec, instead_of
from connectors.units import Duration
from flows.config import cross_checks, cross_checks_setup, cross_checks_state
from flows.config.aggregate import AggregateSpec
from flows.config.field_types import FolderText
from flows.config.other_keys import OTHER_KEYS
from flows.config.problems import path_text, validate, warnings_of
from flows.config.traces import TracesSpec
from flows.config.yaml import read


class SourceSpec(OneOf):
    """Where messages come from: exactly one of these."""

    elsewhere: ClassVar = instead_of(
        {
            "write rabbitmq": "rabbit amqp amqp_0_9 amqp_0_9_1",
            "it belongs to a connector: rabbitmq: {url: …}": "url queue host hosts",
        }
    )

    rabbitmq: RabbitMQSource | None = None
    """Queues of RabbitMQ."""
    memory: MemorySource | None = None
    """Queues in the memory of the process, for tests and dry runs."""

    @property
    def chosen(self) -> RabbitMQSource | MemorySource:
        """The one that is given."""
        chosen = self.rabbitmq or self.memory
        assert chosen
        return chosen

    @property
    def name(self) -> str:
        """The key of the source."""
        return "rabbitmq" if self.rabbitmq else "memory"


class SinkSpec(OneOf):
    """Where documents go: exactly one of these."""

    elsewhere: ClassVar = instead_of(
        {
            "write elasticsearch": "elastic es opensearch",
            "it belongs to a connector: elasticsearch: {url: …}": "url index host hosts",
        }
    )

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

    @property
    def index(self) -> str | None:
        """The index, or its template; `None`: the sink has none."""
        return self.elasticsearch.index if self.elasticsearch else None


class DeadLetterSpec(OneOf):
    """Where messages that cannot be stored are parked, with their reasons."""

    rabbitmq: RabbitMQDeadLetter | None = None
    """An exchange of RabbitMQ."""


PORTS = 100
"""Ports from `metrics.port` on: each process of a host takes the first that is free."""


class StateSpec(Spec):
    """A folder that keeps open groups over restarts, so that their messages are acknowledged.

    `docs/durable.md` says what it guarantees.
    """

    elsewhere: ClassVar = instead_of(
        {
            "write path": "folder directory dir file state_dir",
            "write commit": "interval every flush checkpoint checkpoint_interval",
        }
    )

    path: Annotated[FolderText, Field(examples=["/var/lib/hopper/orders"])]
    """A folder of this job alone, from `/` on, on a disk that outlives the process."""
    commit: Annotated[Duration, Field(gt=0)] = 1.0
    """How long a message waits at most until it is durable and acknowledged; after 1,500 messages
    of a shard, or when a group is complete, that happens at once."""


class Metrics(Spec):
    """An HTTP endpoint for Prometheus, for health checks, and for a page about the job."""

    elsewhere: ClassVar = instead_of({"write host, and port": "address bind listen endpoint"})

    port: Annotated[int, Field(ge=1, le=65535)]
    """Port of `http://host:port/metrics`."""
    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` lets other machines in."""
    allowed_hosts: tuple[str, ...] = ()
    """Names of this machine, beside its own and its addresses, for which the port answers: for
    example `hopper.orders.svc`. Requests for another host are refused, which protects the answers
    from pages in a browser."""
    token: SecretStr | None = None
    """Lets other machines pause and resume the job, by `hopper pause --url`; this machine may do so
    without it. `hopper tap`, which shows what messages contain, needs it on every machine."""
    show_bodies: bool = False
    """Shows the beginnings of the bodies of the latest dead letters, at `/status` and on the page
    at `/`: each reader of the port sees them."""
    unhealthy_after: Annotated[Duration, Field(gt=0)] = 30.0
    """How long a service may be unreachable, or the dataflow stalled, before `/health` fails."""


class LogSpec(Spec):
    """The log, which goes to standard error."""

    format: Literal["auto", "text", "json"] = "auto"
    """`text` is for people, `json` for programs that collect logs: one object on each line. `auto`
    is `text` on a terminal and `json` elsewhere, except where the environment has
    `HOPPER_LOG_FORMAT`."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is logged."""


def _number(value: object) -> object:
    return None if value is True else value  # to Python, True is 1


class Pipeline(Spec):
    """One job: messages from a source, in windows, to a sink."""

    elsewhere: ClassVar = OTHER_KEYS

    version: Annotated[Literal[1], BeforeValidator(_number)]
    """Version of this format."""
    name: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
    """Name of the job in logs, metrics and the broker's list of connections."""
    source: SourceSpec
    """Where messages come from."""
    aggregate: AggregateSpec
    """Which messages form a group, and what the group becomes."""
    sink: SinkSpec
    """Where documents go."""
    dead_letter: DeadLetterSpec | None = None
    """Where messages that cannot be stored are parked. Omitted: they are rejected without requeue,
    so the dead-letter exchange of the queue, if it has one, gets them without the reason."""
    state: StateSpec | None = None
    """Where open groups are kept over restarts. Omitted: nowhere; their messages stay
    unacknowledged, and the broker redelivers them."""
    drain_timeout: Duration = 30.0
    """How long a stop may take to write and acknowledge the open messages; the broker redelivers
    those that are not acknowledged by then. Make it shorter than the grace period of the supervisor
    that stops the job."""
    metrics: Metrics | None = None
    """Where the process answers Prometheus, health checks and browsers; omitted: nowhere."""
    reload: bool = False
    """Look at this file every two seconds, and reload it when it has changed; SIGHUP reloads it in
    any case. A file with mistakes is logged, and the job goes on as before."""
    log: LogSpec = LogSpec()
    """How the process logs."""
    traces: TracesSpec | None = None
    """Traces of what becomes of messages; omitted: there are none, and they cost nothing."""
    setup: ElasticsearchSetup | None = None
    """What `hopper setup` prepares in Elasticsearch; the job ignores it."""

    @model_validator(mode="before")
    @classmethod
    def _keep_at_stop(cls, given: Any) -> Any:
        """Let a stop keep open groups by default where there is a state."""
        if not isinstance(given, dict) or given.get("state") is None:
            return given
        aggregate = given.get("aggregate")
        if not isinstance(aggregate, dict) or "on_stop" in aggregate:
            return given
        return {**given, "aggregate": {**aggregate, "on_stop": "keep"}}

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        source, sink = self.source.chosen, self.sink.elasticsearch
        kept = self.state is not None
        yield from cross_checks.problems(source, self.aggregate, sink, kept=kept)
        commit = self.state.commit if self.state is not None else None
        yield from cross_checks_state.problems(source, self.aggregate, commit)
        if kept and self.source.rabbitmq and self.dead_letter is None:
            yield Problem(
                ("state",),
                "needs dead_letter: its messages are acknowledged, so a document that "
                "Elasticsearch refuses must have a place",
            )
        yield from cross_checks_setup.problems(self.setup, sink)
        rabbitmq, parked = self.source.rabbitmq, self.dead_letter and self.dead_letter.rabbitmq
        if parked and not rabbitmq:
            yield Problem(("dead_letter", "rabbitmq"), "needs source.rabbitmq")
        elif (
            parked
            and rabbitmq
            and not parked.exchange
            and parked.routing_key in rabbitmq.queue
            and parked.url in (None, rabbitmq.url)
        ):
            yield Problem(
                ("dead_letter", "rabbitmq", "routing_key"),
                "is the queue that is consumed: a parked message would return for ever",
            )

    def warnings(self) -> Iterator[Problem]:
        """See `Spec`."""
        source, sink = self.source.chosen, self.sink.elasticsearch
        kept = self.state is not None
        yield from cross_checks.warnings(source, self.aggregate, sink, kept=kept)
        if self.state is not None:
            yield from cross_checks_state.warnings(source, self.state.commit)
        if self.source.rabbitmq and not self.dead_letter:
            yield Problem(
                ("dead_letter",), f"is missing: {self.source.rabbitmq.without_dead_letter}"
            )


TESTS = "tests"
"""A key of the file that is not the job's: `flows/testing/` has its models."""


def load(path: str | os.PathLike[str], environment: Mapping[str, str] = os.environ) -> Pipeline:
    """Read a pipeline from a file, without its tests.

    Raises:
        SpecError: the file cannot be read, or is not a pipeline; lists all problems, in order.
    """
    document = read(content_of(path), environment)
    document.leave_out(TESTS)
    return validate(Pipeline, document, os.fspath(path))


def content_of(path: str | os.PathLike[str]) -> bytes:
    """Read a file.

    Raises:
        SpecError: it cannot be read.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise SpecError(
            [f"{name}: cannot be read: {error.strerror}; {_how_to_choose(name)}"]
        ) from None


def _how_to_choose(name: str) -> str:
    where = "" if os.path.isabs(name) else f"it was looked for as {os.path.abspath(name)}; "
    return f"{where}another file is named by HOPPER_PIPELINE=orders.yaml"


def chosen_path(environment: Mapping[str, str] = os.environ) -> str:
    """Name the file that declares the job: `HOPPER_PIPELINE`, else `pipeline.yaml`."""
    return environment.get("HOPPER_PIPELINE") or "pipeline.yaml"


def warnings(pipeline: Pipeline) -> list[str]:
    """Return what is valid but may surprise, each as `path: text`."""
    return [f"{path_text(problem.at)}: {problem.text}" for problem in warnings_of(pipeline)]
