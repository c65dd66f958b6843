"""Asks an Elasticsearch that was away at the start until it answers, also while no document waits.

Otherwise `/health` would call a job healthy whose Elasticsearch has a wrong address, until the
first document waits. When it answers, the thread asks what the check at the start could not: how
large a request may be. This module only runs the thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from itertools import count

from connectors.elasticsearch.bulk_response import Items, RefusedRequest, Retry
from connectors.jitter import jitter
from connectors.retry import Backoff

log = logging.getLogger("hopper.elasticsearch")

ASKS = Backoff(0.5, 5.0)
"""Pauses in seconds between two questions."""


class FirstAnswer:
    """A thread that asks until Elasticsearch accepts requests, and notes each answer."""

    def __init__(
        self,
        ask: Callable[[], Items | Retry | RefusedRequest],
        ask_limits: Callable[[], None],
        note: Callable[[Items | Retry | RefusedRequest], None],
    ) -> None:
        """`ask` sends a request without documents.

        `ask_limits`: what the check at the start asks a cluster that answers.
        """
        self._ask, self._ask_limits, self._note = ask, ask_limits, note
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="first-answer", daemon=True)

    def start(self, why: Retry) -> None:
        """Begin to ask; `why`: what the check at the start has found."""
        self._note(why)
        self._thread.start()

    def close(self) -> None:
        """Ask no more. It does not wait for a question on its way."""
        self._closed.set()

    def _run(self) -> None:
        for tries in count():
            if self._closed.wait(ASKS.delay(tries, jitter())):
                return
            answer = self._ask()
            accepts = not isinstance(answer, Retry)
            if accepts:
                self._ask_limits()
            if self._closed.is_set():
                return
            self._note(answer)
            if accepts:
                log.info("Elasticsearch answers")
                return
