"""What was submitted by one call, and whom to tell what became of it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from connectors.elasticsearch.bulk_request import BulkLines
from connectors.elasticsearch.request import Batch, DocumentNames
from connectors.message import Answer, Documents


class Submission(Batch):
    """A batch, and where its answers go."""

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
        # After `withdraw` has returned no reply may be on its way any more. Reentrant, because a
        # reply may withdraw the rest.
        self._lock = threading.RLock()

    def withdraw(self) -> None:
        """Hear no more of it."""
        with self._lock:
            self.withdrawn = True

    def answer(self, answer: Answer) -> None:
        """Pass on what is known of some of its documents."""
        with self._lock:
            if not self.withdrawn:
                self._reply(answer)
