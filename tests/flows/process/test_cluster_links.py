"""Where the processes of a cluster serve their pages."""

from __future__ import annotations

from flows.process.cluster_links import cluster_links


def test_processes_of_one_host_have_the_next_ports() -> None:
    addresses = ["localhost:2101", "localhost:2102", "localhost:2103"]

    links = cluster_links(addresses, 1, 9100, reachable=False)

    assert links == [("", 9100), ("", 9101), ("", 9102)]


def test_other_hosts_follow_where_they_can_be_reached() -> None:
    addresses = ["hopper-0.hopper:2101", "hopper-1.hopper:2101", "[2001:db8::1]:2101"]

    assert cluster_links(addresses, 1, 9100, reachable=True) == [
        ("", 9100),
        ("hopper-0.hopper", 9100),
        ("2001:db8::1", 9100),
    ]
    assert cluster_links(addresses, 1, 9100, reachable=False) == [("", 9100)]


def test_a_single_process_has_no_links() -> None:
    assert cluster_links([], 0, 9100, reachable=True) == []
