"""Decides which documents are left out of a request because their index does not exist.

Elasticsearch creates each index that it is asked to write to, unless the cluster forbids it. If the
spec forbids it, the job looks for the index first. Pure: `now` is an argument, in seconds of any
clock that only goes forward.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.elasticsearch.bulk_response import Items, Refusal, RefusedRequest, Retry
from connectors.elasticsearch.request import Request, RequestPart

KNOWN_FOR = 5.0
"""Seconds for which an index counts as present: if it is deleted within them, a write may create it
again."""

ABSENT_FOR = 1.0
"""Seconds for which an index counts as missing: the longest extra wait of a waiting document."""


class Existence:
    """Knows which indices exist; thread-safe."""

    def __init__(self, index: str | None, wait: bool) -> None:
        """`index`: for documents that name none; `wait`: retry documents of a missing index.

        Without `wait`, they are rejected.
        """
        self._index, self._wait = index, wait
        self._known: dict[str, tuple[bool, float]] = {}

    def unknown(self, request: Request, now: float) -> list[str]:
        """Return the indices of these documents that the caller must look for."""
        known, forgotten = self._known, (False, now)
        if len(known) > _MAX_KNOWN:
            self._known = known = {name: k for name, k in known.copy().items() if k[1] > now}
        names = set(self._indices(request))
        return [name for name in names if name and known.get(name, forgotten)[1] <= now]

    def learn(self, name: str, exists: bool, now: float) -> None:
        """Note whether an index exists."""
        self._known[name] = exists, now + (KNOWN_FOR if exists else ABSENT_FOR)

    def absent(self, request: Request) -> list[Refusal]:
        """Return a refusal for each document whose index does not exist."""
        known, names = self._known, self._indices(request)
        missing = {name for name in set(names) if name in known and not known[name][0]}
        if not missing:
            return []
        return [
            Refusal(position, 404, f"{_MISSING}: no such index [{name}]")
            for position, name in enumerate(names)
            if name in missing
        ]

    def join(
        self, reading: Items | Retry | RefusedRequest, absent: list[Refusal], documents: int
    ) -> Items | Retry | RefusedRequest:
        """Combine the `reading` of the documents that were sent with the `absent` ones."""
        if not isinstance(reading, Items):
            return reading
        if absent:
            reading = _renumbered(reading, remaining(absent, documents))
        if not self._wait:
            return reading._replace(rejected=sorted([*reading.rejected, *absent]))
        # A missing index is the fault of neither the document nor Elasticsearch: retry it.
        late = [refusal for refusal in reading.rejected if refusal.reason.startswith(_MISSING)]
        return reading._replace(
            throttled=sorted([*reading.throttled, *absent, *late]),
            rejected=[refusal for refusal in reading.rejected if refusal not in late],
        )

    def _indices(self, request: Request) -> list[str | None]:
        names: list[str | None] = []
        for part in request.parts:
            indices = part.batch.documents.indices
            if indices is None:
                names += [self._index] * len(part.positions)
            else:
                names += [indices[position] or self._index for position in part.positions]
        return names


def remaining(absent: list[Refusal], documents: int) -> list[int]:
    """Return the positions in the request of the documents that are not absent."""
    out = {refusal.position for refusal in absent}
    return [position for position in range(documents) if position not in out]


def parts_without(request: Request, absent: list[Refusal]) -> list[RequestPart]:
    """Return the parts of a request without the absent documents."""
    if not absent:
        return request.parts
    out = {refusal.position for refusal in absent}
    parts, start = [], 0
    for part in request.parts:
        kept = [p for place, p in enumerate(part.positions, start) if place not in out]
        start += len(part.positions)
        if kept:
            parts.append(part.only(kept))
    return parts


def _renumbered(items: Items, places: list[int]) -> Items:
    def move(refusals: Sequence[Refusal]) -> list[Refusal]:
        return [refusal._replace(position=places[refusal.position]) for refusal in refusals]

    return items._replace(
        stored=[places[position] for position in items.stored],
        throttled=move(items.throttled),
        failed=move(items.failed),
        rejected=move(items.rejected),
        conflicts=[places[position] for position in items.conflicts],
        create_conflicts=move(items.create_conflicts),
        failed_claims={places[position]: there for position, there in items.failed_claims.items()},
    )


_MAX_KNOWN = 10_000
_MISSING = "index_not_found_exception"
