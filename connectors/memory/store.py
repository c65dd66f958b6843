"""A store in memory with Elasticsearch's behaviour: one answer for each document, and retries.

It has no thread: everything happens within the calls. Faults are methods of `MemoryStore`.
"""

from __future__ import annotations

import json
import threading
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from connectors.memory.request import BulkRequest, InjectedAnswer, MemoryRequest, MemorySubmission
from connectors.message import Answer, Claim, Rejection, SinkState
from connectors.retry import Backoff

TOO_MANY, FAILED = 429, 500
"""The status of one document to retry: 429, or 500 and above."""
RETRIES = Backoff(0.1, 10.0)
"""The delays of retries, as for Elasticsearch."""


class Stored(msgspec.Struct, frozen=True):
    """A document in the store."""

    index: str | None
    id: str | None
    source: bytes
    version: int | None = None


class MemoryStore:
    """The store; `windows` has the number of documents of each `submit`, in order.

    Time passes only by `advance`, so retries wait for it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._documents: dict[object, Stored] = {}
        self.windows: list[int] = []
        self.written: list[Stored] = []
        """Each write of a document, in order."""
        self.requests: list[BulkRequest] = []
        """Each send of a request, in order."""
        self._refusals: list[tuple[bytes, Rejection]] = []
        self._injected: list[InjectedAnswer] = []
        self._down = self._mute = False
        self._waiting: list[MemoryRequest] = []
        self._retries: list[tuple[float, MemoryRequest]] = []
        self._now = 0.0

    @property
    def documents(self) -> list[Stored]:
        """All stored documents, in the order of their first write."""
        with self.lock:
            return list(self._documents.values())

    def refuse(self, text: bytes, reason: str) -> None:
        """From now on, reject each document that contains this text."""
        with self.lock:
            self._refusals.append((text, Rejection(reason, 400)))

    def accept(self) -> None:
        """From now on, reject nothing."""
        with self.lock:
            self._refusals.clear()

    def answer(self, injected: InjectedAnswer) -> None:
        """Give this answer to the next requests that have document number `item`."""
        with self.lock:
            self._injected += [injected] * injected.times

    def go_down(self) -> None:
        """Answer nothing, until `come_up`."""
        with self.lock:
            self._down = True

    def state(self) -> SinkState:
        """Return the state of the store."""
        with self.lock:
            if self._down:
                return SinkState(False, "the store is down", has_backlog=True)
            return SinkState()

    def go_mute(self) -> None:
        """Store everything, but answer nothing, until `come_up`: then all requests are retried."""
        with self.lock:
            self._mute = True

    def come_up(self) -> None:
        """Answer the waiting requests, and all that follow."""
        with self.lock:
            self._down = self._mute = False
            waiting, self._waiting = self._waiting, []
        for request in waiting:
            self._send(request)

    @property
    def due_at(self) -> float | None:
        """When the next retry is due; `None`: there is none."""
        return min((at for at, _ in self._retries), default=None)

    def advance(self, now: float) -> None:
        """Let time pass; `now`: seconds of any clock that never goes back."""
        with self.lock:
            self._now = now
            due = [request for at, request in self._retries if at <= now]
            self._retries = [(at, request) for at, request in self._retries if at > now]
        for request in due:
            self._send(request)

    def write(self, submission: MemorySubmission) -> None:
        """Store the documents of a submission, or let it wait if the store is down."""
        with self.lock:
            self.windows.append(len(submission.documents.sources))
        self._send(MemoryRequest(submission, list(range(len(submission.documents.sources)))))

    def _send(self, request: MemoryRequest) -> None:
        with self.lock:
            if request.submission.withdrawn:
                return
            if self._down:
                self._waiting.append(request)
                self.requests.append(request.sent(None))
                return
            injected = self._take_injected(len(request.positions))
            if injected is not None and injected.item is None:
                retries, answer = request.refused(injected)
            else:
                retries, answer = self._store(request, injected)
            status = injected.status if injected is not None and injected.item is None else None
            self.requests.append(request.sent(None if self._mute else answer, status))
            if self._mute:
                self._waiting.append(request)
                return
            halved = len(retries) > 1
            for part in () if halved else retries:
                at = self._now + RETRIES.delay(part.attempts - 1, 1.0)
                self._retries.append((at, part))
        if answer.stored or answer.rejected or answer.failed_claims:
            request.submission.reply(answer)
        for half in retries if halved else ():
            self._send(half)

    def _take_injected(self, documents: int) -> InjectedAnswer | None:
        for number, injected in enumerate(self._injected):
            if injected.item is None or injected.item <= documents:
                return self._injected.pop(number)
        return None

    def _store(
        self, request: MemoryRequest, injected: InjectedAnswer | None
    ) -> tuple[list[MemoryRequest], Answer]:
        """Store all documents, except the one that the injected answer is for."""
        attempts = request.attempts + 1
        stored: list[int] = []
        rejected: list[tuple[int, Rejection]] = []
        failed_claims: dict[int, str | None] = {}
        retries: list[MemoryRequest] = []
        for number, position in enumerate(request.positions, start=1):
            index, id = request.submission.place(position)
            outcome: Rejection | _Conflict | None
            if injected is not None and number == injected.item:
                if injected.status == TOO_MANY or injected.status >= FAILED:
                    retries.append(MemoryRequest(request.submission, [position], attempts))
                    continue
                outcome = Rejection(injected.reason, injected.status)
            else:
                outcome = self._store_one(request.submission, position)
            if outcome is None:
                stored.append(position)
            elif isinstance(outcome, _Conflict):
                failed_claims[position] = outcome.there
            else:
                rejection = replace(outcome, index=index, id=id, attempts=attempts)
                rejected.append((position, rejection))
        return retries, Answer(stored, rejected, failed_claims)

    def _store_one(
        self, submission: MemorySubmission, position: int
    ) -> Rejection | _Conflict | None:
        documents = submission.documents
        source, (index, id) = documents.sources[position], submission.place(position)
        version = documents.versions[position] if documents.versions else None
        action = (documents.actions[position] if documents.actions else None) or submission.action
        rejection = next((why for text, why in self._refusals if text in source), None)
        if rejection is not None:
            return rejection
        new = Stored(index=index, id=id, source=source, version=version)
        claim = documents.claims[position] if documents.claims else None
        if claim is not None and (index, id) in self._documents:
            there = _fingerprint(self._documents[index, id], claim)
            if there == claim.fingerprint:
                return None
            if there is None or not claim.may_replace(there):
                return _Conflict(there)
            return self._apply(None, new)
        return None if self._is_kept(action, new) else self._apply(action, new)

    def _is_kept(self, action: str | None, new: Stored) -> bool:
        """Return whether the stored document must not be replaced by this one."""
        old = self._documents.get((new.index, new.id))
        if old is None or action in ("update", "upsert"):
            return False
        there = old.version or 1  # a document without a version has version 1
        return action == "create" or (new.version is not None and there > new.version)

    def _apply(self, action: str | None, new: Stored) -> Rejection | None:
        key = object() if new.id is None else (new.index, new.id)
        old = self._documents.get(key)
        if action == "delete":
            self._documents.pop(key, None)
            return None
        if action == "update" or (action == "upsert" and old is not None):
            if old is None:
                return Rejection("document_missing", 404)
            new = replace(old, source=_merge_sources(old.source, new.source))
        self._documents[key] = new
        self.written.append(new)
        return None


class _Conflict(NamedTuple):
    """Another document has the `_id`, with this fingerprint."""

    there: str | None


def _fingerprint(there: Stored, claim: Claim) -> str | None:
    found = json.loads(there.source).get(claim.field or "")
    return found if isinstance(found, str) else None


def _merge_sources(old: bytes, new: bytes) -> bytes:
    return json.dumps(_merged(json.loads(old), json.loads(new))).encode()


def _merged(old: Any, new: Any) -> Any:
    """Merge objects at any depth; replace all other values."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {name: _merged(old.get(name), value) for name, value in new.items()}
