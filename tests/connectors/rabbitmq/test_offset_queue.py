"""How the offset of a stream is read and written: the requests to the broker, and its answers."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pika
import pytest
from pika import spec
from pika.exceptions import ChannelClosedByBroker

from connectors.rabbitmq import offset_queue
from connectors.rabbitmq.offset_queue import KeptOffset, LastOffset, OffsetQueue


class Broker:
    """The connection, the channel, and the clock of one offset queue."""

    def __init__(self) -> None:
        self.is_open = True
        self.published: list[bytes] = []
        self.asked: list[str] = []
        self.later: list[Callable[[], object]] = []
        self.ioloop = SimpleNamespace(call_later=lambda _, then: self.later.append(then))

    def channel(self, on_open_callback: Callable[[Any], None]) -> None:
        on_open_callback(self)

    def add_on_close_callback(self, closed: Any) -> None:
        self.closed = closed

    def add_on_return_callback(self, returned: Any) -> None:
        self.returned = returned

    def confirm_delivery(self, confirmed: Any) -> None:
        self.confirmed = confirmed

    def add_callback(self, empty: Any, _replies: Any) -> None:
        self.empty = empty

    def basic_get(self, _queue: str, found: Any) -> None:
        self.asked.append("get")
        self.found = found

    def basic_publish(self, *message: Any, mandatory: bool) -> None:
        assert mandatory
        self.published.append(message[2])

    def basic_ack(self, tag: int) -> None:
        self.asked.append(f"ack {tag}")

    def queue_declare(self, _queue: str, *, callback: Any, passive: bool = False, **_: Any) -> None:
        self.asked.append("count" if passive else "declare")
        self.declared = callback

    def answer(self, kind: type[Any], number: int) -> None:
        self.confirmed(SimpleNamespace(method=kind(number)))

    def ack(self, number: int) -> None:
        self.answer(spec.Basic.Ack, number)


class Rig:
    def __init__(self, offset: int | None = None) -> None:
        self.broker, self.last = Broker(), LastOffset()
        self.last.kept = None if offset is None else KeptOffset(offset, "s")
        self.lost: list[str] = []
        self.begun: list[KeptOffset | None] = []
        self.ended: list[bool] = []
        connection: Any = self.broker
        self.queue = OffsetQueue(connection, "q.offset", self.last, self.lost.append)

    def begin(self) -> None:
        self.queue.begin(self.begun.append)

    def count(self, ready: int, holders: int) -> None:
        """The queue is empty; then the broker counts."""
        self.broker.empty(None)
        counts = SimpleNamespace(message_count=ready, consumer_count=holders)
        self.broker.declared(SimpleNamespace(method=counts))

    def end(self) -> None:
        self.queue.end(lambda: self.ended.append(True))


def test_the_offset_stays_in_the_queue_until_its_copy_is_there() -> None:
    rig = Rig()
    rig.begin()
    properties = pika.BasicProperties(headers={"stream": "s"})
    rig.broker.found(rig.broker, SimpleNamespace(delivery_tag=7), properties, b"20")
    assert (rig.broker.published, rig.broker.asked, rig.begun) == ([b"20"], ["get"], [])

    rig.broker.ack(1)
    assert rig.broker.asked == ["get", "ack 7"]
    assert rig.begun == [rig.last.kept] == [KeptOffset(20, "s")]


def test_what_is_remembered_is_written_and_not_read() -> None:
    rig = Rig(20)
    rig.begin()
    assert (rig.broker.published, rig.broker.asked, rig.begun) == ([b"20"], [], [])

    rig.broker.ack(1)
    assert rig.begun == [KeptOffset(20, "s")]


@pytest.mark.parametrize(("ready", "holders"), [(1, 0), (0, 1)])
def test_an_offset_that_another_connection_holds_is_waited_for(ready: int, holders: int) -> None:
    rig = Rig()
    rig.begin()
    rig.count(ready, holders)

    assert rig.begun == []
    assert "another connection holds the offset" in rig.lost[0]


def test_a_queue_that_nobody_holds_has_no_offset() -> None:
    rig = Rig()
    rig.begin()
    rig.count(ready=0, holders=0)

    assert (rig.begun, rig.lost) == ([None], [])


def test_a_refused_offset_is_written_again() -> None:
    rig = Rig(20)
    rig.begin()
    rig.broker.answer(spec.Basic.Nack, 1)
    [again] = rig.broker.later
    again()
    rig.broker.ack(2)

    assert (rig.broker.published, len(rig.begun)) == ([b"20", b"20"], 1)


def test_a_returned_offset_is_written_once_its_queue_is_there() -> None:
    """The broker confirms what it returns; that does not count."""
    rig = Rig(20)
    rig.begin()
    rig.broker.returned(rig.broker, None, None, b"20")
    rig.broker.ack(1)
    rig.queue.write()
    assert (rig.broker.published, rig.broker.asked, rig.begun) == ([b"20"], ["declare"], [])

    rig.broker.declared(None)
    rig.broker.ack(2)
    assert (rig.broker.published, len(rig.begun)) == ([b"20", b"20"], 1)


def test_only_a_confirmed_offset_is_renewed_and_not_too_often() -> None:
    rig = Rig(20)
    rig.begin()
    written_at = rig.queue._written_at
    rig.queue.renew(written_at + offset_queue.RENEW_AFTER)
    rig.broker.ack(1)
    rig.queue.renew(written_at + offset_queue.RENEW_AFTER - 1)
    assert len(rig.broker.published) == 1

    rig.queue.renew(written_at + offset_queue.RENEW_AFTER)
    assert len(rig.broker.published) == 2


def test_the_end_waits_for_the_last_confirmation() -> None:
    rig = Rig(20)
    rig.begin()
    rig.broker.ack(1)
    rig.end()
    assert (rig.broker.published, rig.ended) == ([b"20", b"20"], [])

    rig.broker.ack(2)
    assert rig.ended == [True]


def test_an_end_without_an_offset_or_a_channel_is_at_once() -> None:
    for rig in (without_offset := Rig(), Rig(20)):
        if rig is without_offset:
            rig.begin()
        rig.end()
        assert rig.ended == [True]


def test_a_channel_that_the_broker_closes_ends_the_connection() -> None:
    rig = Rig(20)
    rig.begin()
    rig.broker.is_open = False
    rig.broker.closed(rig.broker, ChannelClosedByBroker(403, "ACCESS_REFUSED"))

    assert rig.lost == ['queue "q.offset" keeps no offset: ACCESS_REFUSED (403)']


def test_the_end_does_not_wait_for_a_channel_that_is_closed(caplog: Any) -> None:
    rig = Rig(20)
    rig.begin()
    rig.end()
    rig.broker.is_open = False
    rig.broker.closed(rig.broker, ChannelClosedByBroker(403, "ACCESS_REFUSED"))

    assert (rig.ended, rig.lost) == ([True], [])
    assert "has not confirmed offset 20 before the connection was lost" in caplog.text
