"""What Prometheus is shown of a job's accounts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from connectors.message import Arrived, Message, Origin
from flows.process.collector import AccountsCollector
from flows.values.columnar import Members
from tests.flows.memory_job import make_job, pipeline

ORIGIN = Origin("shown/000", 1)


def test_what_the_parts_of_a_job_count_is_shown() -> None:
    """Values that a function cannot use, event times that are too far ahead, who is connected."""
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
    for _, told in job.correlate()([Arrived(ORIGIN, messages)]):
        if isinstance(told, Members):
            job.aggregate().on_batch([told])

    assert shown("hopper_skipped_values_total") == 3
    assert shown("hopper_ahead_total") == 9
    assert shown("hopper_received_total") == 0
    assert shown("hopper_broker_connected", {"consumer": "shown/000"}) == 1
