"""Samples as lines for people."""

from __future__ import annotations

from datetime import datetime

import pytest

from flows.cli.watching.sample_lines import lines
from flows.tap.samples import (
    DeadLetterSample,
    DocumentSample,
    GroupSample,
    ReadSample,
    Sample,
    Shortened,
)

AT = datetime(2026, 11, 30, 12, 0, 1, 250_000).astimezone().timestamp()

READ = ReadSample(
    at=AT,
    queue="orders",
    routing_key="orders.new",
    key='"a"',
    redelivered=False,
    body=Shortened('{"n": 1}', 0),
)
GROUP = GroupSample(at=AT, key=None, completed_by="time", members=1, start=AT - 1, end=AT)
DOCUMENT = DocumentSample(
    at=AT,
    key=None,
    action=None,
    index="orders",
    id="one",
    document=Shortened("{}", 0),
    result="rejected",
    reason="mapper_parsing_exception",
)
DEAD_LETTER = DeadLetterSample(
    at=AT,
    queue="orders",
    routing_key=None,
    reason="mapper_parsing_exception",
    status=400,
    messages=3,
    body=Shortened("{}", 0),
)


@pytest.mark.parametrize(
    ("sample", "shown"),
    [
        (
            READ,
            ['12:00:01.250  orders  routing key orders.new  key "a"', '    {"n": 1}'],
        ),
        (GROUP, ["12:00:01.250  completed by time  1 member  from 12:00:00.250 to 12:00:01.250"]),
        (
            DOCUMENT,
            [
                "12:00:01.250  rejected: mapper_parsing_exception  index orders  _id one",
                "    {}",
            ],
        ),
        (
            DEAD_LETTER,
            ["12:00:01.250  mapper_parsing_exception  HTTP 400  orders  for 3 messages", "    {}"],
        ),
    ],
)
def test_the_facts_stand_above_the_body(sample: Sample, shown: list[str]) -> None:
    assert [*lines(sample)] == shown


def test_omitted_bytes_are_counted() -> None:
    long = DeadLetterSample(
        at=AT,
        queue="q",
        routing_key=None,
        reason="r",
        status=None,
        messages=1,
        body=Shortened("x" * 10, 7),
    )

    assert [*lines(long)][1] == f"    {'x' * 10} \N{HORIZONTAL ELLIPSIS} 7 more bytes"


def test_control_characters_are_escaped() -> None:
    hostile = GroupSample(at=AT, key="\x1b[2J", completed_by="r", members=1, start=AT, end=AT)

    assert "key \\x1b[2J" in next(lines(hostile))
