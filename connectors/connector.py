"""What every source and every sink promises; `tests/contract/` holds each connector to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, Protocol

from connectors.message import (
    Answer,
    Arrived,
    ConsumerCounts,
    Documents,
    Lost,
    Message,
    Opened,
    Origin,
    Outcomes,
    Properties,
    Rejection,
    SinkPace,
    SinkState,
)


class Load(NamedTuple):
    """What a consumer holds, and may hold, at the moment."""

    held: int = 0
    """Messages that the broker waits to hear about."""
    prefetch: int = 0
    """The most that it may hold."""
    is_full: bool = False
    """The broker delivers nothing until one of them is settled: its silence tells nothing."""
    may_grow: bool = False
    """`grow` lets in more some time."""
    bytes: int = 0
    """Memory that the messages without an outcome take."""
    memory: int = 0
    """The most that they may take."""
    oldest: float = 0.0
    """Age in seconds of the oldest message that the broker waits to hear about, to the second."""


class Consumer(Protocol):
    """One subscription: hands messages over, and settles them when their outcomes come home.

    No method waits, but for `close`. `take` belongs to the dataflow's thread; `settle` and
    `drain` may be called from any thread, as may `load`, seldom.
    """

    def start(self) -> None:
        """Begin to connect and to consume, in the background, and for ever."""

    def take(self) -> list[Opened | Arrived | Lost]:
        """Hand over everything that has happened since the last call, in order.

        `Opened` precedes the first message; after `Lost`, nothing of that origin comes any more.
        """

    def settle(self, outcomes: Outcomes) -> None:
        """Acknowledge what was stored or dropped, and park what was rejected, as soon as possible.

        Outcomes of an origin whose connection is gone are counted and forgotten: the broker has
        taken those messages back. A tag may be named twice; the second time is ignored.
        """

    def is_stale(self, origin: Origin) -> bool:
        """Whether that connection is gone, so that outcomes of its messages change nothing.

        To be asked from any thread, for each batch: it does not wait.
        """

    def grow(self) -> None:
        """Let in more messages than a full consumer may hold, as soon as possible.

        Nothing happens where `load` says that it may not grow.
        """

    def drain(self) -> None:
        """Stop consuming; what has arrived is still handed over. Again is allowed."""

    @property
    def started(self) -> bool:
        """It consumes in this process."""

    @property
    def drained(self) -> bool:
        """Told to drain, and everything that will ever arrive has been taken."""

    @property
    def unacknowledged(self) -> int:
        """Messages that the broker waits to hear about."""

    @property
    def load(self) -> Load:
        """How many messages it holds, and whether it may hold more; nothing without connection."""

    @property
    def awaiting_outcome(self) -> int:
        """Those of them that have no outcome yet; to be asked from any thread, and seldom."""

    @property
    def counts(self) -> ConsumerCounts:
        """What became of rejected messages, and of late outcomes; to be asked from any thread."""

    def close(self) -> None:
        """Settle what was handed in, give the rest back, and wait until the broker knows it all."""


class Source(Protocol):
    """A service that messages come from."""

    def consumers(self) -> list[str]:
        """Names of all consumers of the cluster, sorted, and the same in every process."""

    def queue_of(self, consumer: str) -> str:
        """The queue that the consumer of that name consumes."""

    def consumer(self, name: str) -> Consumer:
        """The consumer of that name in this process; the same object each time."""

    def unacknowledged(self) -> int:
        """Messages of this process that the broker waits to hear about."""

    def stopped_because(self) -> list[str]:
        """Why consumers of this process read nothing, or a probe now and then."""

    def disconnected_because(self) -> Mapping[str, str]:
        """Why consumers of this process are not connected, by their names, where it is known."""

    def refused_because(self) -> str:
        """Why consumers of this process never can consume, with the remedy; empty: they may.

        The service has refused what only the first attempt could show, so the job has to end.
        """

    def other_consumers(self) -> Mapping[str, int]:
        """How many consumers each queue has beside this job's, as was heard last, if any.

        Of a job that has not begun, on all processes, too few may be told; never too many for long.
        """

    def check(self) -> None:
        """Reach the service once, and prepare what the spec wants prepared.

        Raises:
            Unavailable: it cannot be reached, or what the job needs is not there.
        """

    def properties(self, message: Message) -> Properties:
        """Decode a message's envelope."""


class NameRules(Protocol):
    """A sink's limits for the names of indices and documents."""

    @property
    def max_id_bytes(self) -> int:
        """The sink refuses a longer `_id`."""

    def problem_of_index(self, name: str) -> str | None:
        """Return why no index can have this name; `None`: one can."""


class Addressing(NameRules, Protocol):
    """A sink's rule for where a message's document goes, and what it is called there."""

    @property
    def fields(self) -> Collection[str]:
        """The fields of the document that `address` looks at: no others need be known."""

    @property
    def needs_body(self) -> bool:
        """`address` looks into the body as it came.

        Where it looks at neither, messages of the same envelope have the same address.
        """

    def address(
        self, document: Mapping[str, Any], properties: Properties, body: bytes, now: float
    ) -> tuple[str | None, str | None] | Rejection:
        """Index and `_id`, or why there are none; `now` is the time of arrival.

        No index: where the sink's spec says, for all documents alike. No `_id`: the sink makes one
        up. What is not needed may be left empty.
        """

    def index_of(
        self, document: Mapping[str, Any], properties: Properties, now: float
    ) -> str | Rejection | None:
        """Index alone, for documents that bring their own `_id`."""


class Sink(Protocol):
    """A service that stores documents."""

    def addressing(self, queue: str) -> Addressing:
        """Where documents of the messages of that queue go."""

    def check(self) -> None:
        """Ask once whether we are let in; a service that is down is waited for later.

        Raises:
            Unavailable: it answers, and does not let us in.
        """

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """Store these documents, in the background, however long it takes; never waits.

        `reply` is called from any thread, as often as there is news; each position is named in
        exactly one `Answer`. The function that is returned withdraws what has not been answered:
        it is not sent again, and `reply` is not called for it any more.
        """

    def flush(self) -> None:
        """Send without delay what waits for company. Never waits."""

    def pace(self) -> SinkPace:
        """How much it may send now; to be asked from any thread."""

    def state(self) -> SinkState:
        """What it says now; to be asked from any thread."""

    def close(self) -> None:
        """Forget what is not stored yet, and end the background work."""
