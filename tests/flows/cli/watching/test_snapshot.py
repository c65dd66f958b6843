"""Which other processes of a cluster are to be followed."""

from __future__ import annotations

from typing import Any

from flows.cli.watching.snapshot import others_of_cluster
from tests.flows.cli.watching.snapshots import SECOND_URL, URL, followed, snapshot


def of_cluster(*places: tuple[str, int]) -> Any:
    return snapshot(processes=[{"host": host, "port": port} for host, port in places])


def test_a_process_without_a_cluster_has_no_others() -> None:
    assert others_of_cluster([followed(snapshot())]) == []
    assert others_of_cluster([followed()]) == []


def test_the_processes_that_are_not_found_follow_from_the_list_of_one() -> None:
    cluster = of_cluster(("", 9100), ("", 9101), ("orders-1", 9100), ("fd00::1", 9100))

    assert others_of_cluster([followed(cluster)]) == [
        SECOND_URL,
        "http://orders-1:9100",
        "http://[fd00::1]:9100",
    ]


def test_a_process_at_a_later_port_than_listed_is_no_other_one() -> None:
    """Another program has taken the first port."""
    cluster = of_cluster(("", 9100), ("", 9101))
    found = [followed(cluster, url=SECOND_URL), followed(cluster, url="http://127.0.0.1:9102")]

    assert others_of_cluster(found) == []
    assert others_of_cluster(found[:1]) == [URL]
