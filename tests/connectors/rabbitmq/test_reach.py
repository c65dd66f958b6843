"""Whether a consumer consumes, and whether its queue is there."""

from __future__ import annotations

import pytest

from connectors.rabbitmq.reach import Reach
from connectors.rabbitmq.refusal import NOT_FOUND, PASSIVE_DECLARE

NO_QUEUE = "NOT_FOUND - no queue 'orders.3' in vhost '/' (404)"


def lost(reach: Reach, reason: str, remedy: str = "") -> None:
    reach.lost("localhost:5672", reason, remedy, expected=False)


@pytest.mark.parametrize(
    ("reason", "remedy", "is_missing"),
    [
        (NO_QUEUE, PASSIVE_DECLARE[NOT_FOUND], True),
        ("ACCESS_REFUSED - access to queue 'orders.3' in vhost '/' refused (403)", "permit", False),
        ("NOT_FOUND - home node of durable queue 'orders.3' is down or inaccessible", "", False),
        ("NOT_FOUND - no exchange 'orders' in vhost '/' (404)", "create it", False),
        ("Connection refused", "", False),
    ],
)
def test_a_queue_is_missing_when_the_broker_says_so(
    reason: str, remedy: str, is_missing: bool
) -> None:
    reach = Reach("orders.3/000")
    reach.agreed("localhost:5672")
    lost(reach, "the broker has cancelled the consumer")
    assert not reach.is_missing

    lost(reach, reason, remedy)

    assert reach.is_missing is is_missing
    assert reason in reach.lost_because


def test_a_queue_that_is_consumed_again_is_there() -> None:
    reach = Reach("orders.3/000")
    lost(reach, NO_QUEUE, "create the queue")
    assert reach.is_missing

    reach.agreed("localhost:5672")

    assert not reach.is_missing


def test_of_a_broker_that_does_not_answer_no_queue_is_missing() -> None:
    reach = Reach("orders.3/000")
    lost(reach, NO_QUEUE, "create the queue")

    lost(reach, "Connection refused")

    assert not reach.is_missing
