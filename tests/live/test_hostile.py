"""Hostile messages: each is stored or parked, and the job goes on."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pika
import pytest

from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until

pytestmark = pytest.mark.live

BOMB = gzip.compress(b" " * (64 * 1024 * 1024))
HEADERS: dict[str, Any] = {
    "text": "x" * 1000,
    "bytes": b"\xff\xfe",
    "deep": {"a": [{"b": [{"c": [1, None, True]}]}]},
    "time": datetime(2026, 1, 2, tzinfo=UTC),
    "money": Decimal("12.34"),
    "x-hopper-reason": "forged",
    "x-delivery-count": "many",
}


def bodies() -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Bodies, and their expected outcomes."""
    deep = 100_000
    for body in (
        b"",
        b"\x00",
        b"{" * deep,
        b'{"a":' * deep + b"1" + b"}" * deep,
        b"[" * deep + b"]" * deep,
        b'{"a":[' + b"[" * 500 + b"]" * 500 + b"]}",
        b'{"a":"' + b"x" * 300_000 + b'"}',
        b'{"%s":1}' % (b"k" * 100_000),
        b'{"n":NaN}',
        b'{"n":1e400}',
        b'{"n":-0.0,"m":' + b"9" * 5000 + b"}",
        b'{"a":"\xff\xfe"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\u0000"}',
        b'{"a":1,"a":2}',
        b'{"":1}',
        b'{".":1,"a..b":2}',
        b'{"_id":"x","_index":"y"}',
        b'{"a":1}\n{"index":{"_index":"stolen"}}\n{"b":2}',
        b'{"index":{"_index":"stolen"}}\n{"b":2}\n',
        "\ufeff{}".encode(),
        '{"a":1}'.encode("utf-16"),
        b"[]",
        b"[1,2,3]",
        b'[{"a":1},2,{"a":3}]',
        b"null",
        b'"text"',
    ):
        yield body, {}
        yield body, {"content_type": "application/json"}
    for kind in ("application/msgpack", "application/x-ndjson", "text/plain", "no/such", "\x00"):
        for body in (
            b"",
            b"\x81",
            b"\xff" * 50,
            msgspec.msgpack.encode({"a": [1, {"b": b"\xff"}]}),
        ):
            yield body, {"content_type": kind}
    for coding, body in (
        ("gzip", BOMB),
        ("gzip, gzip", gzip.compress(BOMB)),
        ("gzip", BOMB[:100]),
        ("gzip", b"no gzip"),
        ("deflate", zlib.compress(b'{"a":1}') + b"and more"),
        ("zstd", b"\x28\xb5\x2f\xfd" + b"\xff" * 20),
        ("br", b'{"a":1}'),
    ):
        yield body, {"content_encoding": coding}
    yield b'{"a":1}', {"headers": HEADERS}
    yield b'{"a":1}', {"headers": {f"h{number}": number for number in range(10_000)}}
    yield b'{"a":1}', {"message_id": "\U0001f407" * 60, "timestamp": 2**62, "priority": 200}
    yield b'{"a":1}', {"message_id": "", "type": "\x00", "correlation_id": "x" * 255}
    yield b"", {"headers": {"x-hopper": "explode"}}
    yield b"", {"headers": {"x-hopper": 7, "x-hopper-key": {"a": 1}}}


KEYED = """
  by: [a, header.text]
  missing_key: {default: none}
  reduce:
    all: {list: a}
    sum: {sum: a}
    merged: {merge: a}
    text: {concat: a}
    different: {count_distinct: /a/0}
"""


@pytest.mark.parametrize("aggregate", ["", KEYED], ids=["as they are", "reduced"])
def test_every_message_is_stored_or_parked(
    rig: RabbitMQRig, events: Index, tmp_path: Path, aggregate: str
) -> None:
    """Other messages too; the job is not affected otherwise, and does not end."""
    hostile = list(bodies())
    events.create({}, dynamic=False)
    window = "{count: 10, time: 500ms, last: 'message.a.b == 1 && message.a.matches(\"x\")'}"
    path = spec(tmp_path, rig, events, window=window, aggregate=aggregate)
    with JobProcess(path) as job:
        for number, (body, properties) in enumerate(hostile):
            rig.publish(body, properties=pika.BasicProperties(delivery_mode=2, **properties))
            rig.publish(b'{"a":%d}' % number)
        rig.publish(b'{"a":"the last"}')
        until(lambda: b"the last" in json.dumps(events.documents()).encode(), timeout=60)
        assert job.drain() == 0

    assert "Traceback" not in job.log
    documents = json.dumps(events.documents())
    if not aggregate:
        stored = [d["_source"].get("a") for d in events.documents()]
        assert set(range(len(hostile))) <= {a for a in stored if isinstance(a, int)}
    parked = rig.parked()
    assert parked
    assert all(reason for _, reason in parked)
    assert rig.left() == 0
    assert not Index(events.url, "stolen").documents()
    assert documents
