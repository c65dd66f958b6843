"""Keeps documents of the same name in order: a later one waits for the earlier one.

Pure. A document's name is its `_id` and its index. Several requests are in flight at once, and a
retried document may be sent later than one that came after it.

Rule 1: All documents of one name that are in flight or wait for a retry are in one request, which
        has taken the name.
Rule 2: Other documents of the name are held until that request is settled, and are then sent in the
        order of arrival.
Rule 3: Documents of one name share a request only if each replaces the one before: then the earlier
        one need not be stored once the later one is.

A document with a name costs 0.2 µs for this, one without a name nothing.

This module sees neither other processes, nor aliases of an index, nor a request that Elasticsearch
still processes after the job's time limit. Versions and claims protect against these.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, repeat

from connectors.elasticsearch.bulk_response import Items
from connectors.elasticsearch.request import DocumentNames, Name, Request, RequestPart
from connectors.message import Documents

HeldDocument = tuple[int, int, RequestPart]
"""The number of a document's batch and its position in it, which are the order of arrival; and the
part that it was in, which has its attempts."""


class PerIdOrder:
    """The names that are taken, and the documents that wait for them."""

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes`: the largest request made of held documents, in bytes."""
        self.max_bytes = max_bytes
        self._taken: set[Name] = set()
        self._held: dict[Name, list[HeldDocument]] = {}

    @property
    def held(self) -> list[RequestPart]:
        """The held documents."""
        places = [place for held in self._held.values() for place in held]
        return [part.only([position]) for _, position, part in places]

    def take_names(self, parts: list[RequestPart]) -> tuple[list[RequestPart], set[Name]]:
        """Take the names of a request to send; hold documents that must wait. Rules 1 and 3."""
        names = names_of(parts)
        if self._taken.isdisjoint(names) and (_all_replace(parts) or not _repeat(parts, names)):
            self._taken |= names
            return parts, names
        mine: dict[Name, bool] = {}

        def may_go(name: Name, part: RequestPart, _: int) -> bool:
            if name in self._taken or name in self._held:
                return False
            replaces = _replaces(part)
            if name in mine and not (mine[name] and replaces):
                return False
            mine[name] = replaces
            return True

        parts = self._hold_unless(parts, may_go)
        self._taken.update(mine)
        return parts, set(mine)

    def share(self, requests: Sequence[Request]) -> list[Request]:
        """Divide the names of a request among its halves; hold documents that must wait. Rule 1."""
        shared: list[Request] = []
        given: set[Name] = set()

        def free(name: Name, _: RequestPart, __: int) -> bool:
            return name not in given

        for request in requests:
            parts = self._hold_unless(request.parts, free)
            names = names_of(parts)
            given |= names
            if parts:
                shared.append(Request(parts, names))
        return shared

    def one_of_each(
        self, retries: Sequence[tuple[RequestPart, float]]
    ) -> list[tuple[RequestPart, float]]:
        """Hold all but the first retry of each name: their times differ. Rule 1."""
        parts = [part for part, _ in retries]
        if not _repeat(parts, names_of(parts)):
            return list(retries)
        firsts: dict[Name, tuple[int, int]] = {}
        for part in parts:
            for position, name in zip(part.positions, part.names, strict=False):
                place = part.batch.number, position
                firsts[name] = min(place, firsts.get(name, place))

        def first(name: Name, part: RequestPart, position: int) -> bool:
            return firsts[name] == (part.batch.number, position)

        return [
            (left, due_at) for part, due_at in retries for left in self._hold_unless([part], first)
        ]

    def release(self, names: set[Name]) -> list[Request]:
        """Free these names, and return requests of the documents that waited for them. Rule 2."""
        self._taken -= names
        if not self._held:
            return []
        runs = [run for name in names & self._held.keys() if (run := self._next_run(name))]
        runs.sort(key=lambda run: run[0][:2])
        requests: list[Request] = []
        places: list[HeldDocument] = []
        for run in runs:
            if places and _size(places) + _size(run) > self.max_bytes:
                requests.append(_request(places))
                places = []
            places += run
        return [*requests, _request(places)] if places else requests

    def _next_run(self, name: Name) -> list[HeldDocument]:
        """Return the held documents to send next by a name, and take the name again."""
        held = [place for place in self._held.pop(name) if not place[2].batch.withdrawn]
        run, size = held[:1], _size(held[:1])
        if run and _replaces(run[0][2]):
            for place in held[1:]:
                size += _size([place])
                if size > self.max_bytes or not _replaces(place[2]):
                    break
                run.append(place)
        if run:
            self._taken.add(name)
        if len(run) < len(held):
            self._held[name] = held[len(run) :]
        return run

    def _hold_unless(
        self, parts: list[RequestPart], may_go: Callable[[Name, RequestPart, int], bool]
    ) -> list[RequestPart]:
        """Hold the documents for which `may_go` is false; return the others."""
        sifted = []
        for part in parts:
            kept = []
            for position, name in zip(part.positions, part.names or repeat(None), strict=False):
                if name is None or may_go(name, part, position):
                    kept.append(position)
                else:
                    place = part.batch.number, position, part
                    insort(self._held.setdefault(name, []), place)
            if len(kept) == len(part.positions):
                sifted.append(part)
            elif kept:
                sifted.append(part.only(kept))
        return sifted


def names_of(parts: Iterable[RequestPart]) -> set[Name]:
    """Return the names of all documents in these parts."""
    names: set[Name] = set().union(*(part.names for part in parts))
    names.discard(None)
    return names


def document_names(documents: Documents, action: str, index: str | None) -> DocumentNames | None:
    """Return the names of a batch; `None`: its documents need no order.

    `action` and `index`: for documents that name none. The order of two attempts to `create` the
    same document makes no difference.
    """
    ids, indices, actions = documents.ids, documents.indices, documents.actions
    claims = documents.claims is not None
    if ids is None or (actions is None and action == "create" and not claims):
        return None
    if indices is None:
        column: list[Name | None] = list(ids)
    else:
        column = [
            id if id is None or where is None or where == index else (where, id)
            for id, where in zip(ids, indices, strict=True)
        ]
    kinds = {action} if actions is None else {each or action for each in actions}
    return DocumentNames(
        column, not (documents.versions or claims) and kinds <= {"index", "delete"}
    )


def count_replaced_as_stored(request: Request, items: Items) -> Items:
    """Count a document as stored if a later one of its request has replaced it. Rule 3."""
    refused = [*items.throttled, *items.failed]
    if not refused or not _repeat(request.parts, request.names or set()):
        return items
    names = [name for part in request.parts for name in _padded(part)]
    last = {names[position]: position for position in items.stored}
    last.pop(None, None)
    replaced = {
        refusal.position
        for refusal in refused
        if last.get(names[refusal.position], -1) > refusal.position
    }
    if not replaced:
        return items
    return items._replace(
        stored=sorted([*items.stored, *replaced]),
        throttled=[refusal for refusal in items.throttled if refusal.position not in replaced],
        failed=[refusal for refusal in items.failed if refusal.position not in replaced],
    )


def _padded(part: RequestPart) -> Sequence[Name | None]:
    return part.names or [None] * len(part.positions)


def _replaces(part: RequestPart) -> bool:
    return part.batch.names is None or part.batch.names.replacing


def _all_replace(parts: Iterable[RequestPart]) -> bool:
    return all(_replaces(part) for part in parts)


def _repeat(parts: Iterable[RequestPart], names: set[Name]) -> bool:
    """Return whether a name occurs twice."""
    columns = [part.names for part in parts]
    return sum(len(column) - column.count(None) for column in columns) > len(names)


def _size(places: Iterable[HeldDocument]) -> int:
    return sum(part.batch.size([position]) for _, position, part in places)


def _request(places: list[HeldDocument]) -> Request:
    """Return a request of held documents, in order of arrival."""
    places.sort(key=lambda place: place[:2])
    parts = []
    for _, alike in groupby(places, key=lambda place: id(place[2])):
        some = list(alike)
        parts.append(some[0][2].only([position for _, position, _ in some]))
    return Request(parts, names_of(parts))
