"""Bodies and envelopes of other tools, from end to end."""

from __future__ import annotations

import bz2
import gzip
import json
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = pytest.mark.live

JSON = "application/json"
OBJECT = '{"name":"Größe €"}'
STORED: list[tuple[bytes, dict[str, Any]]] = [
    (f"\ufeff{OBJECT}".encode(), {"content_type": JSON}),
    (f"\ufeff{OBJECT}".encode(), {}),
    (f"\ufeff{OBJECT}".encode("utf-16-le"), {"content_type": JSON}),
    (OBJECT.encode("utf-16"), {"content_type": f"{JSON}; charset=utf-16"}),
    (OBJECT.encode("windows-1252"), {"content_type": f'{JSON}; Charset="Windows-1252"'}),
    (OBJECT.encode("iso-8859-15"), {"content_type": JSON, "content_encoding": "ISO-8859-15"}),
    (OBJECT.encode(), {"content_type": JSON, "content_encoding": "7bit"}),
    (gzip.compress(OBJECT.encode()), {}),
    (zlib.compress(OBJECT.encode()), {"content_type": JSON}),
    (zlib.compress(OBJECT.encode()), {"headers": {"compression": "application/x-gzip"}}),
    (bz2.compress(OBJECT.encode()), {"headers": {"compression": "application/x-bz2"}}),
]
PARKED: list[tuple[bytes, dict[str, Any], str]] = [
    (
        b'[[1,"two"],{"key":"v"},{"callbacks":null}]',
        {"content_type": JSON, "content_encoding": "utf-8"},
        "unreadable: not an array of objects: number 1 of its 3 values is an array",
    ),
    (
        b'{"a":"\x81"}',
        {"content_type": f"{JSON}; charset=windows-1252"},
        "unreadable: not text in cp1252: 'charmap' codec can't decode byte 0x81 in position 6: "
        "character maps to <undefined>",
    ),
    (
        b"{}",
        {"content_type": f"{JSON}; charset=klingon"},
        "unreadable: charset 'klingon' of the content type is not known",
    ),
    (
        b"{}",
        {"content_encoding": "br"},
        "unreadable: content_encoding 'br': known are gzip, deflate, zstd",
    ),
    (
        b'{"a":"' + b"x" * 100_000 + b'"}',
        {"content_type": JSON},
        "unreadable: has 100008 bytes, which is more than max_message (64KiB)",
    ),
]


def test_bodies_of_other_tools_are_read_or_parked_whole(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    for body, properties in STORED:
        rig.publish(body, properties=pika.BasicProperties(**properties))
    for body, properties, _ in PARKED:
        rig.publish(body, properties=pika.BasicProperties(**properties))

    path = spec(tmp_path, rig, events)
    path.write_text(
        path.read_text().replace("    prefetch:", "    max_message: 64KiB\n    prefetch:")
    )
    with JobProcess(path) as job:
        until(lambda: events.count() == len(STORED))
        until(lambda: len(rig.parked()) == len(PARKED))
        assert job.drain() == 0

    sources = [document["_source"] for document in events.documents()]
    assert sources == [json.loads(OBJECT)] * len(STORED)
    assert sorted(rig.parked()) == sorted((body, reason) for body, _, reason in PARKED)
    assert rig.left() == 0


def test_an_index_may_have_the_date_of_the_envelope_or_of_a_header(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """In any unit that the sender uses."""
    sent = 1_769_902_200  # 2026-01-31T23:30:00Z
    headers = {"sent": datetime(2025, 6, 1, tzinfo=UTC), "rate": Decimal("1.5"), "test": True}
    for unit in (1, 10**3, 10**6, 10**9):
        properties = pika.BasicProperties(timestamp=sent * unit, headers=headers)
        rig.publish(b'{"time":"2024-02-29T10:00Z","tenant":"ACME"}', properties=properties)

    places = ("{@timestamp:%Y.%m.%d}", "{header.sent:%Y}", "{time:%d}", "{header.rate}")
    template = "-".join([events.name, *places, "{header.test}", "{tenant|lower}", "{queue}"])
    named = f"{events.name}-2026.01.31-2025-29-1.5-true-acme-{rig.queue}"
    with JobProcess(spec(tmp_path, rig, events, index=f"'{template}'")) as job:
        until(lambda: Index(events.url, named).count() == 4)
        assert job.drain() == 0

    assert rig.left() == 0
