"""A message that a proxy before Elasticsearch refuses keeps no other from being stored."""

from __future__ import annotations

import time
from pathlib import Path

import pika
import pytest

from tests.live.firewall import Firewall
from tests.live.http_proxy import RESET, Page
from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import publish, spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = pytest.mark.live

PAGES = {
    "403": Page(403),
    "400": Page(400),
    "500": Page(500),
    "406 as JSON": Page(406, "application/json", b'{"message":"Not Acceptable"}'),
    "500 as JSON": Page(500, "application/json", b'{"error":{"type":"x","reason":"y"}}'),
    "reset": RESET,
}
WITHIN = 30.0
"""Seconds; on a quiet machine it takes two, and six for a reset."""


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_one_refused_message_is_parked_and_six_hundred_are_stored(
    rig: RabbitMQRig, elasticsearch_url: str, index: str, tmp_path: Path, page: Page
) -> None:
    events = Index(elasticsearch_url, index)
    rig.publish(b'{"n":-1,"text":"<script>"}')
    publish(rig, 600)
    with Firewall(elasticsearch_url, b"<script", page) as firewall:
        path = spec(tmp_path, rig, events, elasticsearch=firewall.url)
        with JobProcess(path) as job:
            job.wait_for_log("consuming")
            begun = time.monotonic()
            [(body, reason)] = until(rig.parked, timeout=60)
            until(lambda: events.count() == 600)
            took = time.monotonic() - begun
            assert job.drain() == 0

    assert body == b'{"n":-1,"text":"<script>"}'
    assert reason.startswith(
        "refused: alone in a request, each time, while other requests passed: "
    )
    assert str(page.status or "Connection") in reason
    assert events.numbers() == list(range(600))
    assert rig.left() == 0
    assert took < WITHIN


@pytest.mark.parametrize("page", [Page(403), Page(500), Page(502), RESET])
def test_an_outage_that_looks_like_a_refusal_parks_nothing(
    rig: RabbitMQRig, elasticsearch_url: str, index: str, tmp_path: Path, page: Page
) -> None:
    """All requests are refused for a while, as by a proxy whose Elasticsearch is starting."""
    events = Index(elasticsearch_url, index)
    with Firewall(elasticsearch_url, b"nothing", page) as firewall:
        path = spec(tmp_path, rig, events, elasticsearch=firewall.url, window="{count: 10}")
        with JobProcess(path) as job:
            job.wait_for_log("consuming")
            publish(rig, 300)
            until(lambda: events.count() >= 100)
            firewall.text, refused = b"", firewall.refused
            publish(rig, 60, start=300)
            until(lambda: firewall.refused >= refused + 6)
            firewall.text = b"nothing"
            until(lambda: rig.left() == 0)
            assert job.drain() == 0

    assert events.numbers() == list(range(360))
    assert rig.parked() == []


def test_with_one_request_at_a_time_a_refused_message_changes_no_order(
    rig: RabbitMQRig, elasticsearch_url: str, index: str, tmp_path: Path
) -> None:
    """With `concurrency: 1` a later document of an `_id` replaces an earlier one."""
    events = Index(elasticsearch_url, index)
    for number in range(200):
        text = b"<script>" if number == 60 else b""
        rig.publish(
            b'{"n":%d,"text":"%b"}' % (number, text),
            properties=pika.BasicProperties(message_id=f"{number % 7}", delivery_mode=2),
        )
    with Firewall(elasticsearch_url, b"<script", Page(403)) as firewall:
        path = spec(tmp_path, rig, events, elasticsearch=firewall.url)
        path.write_text(path.read_text().replace("    bulk:", "    concurrency: 1\n    bulk:"))
        with JobProcess(path) as job:
            [(body, _)] = until(rig.parked, timeout=60)
            until(lambda: rig.left() == 0)
            assert job.drain() == 0

    assert body.startswith(b'{"n":60,')
    assert events.numbers() == list(range(193, 200))
