"""What is sent together, and the batches that it came in.

Pure. It knows no time, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from connectors.elasticsearch.isolate import Record
from connectors.message import Documents

Name = Hashable
"""What tells one document in Elasticsearch from all others: its `_id`, and its index."""


class DocumentNames(NamedTuple):
    """Which documents of a batch are which."""

    column: list[Name | None]
    """`None`: a document that is like no other."""
    replacing: bool
    """Each one makes an earlier one of the same name as if it had never been."""


class Batch:
    """What came in together, by one call of `submit`."""

    __slots__ = ("documents", "heads", "names", "number", "overhead", "withdrawn")

    def __init__(
        self,
        documents: Documents,
        heads: list[bytes] | None,
        overhead: int,
        names: DocumentNames | None = None,
    ) -> None:
        """`heads`: the line above each document.

        `None`: it is the same for all, and `overhead` is what a request adds to each, in bytes.
        `names`: those of documents that must not overtake others of the same name.
        """
        self.documents, self.heads, self.overhead = documents, heads, overhead
        self.names = names
        self.number = 0
        """Counts batches as they come in."""
        self.withdrawn = False

    def size(self, positions: Sequence[int]) -> int:
        """Bytes that these documents take up in a request, at the most."""
        sources, heads = self.columns(positions)
        size = sum(map(len, sources))
        if heads is None:
            return size + self.overhead * len(sources)
        return size + sum(map(len, heads)) + 2 * len(sources)  # a newline after each

    def columns(self, positions: Sequence[int]) -> tuple[list[bytes], list[bytes] | None]:
        """Sources and heads of these documents."""
        sources, heads = self.documents.sources, self.heads
        if len(positions) == len(sources):
            return sources, heads
        return (
            [sources[position] for position in positions],
            None if heads is None else [heads[position] for position in positions],
        )


class RequestPart:
    """Documents of one batch that have the same past."""

    __slots__ = ("attempts", "batch", "errors", "maybe_stored", "positions", "refusals")

    def __init__(self, batch: Batch, positions: Sequence[int]) -> None:
        self.batch, self.positions = batch, positions
        self.attempts = 0
        """How often they have been taken to be sent."""
        self.refusals = 0
        """How often Elasticsearch said of just these documents: again."""
        self.errors = 0
        """How many of these were failures of Elasticsearch itself."""
        self.maybe_stored = False
        """They were sent in a request whose answer is lost."""

    def only(self, positions: Sequence[int]) -> RequestPart:
        """Some of these documents, with the same past."""
        part = RequestPart(self.batch, positions)
        part.attempts, part.refusals, part.errors = self.attempts, self.refusals, self.errors
        part.maybe_stored = self.maybe_stored
        return part

    @property
    def size(self) -> int:
        """In a request, in bytes."""
        return self.batch.size(self.positions)

    @property
    def names(self) -> list[Name | None]:
        """Of documents that have one, in their order."""
        names = self.batch.names
        if names is None:
            return []
        if len(self.positions) == len(names.column):
            return names.column
        return [names.column[position] for position in self.positions]


class Request:
    """Parts that are sent together."""

    __slots__ = ("names", "parts", "record")

    def __init__(self, parts: list[RequestPart], names: set[Name] | None = None) -> None:
        self.parts = parts
        self.names = names
        """Those that no other request may use now; `None`: it has not asked for them yet."""
        self.record = Record()
        """What speaks against it, as it is."""

    @property
    def documents(self) -> int:
        """How many there are."""
        return sum(len(part.positions) for part in self.parts)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(part.size for part in self.parts)

    def mark_maybe_stored(self) -> None:
        """All of it was sent, and the result is unknown."""
        for part in self.parts:
            part.maybe_stored = True

    def halves(self) -> tuple[Request, Request]:
        """The same documents in two requests; needs two documents at least."""
        if len(self.parts) > 1:
            middle = len(self.parts) // 2
            return Request(self.parts[:middle]), Request(self.parts[middle:])
        (part,) = self.parts
        middle = len(part.positions) // 2
        first, second = part.positions[:middle], part.positions[middle:]
        return Request([part.only(first)]), Request([part.only(second)])
