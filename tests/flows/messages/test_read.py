"""What is said of messages that become no member."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.memory.delivery import Settled
from connectors.message import Properties
from flows.simulation.simulation import Simulation
from tests.flows.memory_job import pipeline

BROKEN = b'{"k": "a",}'
TEXT = "; the body is no JSON object, so it is text"


def reason(body: bytes, properties: Properties, **aggregate: Any) -> str | None:
    """Why the message is parked."""
    simulation = Simulation(pipeline("read", **aggregate))
    simulation.queue.publish(body, properties=properties)
    simulation.run()
    [parked] = [e.what for e in simulation.events if isinstance(e.what, Settled)]
    assert parked.how == "parked"
    return parked.reason


@pytest.mark.parametrize("body", [BROKEN, b"hello", b'["a"]', b'"a"'])
def test_a_reason_says_that_broken_json_was_taken_as_text(body: bytes) -> None:
    """Without it, the message seems to have the field that is missing."""
    assert reason(body, Properties(), by="k") == f"missing_key: nothing in k{TEXT}"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"hello", "text/plain"), (b'{"n": 1}', None), (b'{"message":"a"}', None)],
)
def test_a_document_that_is_as_its_sender_meant_it_needs_no_words(
    body: bytes, content_type: str | None
) -> None:
    assert reason(body, Properties(content_type=content_type), by="k") == (
        "missing_key: nothing in k"
    )
