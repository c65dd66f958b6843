"""Looks at the health of this process once a second, and logs what does not add up.

It decides nothing: `flows/health.py` does. It has a thread of its own, because a dataflow that
hangs would not look at itself.
"""

from __future__ import annotations

import logging
import threading
import time

from connectors import metrics
from flows.books import Books
from flows.health import Health

LOG = logging.getLogger("hopper")

EVERY = 1.0
"""Seconds between two looks."""


def watch(books: Books, health: Health) -> None:
    """Begin to look, and show Prometheus what is open."""
    metrics.OPEN_GROUPS.set_function(lambda: books.groups.groups)
    metrics.OPEN_MEMBERS.set_function(lambda: books.groups.open)
    metrics.WITH_SINK.set_function(lambda: books.sink.open)
    threading.Thread(target=_look, args=(books, health), name="watch", daemon=True).start()


def _look(books: Books, health: Health) -> None:
    skipped = 0
    while True:
        time.sleep(EVERY)
        for text in health.look(time.monotonic()):
            LOG.error("the books do not add up, which is a defect of the job: %s", text)
        before, skipped = skipped, books.skipped()
        metrics.SKIPPED.inc(skipped - before)
