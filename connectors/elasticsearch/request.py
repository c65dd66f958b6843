"""A request, and the batches that its documents came in.

Pure. It knows no time, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from connectors.elasticsearch.isolate import RefusalRecord
from connectors.message import Documents

Name = Hashable
"""Identifies a document in Elasticsearch: its `_id`, and its index."""


class DocumentNames(NamedTuple):
    """The names of the documents of a batch."""

    column: list[Name | None]
    """`None`: a document without an `_id`, so that no other has its name."""
    replacing: bool
    """Each document replaces an earlier one of the same name completely."""


class Batch:
    """The documents of one call of `submit`."""

    __slots__ = ("_size", "documents", "heads", "names", "number", "overhead", "withdrawn")

    def __init__(
        self,
        documents: Documents,
        heads: list[bytes] | None,
        overhead: int,
        names: DocumentNames | None = None,
    ) -> None:
        """`heads`: the action line of each document.

        `None`: it is the same for all, and a request needs `overhead` bytes more for each.
        `names`: of documents that must not overtake others of the same name.
        """
        self.documents, self.heads, self.overhead = documents, heads, overhead
        self.names = names
        self.number = 0
        """Number of the batch, in the order of submission."""
        self.withdrawn = False
        self._size = self._size_of(documents.sources, heads)

    def size(self, positions: Sequence[int]) -> int:
        """Return the bytes of these documents in a request."""
        if len(positions) == len(self.documents.sources):
            return self._size
        return self._size_of(*self.columns(positions))

    def _size_of(self, sources: list[bytes], heads: list[bytes] | None) -> int:
        size = sum(map(len, sources))
        if heads is None:
            return size + self.overhead * len(sources)
        # A deletion has no second line; without actions of their own, all are deletions or none.
        may_delete = self.documents.actions is not None or b"" in sources[:1]
        lines = 2 * len(sources) - (sources.count(b"") if may_delete else 0)
        return size + sum(map(len, heads)) + lines  # a newline after each

    def columns(self, positions: Sequence[int]) -> tuple[list[bytes], list[bytes] | None]:
        """Return sources and action lines of these documents."""
        sources, heads = self.documents.sources, self.heads
        if len(positions) == len(sources):
            return sources, heads
        return (
            [sources[position] for position in positions],
            None if heads is None else [heads[position] for position in positions],
        )


class RequestPart:
    """Documents of one batch with the same history of attempts."""

    __slots__ = ("attempts", "batch", "errors", "maybe_stored", "positions", "refusals")

    def __init__(self, batch: Batch, positions: Sequence[int]) -> None:
        self.batch, self.positions = batch, positions
        self.attempts = 0
        """How often they were sent."""
        self.refusals = 0
        """Answers in a row that refused most of the documents of this part, and so these."""
        self.errors = 0
        """Answers that were failures of Elasticsearch itself."""
        self.maybe_stored = False
        """They were sent in a request whose answer was lost."""

    def only(self, positions: Sequence[int]) -> RequestPart:
        """Return some of these documents, with the same history."""
        part = RequestPart(self.batch, positions)
        part.attempts, part.refusals, part.errors = self.attempts, self.refusals, self.errors
        part.maybe_stored = self.maybe_stored
        return part

    @property
    def may_join(self) -> bool:
        """A retry need not wait: most of what was sent with these documents was accepted."""
        return not self.refusals

    @property
    def size(self) -> int:
        """Bytes of the part in a request."""
        return self.batch.size(self.positions)

    @property
    def names(self) -> list[Name | None]:
        """Names of the documents, in order; empty if the batch has no names."""
        names = self.batch.names
        if names is None:
            return []
        if len(self.positions) == len(names.column):
            return names.column
        return [names.column[position] for position in self.positions]


class Request:
    """Parts that are sent together."""

    __slots__ = ("names", "parts", "record", "size_signs")

    def __init__(self, parts: list[RequestPart], names: set[Name] | None = None) -> None:
        self.parts = parts
        self.names = names
        """Names that this request has taken; `None`: it has not taken them yet."""
        self.record = RefusalRecord()
        """The refusals of this request."""
        self.size_signs = 0
        """Signs in a row that this request is too large: see `size_limit`."""

    @property
    def documents(self) -> int:
        """Number of documents."""
        return sum(len(part.positions) for part in self.parts)

    @property
    def size(self) -> int:
        """Bytes of the request."""
        return sum(part.size for part in self.parts)

    def mark_maybe_stored(self) -> None:
        """Note that all documents were sent, and that the result is unknown."""
        for part in self.parts:
            part.maybe_stored = True

    def halves(self) -> tuple[Request, Request]:
        """Divide the documents among two requests; there must be at least two."""
        if len(self.parts) > 1:
            middle = len(self.parts) // 2
            return Request(self.parts[:middle]), Request(self.parts[middle:])
        (part,) = self.parts
        middle = len(part.positions) // 2
        first, second = part.positions[:middle], part.positions[middle:]
        return Request([part.only(first)]), Request([part.only(second)])
