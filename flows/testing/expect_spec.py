"""The models of what a test expects."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from connectors.spec import Spec, instead_of
from connectors.units import Duration
from flows.testing.values import AnyValue, Number, Numbers


class ExpectedGroup(Spec):
    """A group that is completed."""

    at: Duration | None = None
    """When."""
    key: AnyValue = None
    """Values of `by`: one alone, or a list of several."""
    completed_by: str | None = None
    """The rule that completes it, as `count` or `time`."""
    messages: Numbers | None = None
    """Its messages, by their numbers."""


class ExpectedDocument(Spec):
    """A document that is written."""

    elsewhere: ClassVar = instead_of(
        {"write index": "_index", "write id": "_id", "write source": "_source body document"}
    )

    at: Duration | None = None
    """When."""
    index: str | None = None
    """Its index."""
    id: str | None = None
    """Its `_id`."""
    version: int | None = None
    """Its version."""
    source: dict[str, AnyValue] | None = None
    """All of its fields."""
    contains: dict[str, AnyValue] | None = None
    """Some of its fields; it may have more."""


class ExpectedRequest(Spec):
    """A bulk request that is sent."""

    elsewhere: ClassVar = instead_of({"write lines": "body", "write path": "url"})

    at: Duration | None = None
    """When."""
    path: str | None = None
    """Where it is sent, as `/orders/_bulk`."""
    documents: Number | None = None
    """How many documents it has."""
    lines: Annotated[tuple[AnyValue, ...], Field(strict=False)] | None = None
    """Its lines, in order: each as text, exactly, or as a mapping, which is compared as JSON."""


class ExpectedDeadLetter(Spec):
    """A message that is dead-lettered."""

    at: Duration | None = None
    """When."""
    messages: Numbers | None = None
    """Its number; of a summary, the numbers of all messages in it."""
    reason: str | None = None
    """A part of its reason."""
    body: AnyValue = None
    """Its body, as JSON."""
    text: str | None = None
    """Its body, as text."""


class ExpectedAcknowledgement(Spec):
    """Messages that are acknowledged, since they are stored, or dropped as the file says."""

    at: Duration | None = None
    """When."""
    messages: Numbers | None = None
    """Their numbers."""


class Expectation(Spec):
    """What the pipeline does, each list in the order of time; messages have numbers, from 1 on.

    What is omitted is not compared, but for `dead_letters` and `unacknowledged`: there are none
    unless they are expected.
    """

    elsewhere: ClassVar = instead_of(
        {
            "write requests": "bulks bulk",
            "write dead_letters": "dead_letter parked dlq rejected",
            "write acknowledged": "acknowledgements acks ack",
        }
    )

    groups: Annotated[tuple[ExpectedGroup, ...], Field(strict=False)] | None = None
    """The groups that are completed."""
    documents: Annotated[tuple[ExpectedDocument, ...], Field(strict=False)] | None = None
    """The documents that are written, each time."""
    requests: Annotated[tuple[ExpectedRequest, ...], Field(strict=False)] | None = None
    """The bulk requests that are sent, also those that fail."""
    dead_letters: Annotated[tuple[ExpectedDeadLetter, ...], Field(strict=False)] = ()
    """The messages that are dead-lettered; omitted: none may be."""
    acknowledged: Annotated[tuple[ExpectedAcknowledgement, ...], Field(strict=False)] | None = None
    """When which messages are acknowledged; dead letters stand in `dead_letters` only."""
    unacknowledged: Numbers = ()
    """The messages that are neither acknowledged nor dead-lettered at the end; omitted: none may
    be."""
