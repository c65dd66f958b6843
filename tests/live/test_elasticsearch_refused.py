"""A message that a proxy before Elasticsearch refuses keeps no other from being stored."""

from __future__ import annotations

import time
from contextlib import closing
from math import inf
from pathlib import Path

import pika
import pytest

from connectors.elasticsearch import size_limit
from connectors.elasticsearch.sink import Elasticsearch
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.message import Documents
from connectors.retry import Backoff
from tests.contract.sink import Answers
from tests.live.firewall import Firewall
from tests.live.http_proxy import RESET, HttpProxy, Page
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


class SizeLimitingProxy(HttpProxy):
    """Resets the connection of each request that is larger than `max_bytes`."""

    max_bytes = inf
    resets = 0

    def instead(self, body: bytes) -> Page | None:
        if len(body) <= self.max_bytes:
            return None
        self.resets += 1
        return RESET


def test_the_size_limit_of_a_proxy_is_learned_and_an_outage_is_none(
    elasticsearch_url: str, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And when the proxy allows more, requests become larger again."""
    monkeypatch.setattr(size_limit, "SEARCHES", Backoff(0.1, 0.1))
    window = Documents([b'{"text":"%s"}' % (b"x" * 100_000)] * 60, None, None)
    answers, mib = Answers(), 1024**2
    with (
        SizeLimitingProxy(elasticsearch_url) as proxy,
        closing(Elasticsearch(ElasticsearchSink(url=(proxy.url,), index=index))) as sink,
    ):

        def store(documents: Documents) -> int:
            before = answers.take()
            sink.submit(documents, answers)
            answers.wait_for(before + len(documents.sources))
            return sink.pace().max_bytes

        proxy.max_bytes = -1  # an outage
        sink.submit(window, answers)
        until(lambda: proxy.resets >= 12)
        proxy.max_bytes = inf
        answers.wait_for(60)
        assert sink.pace().max_bytes == 10 * mib

        proxy.max_bytes = 4 * mib
        until(lambda: 3.5 * mib < store(window) <= 4 * mib)
        proxy.max_bytes = inf
        until(lambda: store(window) == 10 * mib)

    assert answers.rejected == {}
