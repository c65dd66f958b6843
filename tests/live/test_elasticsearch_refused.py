"""One message that something before Elasticsearch refuses keeps no other from being stored."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.live.firewall import RESET, Firewall, Page
from tests.live.indices import Index
from tests.live.job import Job
from tests.live.queues import RabbitMQRig
from tests.live.test_pipeline import publish, spec
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
"""Seconds; on a quiet machine it is two, and six for a reset."""


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_one_refused_message_is_parked_and_six_hundred_are_stored(
    rig: RabbitMQRig, elasticsearch_url: str, index: str, tmp_path: Path, page: Page
) -> None:
    events = Index(elasticsearch_url, index)
    rig.publish(b'{"n":-1,"text":"<script>"}')
    publish(rig, 600)
    with Firewall(elasticsearch_url, b"<script", page) as firewall:
        path = spec(tmp_path, rig, events, elasticsearch=firewall.url)
        with Job(path) as job:
            job.wait_for_log("consuming")
            begun = time.monotonic()
            [(body, reason)] = until(rig.parked, timeout=60)
            until(lambda: events.count() == 600)
            took = time.monotonic() - begun
            assert job.drain() == 0

    assert body == b'{"n":-1,"text":"<script>"}'
    assert reason.startswith("refused: alone in a request, again and again, while others passed: ")
    assert str(page.status or "Connection") in reason
    assert events.numbers() == list(range(600))
    assert rig.left() == 0
    assert took < WITHIN
