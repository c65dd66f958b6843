"""A real job, watched by `hopper top`, by `hopper tap` and by the page in a real browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
import pytest
from playwright.sync_api import expect

from flows.cli.watching.followers import Followers
from tests.flows.cli.command import hopper, json_of
from tests.live.browser import chromium
from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.monitoring import wait_for
from tests.live.pipeline import publish, spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until
from tools.local.ports import free_ports

pytestmark = pytest.mark.live

JSON = pika.BasicProperties(content_type="application/json")

PATIENCE = 30_000
"""Milliseconds for the page, on a machine that is busy."""


@contextmanager
def fed(rig: RabbitMQRig) -> Iterator[list[int]]:
    """Publish until the end of the block; the list then has the number of good messages."""
    ends, published = threading.Event(), [0]

    def feed() -> None:
        while not ends.wait(0.01):
            publish(rig, 5, start=published[0])
            published[0] += 5
            rig.publish(b"no JSON", properties=JSON)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield published
    finally:
        ends.set()
        thread.join()


def tapped(path: Path, url: str, place: str) -> list[Any]:
    options = ("--url", url, "--at", place, "--limit", "2", "--for", "30s", "--json")
    result = hopper("tap", str(path), *options)
    assert result.code == 0, result.err
    samples = [json.loads(line) for line in result.out.splitlines()]
    assert [one["place"] for one in samples] == [place] * 2
    return samples


def shown_on_the_page(url: str, queue: str) -> None:
    """A real browser shows numbers that move, and the reason of a dead letter."""
    with chromium() as browser:
        page = browser.new_page()
        page.goto(url)
        expect(page).to_have_title("test: Healthy \N{MIDDLE DOT} Hopper", timeout=PATIENCE)
        expect(page.locator("#latest-letters")).to_contain_text("unreadable", timeout=PATIENCE)
        expect(page.locator("#consumers")).to_contain_text(f"{queue}/000", timeout=PATIENCE)
        expect(page.locator("#ring .moves").first).to_be_attached(timeout=PATIENCE)


def test_a_running_job_is_watched(rig: RabbitMQRig, events: Index, tmp_path: Path) -> None:
    """And no message is lost meanwhile; a new start of the job is found."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    path = spec(tmp_path, rig, events, window="{count: 10, time: 100ms}")
    path.write_text(f"{path.read_text()}metrics: {{port: {port}, token: secret}}\n")
    with JobProcess(path) as job, Followers("test", [url]) as followers:
        wait_for(job, "/readyz", 200)
        with fed(rig) as published:
            read, group, written, rejected = (
                tapped(path, url, place) for place in ("read", "aggregate", "write", "dead-letter")
            )
            now = json_of(hopper("top", str(path), "--url", url, "--once", "--json"), "top")
            shown_on_the_page(url, rig.queue)
        until(lambda: events.count() == published[0] and rig.left() == 0, timeout=60)
        job.kill()
        until(lambda: followers.now().processes[0].missing is not None)
        with JobProcess(path) as again:
            until(lambda: followers.now().processes[0].missing is None, timeout=60)
            assert again.drain() == 0

    assert (read[0]["queue"], read[0]["routing_key"]) == (rig.queue, rig.queue)
    assert json.loads(read[0]["body"]["text"]).keys() == {"n"}
    assert group[0]["completed_by"] in ("count", "time")
    assert (written[0]["index"], written[0]["result"]) == (events.name, "stored")
    assert rejected[0]["body"] == {"text": "no JSON", "omitted_bytes": 0}
    assert now["stored"] > 0
    assert now["rates"]["stored"] is not None
    assert (now["healthy"], now["processes"][0]["missing"]) == (True, None)
    assert now["dead_letters"].keys() == {"unreadable"}
