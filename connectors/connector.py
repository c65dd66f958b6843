"""The interfaces of sources and sinks; `tests/contract/` tests each connector against them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from connectors.latest_dead_letters import LatestDeadLetter
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
    Rejected,
    Rejection,
    Run,
    SinkPace,
    SinkState,
    StreamOpened,
)

ConsumerEvent = Opened | StreamOpened | Arrived | Lost
"""What happens to a consumer."""


class Load(NamedTuple):
    """The messages that a consumer holds, and its limits."""

    held: int = 0
    """Number of unacknowledged messages."""
    prefetch: int = 0
    """The largest number of unacknowledged messages."""
    is_full: bool = False
    """The broker delivers nothing until a message is settled, so silence does not mean idleness."""
    may_grow: bool = False
    """The last messages that arrived left nothing of the prefetch, and `grow` may raise it.
    Acknowledgements since then have not brought others yet."""
    bytes: int = 0
    """Bytes of memory that the messages without an outcome take."""
    memory: int = 0
    """The most bytes that they may take."""
    oldest: float = 0.0
    """Age of the oldest unacknowledged message, in whole seconds."""
    is_missing: bool = False
    """The broker says that the queue does not exist; `False` while the consumer is connected."""


class Consumer(Protocol):
    """One subscription: hands messages over, and settles them by their outcomes.

    No method waits, except `close`. The dataflow's thread calls `take`; any thread may call
    `settle`, `drain`, `pause`, `resume` and, not often, `load`.
    """

    def start(self, wake: Callable[[], object] = lambda: None) -> None:
        """Begin to connect and to consume in the background; reconnect without limit.

        `wake` is called, from any thread, when `take` has news.
        """

    def take(self) -> list[ConsumerEvent]:
        """Hand over everything that has happened since the last call, in order.

        `Opened` precedes the first message of an origin; nothing of it follows its `Lost`.
        """

    def settle(self, outcomes: Outcomes) -> None:
        """Acknowledge stored and dropped messages and park rejected ones, as soon as possible.

        Stale outcomes are counted and ignored: the broker has requeued those messages. A tag may be
        named twice; the second time is ignored.
        """

    def is_stale(self, origin: Origin) -> bool:
        """Return whether that connection is gone, so that outcomes of its messages change nothing.

        Any thread may call it, for each batch: it does not wait.
        """

    def grow(self, waited: float) -> None:
        """Raise the prefetch of a consumer that has used it up, if it may, as soon as that helps.

        `waited`: for how many seconds dataflow and sink have waited since the last call.
        """

    def pause(self) -> None:
        """Stop consuming until `resume`; `take` still hands over what has arrived."""

    def resume(self) -> None:
        """Consume again after `pause`."""

    def drain(self) -> None:
        """Stop consuming; `take` still hands over what has arrived. May be called again."""

    @property
    def started(self) -> bool:
        """Whether it consumes in this process."""

    @property
    def drained(self) -> bool:
        """Whether it drains, and `take` has handed over the last message."""

    @property
    def paused(self) -> bool:
        """Whether it is paused, and `take` has handed over the last message."""

    @property
    def unacknowledged(self) -> int:
        """Number of unacknowledged messages."""

    @property
    def is_full(self) -> bool:
        """See `Load`; cheap enough for each look at the consumer."""

    @property
    def load(self) -> Load:
        """The messages that it holds, and its limits; zeros without a connection."""

    @property
    def awaiting_outcome(self) -> int:
        """Number of unacknowledged messages without an outcome; for any thread, not often."""

    @property
    def counts(self) -> ConsumerCounts:
        """Counts of rejected messages and stale outcomes; for any thread."""

    def close(self) -> None:
        """Settle all given outcomes, requeue the rest, and wait until the broker has read it."""


class Source(Protocol):
    """A service that delivers messages."""

    def consumers(self) -> list[str]:
        """Return the names of all consumers of the cluster, sorted, the same in every process."""

    def queue_of(self, consumer: str) -> str:
        """Return the queue that the consumer of that name consumes."""

    def consumer(self, name: str) -> Consumer:
        """Return the consumer of that name in this process; the same object each time."""

    def unacknowledged(self) -> int:
        """Return the number of unacknowledged messages of this process."""

    def stopped_because(self) -> list[str]:
        """Return why consumers of this process read nothing, or only probes."""

    def disconnected_because(self) -> Mapping[str, str]:
        """Return why consumers of this process are not connected, by name, if it is known."""

    def refused_because(self) -> str:
        """Return why the service never lets this process consume, with the remedy; empty: it does.

        Only the first attempt to consume shows it; the job must end then.
        """

    def other_consumers(self) -> Mapping[str, int]:
        """Return the number of other jobs' consumers by queue, by the last count; without zeros.

        Until all processes of the job have begun, and while messages of replaced consumers are
        unacknowledged, a number may be too small; none is too large for long.
        """

    def waiting(self) -> Mapping[str, int]:
        """Return how many messages wait in each queue of this process, as the service said last.

        A queue is left out while no consumer of this process is connected to it.
        """

    def park(self, rejected: Rejected, consumer: str | None, parked: Callable[[], object]) -> None:
        """Park a message of the job's own, which no consumer holds; retry without limit.

        `consumer`: the name of the one that received it, perhaps in an earlier process; `None`: the
        job has made it. `parked` is called from any thread, once the message is safe. It is not
        called if the process ends before that.
        """

    def close(self) -> None:
        """End what `park` needs, in order; call it once, when the job parks nothing more.

        Each consumer is closed by itself.
        """

    def latest_dead_letters(self) -> Sequence[LatestDeadLetter]:
        """Return the latest dead letters of this process, the latest first; from any thread."""

    def check(self) -> None:
        """Reach the service once, and declare what the spec says.

        Raises:
            Unavailable: it cannot be reached, or something that the job needs does not exist.
        """

    def properties(self, message: Message) -> Properties:
        """Decode a message's envelope; raises `ValueError`."""

    def runs(self, messages: list[Message]) -> Iterable[Run]:
        """Decode the envelopes of messages; each message is in one run, and they stay in order.

        Most messages have the envelope of the one before, or differ in the `message_id` only.
        """

    @property
    def offset(self) -> Callable[[Properties], int | None] | None:
        """Returns the offset of a message in its stream, by its envelope; `None`: it reads queues.

        If there is one, each connection that delivers a message of a stream has a `StreamOpened`.
        """


class NameRules(Protocol):
    """A sink's limits for the names of indices and documents."""

    @property
    def max_id_bytes(self) -> int:
        """The largest size of an `_id`."""

    def problem_of_index(self, name: str) -> str | None:
        """Return why no index can have this name; `None`: the name is valid."""


class Addressing(NameRules, Protocol):
    """A sink's rule for the index and the `_id` of a document."""

    @property
    def fields(self) -> Collection[str]:
        """The fields of the document that `address` reads; the others may be left out."""

    @property
    def needs_body(self) -> bool:
        """Whether `address` reads the received body.

        If it reads neither fields nor body, messages of one envelope have the same address.
        """

    @property
    def leaves_ids(self) -> bool:
        """Whether the spec wants the sink to make every `_id`."""

    def address(
        self, document: Mapping[str, Any], properties: Properties, body: bytes, now: float
    ) -> tuple[str | None, str | None] | Rejection:
        """Return index and `_id`, or why there are none; `now`: the arrival, seconds since 1970.

        Index `None`: the one index of the sink's spec. `_id` `None`: the sink makes one. Arguments
        that `fields` and `needs_body` exclude may be empty.
        """

    def index_of(
        self, document: Mapping[str, Any], properties: Properties, now: float
    ) -> str | Rejection | None:
        """Return only the index, for documents that have their own `_id`."""


class Sink(Protocol):
    """A service that stores documents."""

    def addressing(self, queue: str) -> Addressing:
        """Return the rule for index and `_id` of documents from that queue."""

    def check(self) -> None:
        """Check once whether the service accepts this job; if it is down, return.

        Raises:
            Unavailable: it answers with a refusal.
        """

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """Store documents in the background, and retry without limit; never wait.

        `reply` may be called from any thread and several times; exactly one `Answer` names each
        position.

        Returns:
            A function that withdraws the documents without an answer: they are not sent again, and
            `reply` is not called for them.
        """

    def flush(self) -> None:
        """Send documents that wait for a larger request now. Never waits."""

    def pace(self) -> SinkPace:
        """Return how much it may send now; for any thread."""

    def state(self) -> SinkState:
        """Return the current state; for any thread."""

    def close(self) -> None:
        """Drop the documents that are not stored, and end the background work."""
