"""Shows Prometheus what the accounts say: nothing is counted twice."""

from __future__ import annotations

from connectors import metrics
from connectors.connector import Sink, Source
from flows.audit.reconcile import Accounts


def show(accounts: Accounts, source: Source, sink: Sink) -> None:
    """Let the metrics read the accounts of this process whenever they are asked for."""
    for account, name in _MESSAGES.items():
        account.read = lambda name=name: getattr(accounts.messages, name)  # type: ignore[misc]
    metrics.STALE.read = lambda: accounts.stale
    metrics.SKIPPED.read = lambda: int(accounts.skipped())  # the plan sets it later
    metrics.AHEAD.read = lambda: int(accounts.ahead())
    metrics.UNACKNOWLEDGED.set_function(source.unacknowledged)
    metrics.OPEN_GROUPS.set_function(lambda: accounts.groups.groups)
    metrics.OPEN_MEMBERS.set_function(lambda: accounts.groups.open)
    metrics.SINK_DOCUMENTS.set_function(lambda: accounts.sink.open)
    metrics.PREFETCH.set_function(lambda: float(accounts.prefetch()))
    metrics.SINK_ANSWERING.set_function(lambda: sink.state().answers)
    accounts.on_consumer = lambda name, account: metrics.CONNECTED.labels(name).set_function(
        lambda: account.connected
    )


_MESSAGES = {
    metrics.RECEIVED: "received",
    metrics.STORED: "stored",
    metrics.REJECTED: "rejected",
    metrics.PARKED: "parked",
    metrics.DISCARDED: "discarded",
    metrics.DROPPED: "dropped",
    metrics.REQUEUED: "requeued",
}
