"""The documents of one call of `submit`, and the callback for their answers."""

from __future__ import annotations

import threading
from collections.abc import Callable

from connectors.elasticsearch.bulk_request import BulkLines
from connectors.elasticsearch.request import Batch, DocumentNames
from connectors.message import Answer, Documents


class Submission(Batch):
    """A batch, and the callback that receives its answers."""

    __slots__ = ("_lock", "_reply")

    def __init__(
        self,
        documents: Documents,
        lines: BulkLines,
        names: DocumentNames | None,
        reply: Callable[[Answer], None],
    ) -> None:
        """`names`: see `Batch`."""
        sent = documents._replace(sources=lines.sources(documents))
        super().__init__(sent, lines.heads(documents), lines.overhead, names)
        self._reply = reply
        # After `withdraw` returns, no call of `reply` may be running. The lock is reentrant,
        # because `reply` may withdraw the remaining documents.
        self._lock = threading.RLock()

    def withdraw(self) -> None:
        """Ignore all further answers."""
        with self._lock:
            self.withdrawn = True

    def answer(self, answer: Answer) -> None:
        """Pass an answer about some of the documents to the callback, unless withdrawn."""
        with self._lock:
            if not self.withdrawn:
                self._reply(answer)
