"""Permanent refusals of a broker have a remedy; other errors may be temporary."""

from __future__ import annotations

import logging

import pytest
from pika.adapters.utils.connection_workflow import AMQPConnectionWorkflowFailed
from pika.exceptions import (
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from connectors.rabbitmq import refusal
from connectors.rabbitmq.reach import Reach
from connectors.rabbitmq.refusal import remedy, remedy_of_connection

REFUSED = "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'u' (403)"


@pytest.mark.parametrize(
    ("remedies", "code", "text", "expected"),
    [
        (refusal.CONSUME, 403, REFUSED, "permission to read the queue"),
        (
            refusal.PASSIVE_DECLARE,
            404,
            "NOT_FOUND - no queue 'q' in vhost '/' (404)",
            "declare: {durable",
        ),
        (refusal.DECLARE, 403, REFUSED, "source.rabbitmq.declare to passive"),
        (refusal.DECLARE, 405, "RESOURCE_LOCKED - cannot obtain exclusive access", "exclusive"),
        (
            refusal.DECLARE,
            406,
            "PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q'",
            "passive to use the queue unchanged",
        ),
        (refusal.BIND, 404, "NOT_FOUND - no exchange 'x' in vhost '/'", "declare.bind"),
        (refusal.DEAD_LETTER_EXCHANGE, 404, "NOT_FOUND - no exchange", "dead_letter.rabbitmq"),
    ],
)
def test_a_permanent_refusal_has_a_remedy(
    remedies: refusal.Remedies, code: int, text: str, expected: str
) -> None:
    assert expected in remedy(remedies, code, text)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"),
        (404, "NOT_FOUND - home node 'a@b' of durable queue 'q' is down or inaccessible"),
        (406, "PRECONDITION_FAILED - queue limit in vhost '/' (1) is reached"),
        (541, "INTERNAL_ERROR"),
        (None, "Connection refused"),
    ],
)
def test_a_temporary_error_is_waited_for(code: int | None, text: str) -> None:
    assert remedy(refusal.CONSUME, code, text) == ""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProbableAuthenticationError("ACCESS_REFUSED"), "user and password"),
        (
            AMQPConnectionWorkflowFailed(
                [ConnectionClosedByBroker(530, "NOT_ALLOWED - vhost x not found")]
            ),
            "virtual host",
        ),
        (
            ProbableAccessDeniedError(
                "ConnectionClosedByBroker: (530) 'NOT_ALLOWED - vhost x not found'"
            ),
            "virtual host",
        ),
        (
            ProbableAccessDeniedError(
                "ConnectionClosedByBroker: (530) 'NOT_ALLOWED - connection limit (1) is reached'"
            ),
            "",
        ),
        (ProbableAccessDeniedError("StreamLostError: ('Transport indicated EOF',)"), ""),
        (
            ConnectionClosedByBroker(530, "NOT_ALLOWED - refused: connection limit (1) is reached"),
            "",
        ),
        (ConnectionClosedByBroker(320, "CONNECTION_FORCED - broker shuts down"), ""),
        (ConnectionRefusedError(111, "Connection refused"), ""),
    ],
)
def test_a_refused_connection_has_a_remedy(error: Exception, expected: str) -> None:
    found = remedy_of_connection(error)
    assert expected in found
    assert bool(found) == bool(expected)


def test_a_refusal_before_the_first_success_ends_the_job(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    reach = Reach("q/000")

    reach.lost("h:5672", REFUSED, "give the permission", expected=False)

    assert reach.refused == f"q/000: h:5672: {REFUSED}: give the permission"
    assert caplog.records == []  # the end of the job reports it


def test_a_later_refusal_is_an_error_and_is_retried(caplog: pytest.LogCaptureFixture) -> None:
    """A lost connection is a warning; `/health` shows the cause of both."""
    caplog.set_level(logging.INFO)
    reach = Reach("q/000")
    reach.agreed("h:5672")
    assert (reach.consuming, reach.lost_because) == (True, "")

    reach.lost("h:5672", "Stream lost", "", expected=False)
    assert (reach.consuming, reach.lost_because) == (False, "h:5672: Stream lost")
    reach.lost("h:5672", REFUSED, "give the permission", expected=False)

    assert reach.refused == ""
    assert reach.lost_because == f"h:5672: {REFUSED}: give the permission"
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "ERROR"]


def test_the_end_of_a_working_consumer_is_no_refusal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The broker also closes a channel with 406 at the consumer timeout."""
    reach = Reach("q/000")
    reach.agreed("h:5672")

    reach.lost("h:5672", "PRECONDITION_FAILED - delivery timed out (406)", "x", expected=False)

    assert reach.lost_because == "h:5672: PRECONDITION_FAILED - delivery timed out (406)"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
