"""What the log and `/health` show of rejected messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pika
import pytest

from connectors.message import Message, Rejected, Rejection
from connectors.rabbitmq import rejections as module
from connectors.rabbitmq.rejections import Rejections
from connectors.rabbitmq.spec import RejectLimit
from connectors.reject_pace import FIRST_PAUSE, MIN_RUN, MIN_RUN_SECONDS

NAME = "orders/000"
PARSING = (
    "document_parsing_exception: [1:6] failed to parse field [n] of type [long] in document with "
    "id '{}'. Preview of field's value: 'it's \"7\"'"
)


class SetClock:
    """Replaces the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[SetClock]:
    caplog.set_level("INFO")
    clock = SetClock()
    monkeypatch.setattr(module, "time", clock)
    return clock  # type: ignore[return-value]


def rejected(tag: int, reason: str = PARSING, **more: Any) -> Rejected:
    properties = b"".join(pika.BasicProperties(message_id=f"m-{tag}").encode())
    message = Message(tag, False, b"\x00\x06orders", properties, b'{"secret":1}')
    return Rejected(message, Rejection(reason.format(tag), index="orders", **more))


def reject(rejections: Rejections, count: int, **more: Any) -> int:
    """Reject so many messages, and return how many may be parked."""
    rejections.read(count)
    parked = sum(rejections.may_park(rejected(tag, **more)) for tag in range(1, count + 1))
    rejections.update(awaiting_outcome=0)
    return parked


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return found


def test_the_first_of_a_kind_is_logged_in_full_and_further_ones_are_counted(
    clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    rejections = Rejections(NAME, RejectLimit(), parks=True)
    reject(rejections, 20, status=400, id="a17")

    [first] = lines(caplog)
    assert first.startswith(
        f"{NAME}: a message is rejected and parked: {PARSING.format(1)} (status"
    )
    assert "index orders, _id a17, message_id m-1)" in first
    assert "secret" not in first

    clock.now = 61.0
    rejections.stored(1)
    rejections.update(awaiting_outcome=0)
    [count] = lines(caplog)
    assert count.endswith(
        "19 times document_parsing_exception: […] failed to parse field [n] of "
        "type [long] in document with id"
    )

    reject(rejections, 1)
    clock.now = 122.0
    rejections.update(awaiting_outcome=0)
    assert "parked: once document_parsing_exception: " in lines(caplog)[0]


def test_without_a_dead_letter_only_the_log_has_the_reason(
    clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    reject(Rejections(NAME, None, parks=False), 1000)

    [first] = lines(caplog)
    assert "rejected and given to the queue's own dead lettering: document_parsing_exc" in first


def test_a_stop_is_logged_with_an_example_and_so_is_its_end(
    clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    rejections = Rejections(NAME, RejectLimit(rejected=5, of=10), parks=True)
    assert reject(rejections, 20, status=400) == 5

    [_, stop] = lines(caplog)
    assert stop.startswith(f"{NAME}: reads nothing for 1 s, then a message as a probe, because too")
    assert PARSING.format(6) in stop
    assert PARSING.format(6) in rejections.stopped_because

    clock.now = FIRST_PAUSE
    rejections.connected()
    assert reject(rejections, 1, status=400) == 1
    [_, again] = lines(caplog)
    assert again.startswith(f"{NAME}: the probe is rejected too: reads nothing for 2 s: docum")
    assert rejections.stopped_because

    clock.now += rejections.seconds_to_probe
    rejections.connected()
    rejections.read(1)
    rejections.stored(1)
    assert lines(caplog)[-1] == f"{NAME}: the probe is stored: reads all messages again"
    assert rejections.stopped_because == ""


def test_expected_rejections_stop_nothing(clock: SetClock) -> None:
    rejections = Rejections(NAME, RejectLimit(rejected=5, of=10), parks=True)

    assert reject(rejections, 1000, reason="late: its window is closed", foreseen=True) == 1000
    assert not rejections.stopped


def test_a_slow_stream_reaches_the_limit_by_time_alone(
    clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Without any further message."""
    rejections = Rejections(NAME, RejectLimit(), parks=True)
    reject(rejections, MIN_RUN)
    rejections.update(awaiting_outcome=0)
    assert not rejections.stopped

    clock.now = MIN_RUN_SECONDS
    rejections.update(awaiting_outcome=0)
    rejections.update(awaiting_outcome=0)

    assert rejections.stopped
    assert sum("reads nothing" in line for line in lines(caplog)) == 1


def test_dropped_and_expected_rejections_are_no_part_of_a_run(clock: SetClock) -> None:
    rejections = Rejections(NAME, RejectLimit(), parks=True)
    reject(rejections, MIN_RUN)
    rejections.dropped()
    reject(rejections, MIN_RUN - 1)
    rejections.may_park(rejected(99, "late: its window is closed", foreseen=True))
    clock.now = MIN_RUN_SECONDS
    rejections.update(awaiting_outcome=0)

    assert not rejections.stopped


def test_a_message_with_too_many_deliveries_ends_a_probe_and_is_logged(
    clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise the whole queue would be parked, one message after the other."""
    rejections = Rejections(NAME, RejectLimit(rejected=5, of=10), parks=True)
    rejections.poison([rejected(1, "max_deliveries: delivered 10 times before")])
    assert not rejections.stopped
    reject(rejections, 20)
    clock.now = FIRST_PAUSE
    rejections.connected()
    lines(caplog)
    rejections.poison([rejected(1, "max_deliveries: delivered 10 times before")])

    assert rejections.stopped
    assert "reads nothing for 2 s: max_deliveries" in lines(caplog)[-1]
