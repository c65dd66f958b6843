"""A store in memory that keeps Elasticsearch's promises: an outcome for each document, in its time.

Everything happens within the calls; there is no thread. Faults are methods of `MemoryStore`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from connectors.memory.spec import MemorySink
from connectors.message import Answer, Claim, Documents, Properties, Rejection, SinkState


class Stored(NamedTuple):
    """A document in the store."""

    index: str | None  # type: ignore[assignment]  # a column of values, not the method of a tuple
    id: str | None
    source: bytes
    version: int | None = None


class MemoryStore:
    """What was written; `windows` has the number of documents of each `submit`, in order."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._documents: dict[object, Stored] = {}
        self.windows: list[int] = []
        self._refusals: list[tuple[bytes, Rejection]] = []
        self._down = self._mute = False
        self._waiting: list[_MemorySubmission] = []

    @property
    def documents(self) -> list[Stored]:
        """Everything that is stored, in order of its first writing."""
        with self.lock:
            return list(self._documents.values())

    def refuse(self, text: bytes, reason: str) -> None:
        """From now on, reject each document that contains this text."""
        with self.lock:
            self._refusals.append((text, Rejection(reason, 400)))

    def go_down(self) -> None:
        """Answer nothing, until `come_up`."""
        with self.lock:
            self._down = True

    def state(self) -> SinkState:
        """What it says of itself."""
        with self.lock:
            return SinkState(False, "the store is down") if self._down else SinkState()

    def go_mute(self) -> None:
        """Store everything, but answer nothing, until `come_up`: what was sent is sent again."""
        with self.lock:
            self._mute = True

    def come_up(self) -> None:
        """Answer what has waited, and everything that follows."""
        with self.lock:
            self._down = self._mute = False
            waiting, self._waiting = self._waiting, []
        for submission in waiting:
            self.write(submission)

    def write(self, submission: _MemorySubmission) -> None:
        """Store a submission's documents, or let it wait."""
        with self.lock:
            if self._down:
                self._waiting.append(submission)
                return
            if submission.withdrawn:
                return
            answer = self._store(submission.documents)
            if self._mute:
                self._waiting.append(submission)
                return
        submission.reply(answer)

    def _store(self, documents: Documents) -> Answer:
        stored, rejected = [], []
        conflicts: dict[int, str | None] = {}
        for position, source in enumerate(documents.sources):
            index = documents.indices[position] if documents.indices else None
            id = documents.ids[position] if documents.ids else None
            version = documents.versions[position] if documents.versions else None
            action = documents.actions[position] if documents.actions else None
            rejection = next((why for text, why in self._refusals if text in source), None)
            new = Stored(index, id, source, version)
            claim = documents.claims[position] if documents.claims else None
            if rejection is None and claim is not None and (index, id) in self._documents:
                there = _fingerprint(self._documents[index, id], claim)
                if there is None or there not in (claim.fingerprint, claim.replaces):
                    conflicts[position] = there
                    continue
                if there == claim.replaces:
                    rejection = self._apply(None, new)
            elif rejection is None and not self._is_kept(action, new):
                rejection = self._apply(action, new)
            if rejection is None:
                stored.append(position)
            else:
                rejected.append((position, rejection._replace(index=index, id=id, attempts=1)))
        self.windows.append(len(documents.sources))
        return Answer(stored, rejected, conflicts)

    def _is_kept(self, action: str | None, new: Stored) -> bool:
        """Whether the document that is there is not to be replaced by this one."""
        old = self._documents.get((new.index, new.id))
        if old is None or action in ("update", "upsert"):
            return False
        there = old.version or 1  # a document without a version has the first one
        return action == "create" or (new.version is not None and there > new.version)

    def _apply(self, action: str | None, new: Stored) -> Rejection | None:
        key = object() if new.id is None else (new.index, new.id)
        old = self._documents.get(key)
        if action == "update" or (action == "upsert" and old is not None):
            if old is None:
                return Rejection("document_missing", 404)
            self._documents[key] = old._replace(source=_merge_sources(old.source, new.source))
        elif action == "delete":
            self._documents.pop(key, None)
        else:
            self._documents[key] = new
        return None


class _MemorySubmission:
    """The documents of one `submit`, and whom to tell."""

    def __init__(self, documents: Documents, reply: Callable[[Answer], None]) -> None:
        self.documents, self.reply = documents, reply
        self.withdrawn = False

    def withdraw(self) -> None:
        self.withdrawn = True


class ByMessageId:
    """An `Addressing`: the message's own id, and the store's only index."""

    fields: Collection[str] = ()
    needs_body = False

    def address(
        self, document: Mapping[str, Any], properties: Properties, body: bytes, now: float
    ) -> tuple[str | None, str | None]:
        """See `Addressing`."""
        return None, properties.message_id

    def index_of(self, document: Mapping[str, Any], properties: Properties, now: float) -> None:
        """See `Addressing`."""


class MemoryStoreSink:
    """A store in memory as a sink (see `connectors.connector.Sink`)."""

    def __init__(self, spec: MemorySink) -> None:
        self._store = store(spec.name)
        self.addressing = ByMessageId()

    def check(self) -> None:
        """See `Sink`; the store is always there."""

    def submit(self, documents: Documents, reply: Callable[[Answer], None]) -> Callable[[], None]:
        """See `Sink`."""
        submission = _MemorySubmission(documents, reply)
        self._store.write(submission)
        return submission.withdraw

    def flush(self) -> None:
        """See `Sink`; nothing waits for company."""

    def state(self) -> SinkState:
        """See `Sink`."""
        return self._store.state()

    def close(self) -> None:
        """See `Sink`; what waits is forgotten with the process."""


def _fingerprint(there: Stored, claim: Claim) -> str | None:
    found = json.loads(there.source).get(claim.field or "")
    return found if isinstance(found, str) else None


def _merge_sources(old: bytes, new: bytes) -> bytes:
    return json.dumps(_merged(json.loads(old), json.loads(new))).encode()


def _merged(old: Any, new: Any) -> Any:
    """Objects are merged, as deep as they go; anything else is replaced."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {name: _merged(old.get(name), value) for name, value in new.items()}


def store(name: str) -> MemoryStore:
    """The store of that name in this process."""
    return _STORES.setdefault(name, MemoryStore())


_STORES: dict[str, MemoryStore] = {}
