"""The requests to a store in memory, and the answers that tests inject. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from connectors.message import Answer, Documents, Rejection

REFUSED = (400, 413)
"""The statuses of a whole request that is never accepted as it is."""


class InjectedAnswer(NamedTuple):
    """An answer of Elasticsearch that a test injects; `status` is an HTTP status.

    For one document, 429, 500 and above mean a retry, and any other error a refusal. For a whole
    request, 400 and 413 mean a retry in halves, down to the document that is refused; any other
    error means a retry of the whole request.
    """

    status: int
    item: int | None = None
    """Number of the document in the request, from 1; `None`: the whole request."""
    times: int = 1
    """Number of requests that get this answer."""

    @property
    def reason(self) -> str:
        """The reason in the answer."""
        return f"answered with {self.status}, as the test says"


class BulkRequest(NamedTuple):
    """The record of a request that was sent once, with its answer."""

    documents: Documents
    """All documents of the `submit`."""
    positions: Sequence[int]
    """The positions of the documents in this request, in order."""
    answer: Answer | None
    """`None`: the store was down, or its answer was lost."""
    status: int | None = None
    """The injected status of the whole request; `None`: it did not fail as a whole."""


class MemorySubmission:
    """The documents of one `submit`, and the function that takes the answer."""

    def __init__(
        self,
        documents: Documents,
        reply: Callable[[Answer], None],
        index: str | None = None,
        action: str | None = None,
    ) -> None:
        """`index` and `action`: for documents that name none."""
        self.documents, self.reply = documents, reply
        self.index, self.action = index, action
        self.withdrawn = False

    def place(self, position: int) -> tuple[str | None, str | None]:
        """Return the index and the `_id` of a document."""
        indices, ids = self.documents.indices, self.documents.ids
        index = (indices[position] if indices else None) or self.index
        return index, ids[position] if ids else None

    def withdraw(self) -> None:
        """See `Sink.submit`."""
        self.withdrawn = True


class MemoryRequest(NamedTuple):
    """Some documents of a submission, and how many times they were sent before."""

    submission: MemorySubmission
    positions: list[int]
    attempts: int = 0

    def sent(self, answer: Answer | None, status: int | None = None) -> BulkRequest:
        """Return the record of sending it."""
        return BulkRequest(self.submission.documents, self.positions, answer, status)

    def refused(self, injected: InjectedAnswer) -> tuple[list[MemoryRequest], Answer]:
        """Return the retries and the answer if the store refuses the whole request."""
        sent, half = self._replace(attempts=self.attempts + 1), len(self.positions) // 2
        if injected.status not in REFUSED:
            return [sent], Answer([], [])
        if half:
            parts = self.positions[:half], self.positions[half:]
            return [sent._replace(positions=part) for part in parts], Answer([], [])
        [position] = self.positions
        index, id = self.submission.place(position)
        rejection = Rejection(injected.reason, injected.status, index, id, sent.attempts)
        return [], Answer([], [(position, rejection)])
