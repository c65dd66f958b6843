"""Decides which documents have to wait for others of the same name, so that none overtakes one.

Pure. With one request after the other there would be little to decide; with several under way, and
documents that are sent again later than others that came after them, there is.

Rule 1: Of the documents of one name, those that are under way or wait to be sent again are all in
        one request, which has taken the name.
Rule 2: Others are held until that one is settled, and are sent then, in the order they came in.
Rule 3: Documents of one name share a request only where each replaces the one before: then the
        earlier one need not be stored any more once the later one is.

A document with a name costs 0.2 µs for all this, one without costs nothing.

It does not see other processes, other names of the same index, nor a request that Elasticsearch
still works on although the job does not wait for its answer any more. Against these help
versions, and claims.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, repeat

from connectors.elasticsearch.bulk_response import Items
from connectors.elasticsearch.request import DocumentNames, Name, Request, RequestPart
from connectors.message import Documents

Place = tuple[int, int, RequestPart]
"""The number of a document's batch and its position there, which are the order of arrival; and the
part that it was in, which has its past."""


class PerIdOrder:
    """The names that are taken, and the documents that wait for them."""

    def __init__(self, bytes_max: int) -> None:
        """`bytes_max`: of a request made of documents that have waited."""
        self.bytes_max = bytes_max
        self._taken: set[Name] = set()
        self._held: dict[Name, list[Place]] = {}

    @property
    def held(self) -> list[RequestPart]:
        """The documents that wait."""
        places = [place for held in self._held.values() for place in held]
        return [part.only([position]) for _, position, part in places]

    def claim(self, parts: list[RequestPart]) -> tuple[list[RequestPart], set[Name]]:
        """Take the names of a request that is to be sent; hold what has to wait. Rules 1 and 3."""
        names = names_of(parts)
        if self._taken.isdisjoint(names) and (_all_replace(parts) or not _repeat(parts, names)):
            self._taken |= names
            return parts, names
        mine: dict[Name, bool] = {}

        def goes(name: Name, part: RequestPart, _: int) -> bool:
            if name in self._taken or name in self._held:
                return False
            replaces = _replaces(part)
            if name in mine and not (mine[name] and replaces):
                return False
            mine[name] = replaces
            return True

        parts = self._sift(parts, goes)
        self._taken.update(mine)
        return parts, set(mine)

    def share(self, requests: Sequence[Request]) -> list[Request]:
        """Divide the names of a request among its halves; hold what has to wait. Rule 1."""
        shared: list[Request] = []
        given: set[Name] = set()

        def free(name: Name, _: RequestPart, __: int) -> bool:
            return name not in given

        for request in requests:
            parts = self._sift(request.parts, free)
            names = names_of(parts)
            given |= names
            if parts:
                shared.append(Request(parts, names))
        return shared

    def one_of_each(
        self, retries: Sequence[tuple[RequestPart, float]]
    ) -> list[tuple[RequestPart, float]]:
        """Hold what would be sent again at another time than one of the same name. Rule 1."""
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

        return [(left, due_at) for part, due_at in retries for left in self._sift([part], first)]

    def release(self, names: set[Name]) -> list[Request]:
        """These names are free: what is to be sent now that has waited for them. Rule 2."""
        self._taken -= names
        if not self._held:
            return []
        runs = [run for name in names & self._held.keys() if (run := self._next_run(name))]
        runs.sort(key=lambda run: run[0][:2])
        requests: list[Request] = []
        places: list[Place] = []
        for run in runs:
            if places and _size(places) + _size(run) > self.bytes_max:
                requests.append(_request(places))
                places = []
            places += run
        return [*requests, _request(places)] if places else requests

    def _next_run(self, name: Name) -> list[Place]:
        """The documents that are next to go by a name, which they take."""
        held = [place for place in self._held.pop(name) if not place[2].batch.withdrawn]
        run, size = held[:1], _size(held[:1])
        if run and _replaces(run[0][2]):
            for place in held[1:]:
                size += _size([place])
                if size > self.bytes_max or not _replaces(place[2]):
                    break
                run.append(place)
        if run:
            self._taken.add(name)
        if len(run) < len(held):
            self._held[name] = held[len(run) :]
        return run

    def _sift(
        self, parts: list[RequestPart], goes: Callable[[Name, RequestPart, int], bool]
    ) -> list[RequestPart]:
        """Hold the documents that may not go."""
        sifted = []
        for part in parts:
            kept = []
            for position, name in zip(part.positions, part.names or repeat(None), strict=False):
                if name is None or goes(name, part, position):
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
    """The names of all documents in these."""
    names: set[Name] = set().union(*(part.names for part in parts))
    names.discard(None)
    return names


def naming(documents: Documents, action: str, index: str | None) -> DocumentNames | None:
    """The names of a batch; `None`: none of its documents can overtake another.

    `action` and `index` are of those that say none. Whether a document that is there already is
    made before or after another attempt to make it is all the same.
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


def replace(request: Request, items: Items) -> Items:
    """Count as stored what was not, but has been replaced by a later one that was. Rule 3."""
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
    return Items(
        sorted([*items.stored, *replaced]),
        [refusal for refusal in items.throttled if refusal.position not in replaced],
        [refusal for refusal in items.failed if refusal.position not in replaced],
        items.rejected,
        items.conflicts,
        items.in_failure_store,
        others=items.others,
    )


def _padded(part: RequestPart) -> Sequence[Name | None]:
    return part.names or [None] * len(part.positions)


def _replaces(part: RequestPart) -> bool:
    return part.batch.names is None or part.batch.names.replacing


def _all_replace(parts: Iterable[RequestPart]) -> bool:
    return all(_replaces(part) for part in parts)


def _repeat(parts: Iterable[RequestPart], names: set[Name]) -> bool:
    """Some name is there twice."""
    columns = [part.names for part in parts]
    return sum(len(column) - column.count(None) for column in columns) > len(names)


def _size(places: Iterable[Place]) -> int:
    return sum(part.batch.size([position]) for _, position, part in places)


def _request(places: list[Place]) -> Request:
    """A request of documents that have waited, in order of arrival."""
    places.sort(key=lambda place: place[:2])
    parts = []
    for _, alike in groupby(places, key=lambda place: id(place[2])):
        some = list(alike)
        parts.append(some[0][2].only([position for _, position, _ in some]))
    return Request(parts, names_of(parts))
