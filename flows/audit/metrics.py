"""Shows Prometheus what the accounts say: nothing is counted twice."""

from __future__ import annotations

from connectors import metrics
from connectors.connector import Sink, Source
from flows.audit.reconcile import Accounts


def show(books: Accounts, source: Source, sink: Sink) -> None:
    """Let the metrics read the accounts of this process whenever they are asked for."""
    for account, name in _MESSAGES.items():
        account.read = lambda name=name: getattr(books.messages, name)  # type: ignore[misc]
    metrics.STALE.read = lambda: books.stale
    metrics.SKIPPED.read = lambda: int(books.skipped())  # the plan sets it later
    metrics.AHEAD.read = lambda: int(books.ahead())
    metrics.UNSETTLED.set_function(source.unsettled)
    metrics.OPEN_GROUPS.set_function(lambda: books.groups.groups)
    metrics.OPEN_MEMBERS.set_function(lambda: books.groups.open)
    metrics.WITH_SINK.set_function(lambda: books.sink.open)
    metrics.PREFETCH.set_function(lambda: float(books.prefetch()))
    metrics.SINK_ANSWERING.set_function(lambda: sink.state().answers)
    books.on_consumer = lambda name, account: metrics.CONNECTED.labels(name).set_function(
        lambda: account.connected
    )


_MESSAGES = {
    metrics.RECEIVED: "received",
    metrics.STORED: "stored",
    metrics.REJECTED: "rejected",
    metrics.PARKED: "parked",
    metrics.DISCARDED: "discarded",
    metrics.DROPPED: "dropped",
    metrics.GIVEN_BACK: "given_back",
}
