"""How dead letters are read, selected and published again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pika
import pytest

from connectors.message import Message, Origin, Rejected, Rejection
from connectors.rabbitmq.dead_letter_headers import OURS
from connectors.rabbitmq.dead_letter_headers import envelope as dead_letter_envelope
from connectors.rabbitmq.dead_letter_record import NO_REASON, DeadLetter, Selection, read
from connectors.rabbitmq.delivery import encode_route
from connectors.rabbitmq.properties import decode
from connectors.rabbitmq.replay import Plan, Route, envelope

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ORIGIN = Origin("q/000", 1)


def message(properties: pika.BasicProperties, body: bytes = b"{}") -> Message:
    encoded = b"".join(properties.encode())
    return Message(1, False, encode_route("", "parked"), encoded, body)


def letter(**headers: Any) -> DeadLetter:
    """A dead letter with these headers of ours; `_` stands for `-`."""
    ours = {f"x-hopper-{name.replace('_', '-')}": value for name, value in headers.items()}
    return read(message(pika.BasicProperties(headers=ours)))


def dead_letter(original: pika.BasicProperties, **rejection: Any) -> DeadLetter:
    """The dead letter that the job makes of a message."""
    rejected = Rejected(
        Message(1, False, encode_route("orders", "eu"), b"".join(original.encode()), b"{}"),
        Rejection("unreadable: 7 is no object", **rejection),
    )
    return read(message(dead_letter_envelope(rejected, "q", 1, NOW, 131072)))


def sent(replayed: pika.BasicProperties) -> Any:
    """The message as the broker delivers it."""
    return decode(message(replayed))


def test_the_headers_of_the_job_are_read() -> None:
    found = dead_letter(
        pika.BasicProperties(message_id="a"), status=400, index="orders", id="7", attempts=2
    )

    assert (found.reason, found.kind) == (
        "unreadable: 7 is no object",
        "unreadable: … is no object",
    )
    assert (found.status, found.index, found.id, found.attempts) == (400, "orders", "7", 2)
    assert (found.queue, found.exchange, found.routing_key) == ("q", "orders", "eu")
    assert (found.time, found.age(NOW + timedelta(hours=1))) == (NOW, 3600)
    assert found.replays == 0


@pytest.mark.parametrize(
    "headers",
    [{}, {"reason": 7, "time": "soon", "attempts": "x", "replays": True}, {"time": 12}],
)
def test_headers_of_other_senders_are_tolerated(headers: dict[str, Any]) -> None:
    found = letter(**headers)

    assert (found.reason, found.kind, found.time) == ("", NO_REASON, None)
    assert (found.attempts, found.replays, found.age(NOW)) == (0, 0, None)


def test_a_reason_is_read_although_other_properties_are_broken() -> None:
    broken = message(pika.BasicProperties(headers={"x-hopper-reason": "bad"}, message_id="a"))
    found = read(Message(1, False, broken.route, broken.properties[:-1], b""))

    assert found.reason == "bad"


def test_a_replay_is_the_original_message_with_a_count() -> None:
    original = pika.BasicProperties(
        headers={"tenant": "a", "x-delivery-count": 3, "x-hopper": "complete"},
        message_id="a",
        content_type="application/json",
        user_id="guest",
        expiration="1000",
    )

    replayed = sent(envelope(dead_letter(original), 5))

    assert replayed.headers == {
        "tenant": "a",
        "x-hopper": "complete",
        "x-hopper-replays": 1,
        "x-hopper-number": 5,
    }
    assert (replayed.message_id, replayed.content_type) == ("a", "application/json")
    assert (replayed.user_id, replayed.expiration, replayed.delivery_mode) == (None, None, 2)


def test_the_count_is_kept_after_another_rejection() -> None:
    once = dead_letter(pika.BasicProperties(headers={"tenant": "a"}))
    again = dead_letter(envelope(once, 5))

    assert again.replays == 1
    twice = sent(envelope(again, 6)).headers
    assert twice == {"tenant": "a", "x-hopper-replays": 2, "x-hopper-number": 6}
    assert set(OURS) & set(twice) == {"x-hopper-replays", "x-hopper-number"}


def test_a_message_is_sent_to_its_exchange_or_to_its_queue() -> None:
    recorded = letter(queue="q", exchange="orders", routing_key="eu")

    assert Plan(False, ["source"], 1).route(recorded) == Route("orders", "eu")
    assert Plan(True, ["source"], 1).route(recorded) == Route("", "q")
    assert Plan(True, ["source"], 1).route(letter()) == Route("", "source")
    assert "not recorded" in str(Plan(True, ["one", "another"], 1).route(letter()))
    assert Plan(True, ["one", "another"], 1).route(recorded) == Route("", "q")
    assert "not recorded" in str(Plan(False, ["source"], 1).route(letter(queue="q")))


def test_a_message_that_was_replayed_too_often_is_skipped() -> None:
    twice = letter(exchange="", routing_key="q", replays=2)

    assert "--max-replays 2" in str(Plan(False, ["q"], 2).route(twice))
    assert Plan(False, ["q"], 3).route(twice) == Route("", "q")


SOME = letter(
    reason="mapper_parsing: field [n] of 'id-7'",
    index="orders-2026",
    time=(NOW - timedelta(hours=2)).isoformat(),
)


@pytest.mark.parametrize(
    ("selection", "holds"),
    [
        (Selection(), True),
        (Selection(kinds=["mapper"]), True),
        (Selection(kinds=["parsing"]), False),
        (Selection(kinds=["late", "mapper"]), True),
        (Selection(reasons=["id-7"]), True),
        (Selection(reasons=["id-8"]), False),
        (Selection(index="orders-*"), True),
        (Selection(index="orders"), False),
        (Selection(older_than=3600), True),
        (Selection(older_than=7200), False),
        (Selection(newer_than=3 * 3600), True),
        (Selection(newer_than=3600), False),
        (Selection(kinds=["mapper"], newer_than=3600), False),
    ],
)
def test_which_messages_a_selection_includes(selection: Selection, holds: bool) -> None:
    assert selection.holds(SOME, NOW) is holds


def test_a_message_without_a_time_is_neither_old_nor_new() -> None:
    assert not Selection(older_than=1).holds(letter(), NOW)
    assert not Selection(newer_than=1).holds(letter(), NOW)


def test_a_message_that_stays_says_which_queue_or_exchange_is_to_blame() -> None:
    to_queue, to_exchange = Route("", "orders"), Route("shop", "eu")

    assert to_queue.nowhere == "no queue takes it: there is no queue orders"
    assert 'none is bound to exchange "shop" for routing key eu' in to_exchange.nowhere
    assert to_queue.refused == "queue orders refuses it: it may be full"
    assert to_exchange.refused == 'a queue of exchange "shop" refuses it: it may be full'
