"""The metrics that show a job's accounts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from connectors.message import Arrived, Message, Origin
from flows.process.collector import AccountsCollector
from flows.values.columnar import Members
from tests.flows.memory_job import make_job, pipeline

ORIGIN = Origin("shown/000", 1)


def test_counts_of_the_parts_of_a_job_are_exported() -> None:
    """Skipped values, event times too far ahead, connected consumers."""
    window = {"tumbling": {"every": "1s", "event_time": "t"}}
    reduce = {"total": {"sum": "n"}}
    job = make_job(pipeline("shown", by="k", window=window, reduce=reduce))
    registry = CollectorRegistry()
    registry.register(AccountsCollector(job))
    partition = job.deliveries().build_part("source", "shown/000", None)
    shown = registry.get_sample_value
    assert shown("hopper_broker_connected", {"consumer": "shown/000"}) == 0

    partition.next_batch()
    bodies = [b'{"k":1,"n":"no number","t":10}'] * 3 + [b'{"k":1,"n":1,"t":4e9}'] * 9
    messages = [Message(tag, False, b"", b"\x90", body) for tag, body in enumerate(bodies, 1)]
    for _, routed in job.correlate()([Arrived(ORIGIN, messages)]):
        if isinstance(routed, Members):
            job.aggregate().on_batch([routed])

    assert shown("hopper_skipped_values_total") == 3
    assert shown("hopper_ahead_total") == 9
    assert shown("hopper_received_total") == 0
    assert shown("hopper_broker_connected", {"consumer": "shown/000"}) == 1
