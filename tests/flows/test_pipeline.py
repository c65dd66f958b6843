"""The whole flow on Bytewax, with the memory connector: one worker, three, and two processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from connectors.memory import sink, source
from tests.flows.memory_job import make_job, pipeline, publish, run, run_job


@pytest.mark.parametrize("workers", [1, 3])
def test_every_message_is_stored_and_settled_once(workers: int) -> None:
    """By its own consumer, on any worker."""
    name = f"settled-{workers}"
    queue, store = source.queue(name), sink.store(name)
    publish(queue, 2050)

    run(pipeline(name, consumers=workers), lambda: len(queue.acknowledged) == 2050, workers)

    numbers = [json.loads(document.source)["n"] for document in store.documents]
    assert sorted(numbers) == list(range(2050))
    assert queue.unacknowledged == 0
    assert not queue.waiting


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_that_wait_while_nothing_is_to_do_miss_nothing(workers: int) -> None:
    """Messages that arrive one by one, windows that are due, and answers."""
    name = f"waits-{workers}"
    queue = source.queue(name)
    spec = pipeline(name, consumers=workers, window={"count": 100, "time": "10ms"})
    job = make_job(spec, workers, waits=True)

    def is_done() -> bool:
        if len(queue.acknowledged) < 10:
            if not queue.unacknowledged and not queue.waiting:
                queue.publish(b"{}")
            return False
        return True

    run_job(job, is_done, workers)

    assert sum(sink.store(name).windows) == len(queue.acknowledged) >= 10


def test_windows_are_exact() -> None:
    """Full ones by count, the last one by time."""
    queue = source.queue("exact")
    publish(queue, 250)

    run(pipeline("exact"), lambda: len(queue.acknowledged) == 250)

    assert sink.store("exact").windows == [100, 100, 50]


def test_a_poison_document_and_an_unreadable_body_are_parked_alone() -> None:
    queue, store = source.queue("poison"), sink.store("poison")
    store.refuse(b"poison", "it is poison")
    queue.publish(b'{"is":"fine"}', b'{"is":"poison"}', b"\xff", b'{"is":"fine"}')

    run(pipeline("poison"), lambda: len(queue.parked) == 2 and len(queue.acknowledged) == 2)

    reasons = {rejected.message.body: rejected.rejection.reason for rejected in queue.parked}
    assert reasons[b'{"is":"poison"}'] == "it is poison"
    assert reasons[b"\xff"].startswith("unreadable: ")
    assert len(store.documents) == 2


def test_a_drain_writes_open_windows() -> None:
    """Although neither count nor time has completed them."""
    queue = source.queue("open")
    publish(queue, 130)
    spec = pipeline("open", window={"count": 100, "time": "20m"})

    run(spec, lambda: queue.unacknowledged == 30)

    assert sink.store("open").windows == [100, 30]
    assert len(queue.acknowledged) == 130


def test_a_drain_requeues_open_messages_if_the_spec_says_so() -> None:
    queue = source.queue("given-back")
    publish(queue, 130)
    spec = pipeline("given-back", window={"count": 100, "time": "20m"}, on_stop="requeue")

    run(spec, lambda: queue.unacknowledged == 30)

    assert len(queue.acknowledged) == 100
    assert len(queue.waiting) == 30


def test_while_a_store_is_down_messages_wait_and_none_is_lost() -> None:
    """The job holds at most `prefetch` messages, and stores all when the store is back."""
    queue, store = source.queue("down"), sink.store("down")
    store.go_down()
    publish(queue, 1500)

    def is_full_then_empty() -> bool:
        if queue.unacknowledged == 1000:
            store.come_up()
        return len(queue.acknowledged) == 1500

    run(pipeline("down"), is_full_then_empty)

    assert len(store.documents) == 1500


def test_two_processes_end_together() -> None:
    """The drain of one process reaches the consumers of the other."""
    addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(2))
    both = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "bytewax.run", "-a", addresses, "-i", str(process)),
                f"tests.flows.two_processes:flow({process == 0})",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for process in range(2)
    ]

    # A process that waits for the other one to start logs it, on lines of its own.
    last = [process.communicate(timeout=60)[0].splitlines()[-1:] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    stored, acknowledged, held = zip(*[map(int, line.split()) for [line] in last], strict=True)
    assert sum(stored) == sum(acknowledged) > 500
    assert held == (0, 0)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
