"""The sink of the memory connector; the store and its faults are in `store.py`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from connectors.connector import Addressing
from connectors.memory.request import MemorySubmission
from connectors.memory.spec import MemorySink
from connectors.memory.store import MemoryStore
from connectors.message import Answer, Documents, Properties, SinkPace, SinkState


class ByMessageId:
    """An `Addressing` with the `message_id` as `_id`, and one index."""

    fields: Collection[str] = ()
    needs_body = leaves_ids = False
    max_id_bytes = 512
    """The limit of Elasticsearch, so that a flow in memory behaves the same."""

    def problem_of_index(self, name: str) -> None:
        """See `NameRules`; every name is valid."""

    def address(
        self, document: Mapping[str, Any], properties: Properties, body: bytes, now: float
    ) -> tuple[str | None, str | None]:
        """See `Addressing`."""
        return None, properties.message_id

    def index_of(self, document: Mapping[str, Any], properties: Properties, now: float) -> None:
        """See `Addressing`."""


class MemoryStoreSink:
    """A store in memory as a sink (see `connectors.connector.Sink`)."""

    def __init__(
        self,
        spec: MemorySink,
        documents: MemoryStore | None = None,
        addressing: Callable[[str], Addressing] = lambda _queue: ByMessageId(),
        index: str | None = None,
        action: str | None = None,
    ) -> None:
        """`documents`: the store; `None`: the store with the name in the spec.

        `index` and `action`: for documents that name none.
        """
        self._store = documents if documents is not None else store(spec.name)
        self._addressing, self._index, self._action = addressing, index, action

    def addressing(self, queue: str) -> Addressing:
        """See `Sink`."""
        return self._addressing(queue)

    def check(self) -> None:
        """See `Sink`; the store always exists."""

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """See `Sink`."""
        submission = MemorySubmission(documents, reply, self._index, self._action)
        self._store.write(submission)
        return submission.withdraw

    def flush(self) -> None:
        """See `Sink`; no document waits for a larger request."""

    def pace(self) -> SinkPace:
        """See `Sink`; it sends no requests."""
        return SinkPace()

    def state(self) -> SinkState:
        """See `Sink`."""
        return self._store.state()

    def close(self) -> None:
        """See `Sink`; waiting documents are lost with the process."""


def store(name: str) -> MemoryStore:
    """Return the store of that name in this process."""
    return _STORES.setdefault(name, MemoryStore())


_STORES: dict[str, MemoryStore] = {}
