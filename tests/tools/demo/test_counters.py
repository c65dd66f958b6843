"""The counters that the demo reads from the metrics."""

from __future__ import annotations

from tools.demo import counters
from tools.demo.counters import Counters


def test_counters_are_read_from_the_format_of_prometheus() -> None:
    """Each bucket alone, although Prometheus adds the smaller ones to it."""
    text = """
# TYPE hopper_received_total counter
hopper_received_total 1510.0
# TYPE hopper_stored_total counter
hopper_stored_total 1500.0
# TYPE hopper_parked_total counter
hopper_parked_total 2.0
# TYPE hopper_unacknowledged gauge
hopper_unacknowledged 8.0
# TYPE hopper_groups_total counter
hopper_groups_total{completed_by="count"} 2.0
hopper_groups_total{completed_by="time"} 1.0
# TYPE hopper_bulk_documents histogram
hopper_bulk_documents_bucket{le="1.0"} 1.0
hopper_bulk_documents_bucket{le="10.0"} 1.0
hopper_bulk_documents_bucket{le="500.0"} 3.0
hopper_bulk_documents_bucket{le="+Inf"} 4.0
hopper_bulk_documents_count 4.0
hopper_bulk_documents_sum 2000.0
"""

    seen = counters.read(text)

    assert seen == Counters(
        received=1510,
        stored=1500,
        parked=2,
        open=8,
        bulks=4,
        bulks_by_size=[("1", 1), ("11 to 500", 2), ("over 500", 1)],
        windows=[("count", 2), ("time", 1)],
    )
    assert seen.settled == 1502
