"""What a sample shows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.message import Answer, Documents, Message, Properties, Rejected, Rejection
from flows.tap import samples
from flows.tap.samples import (
    BODY_KEPT,
    TEXT_KEPT,
    AnsweredDocuments,
    Envelopes,
    RejectedFrom,
    Shortened,
)
from flows.values.group import Group, Summary
from tests.flows.members import FIRST, member

ENVELOPES = Envelopes(
    lambda consumer: consumer.partition("/")[0], lambda _message: Properties(routing_key="new")
)


def group(**changes: Any) -> Group:
    members = [member(1, '"a"'), member(2, '"a"')]
    return Group(7, '"a"', members, "count", 10.0, 12.5)._replace(**changes)


def test_a_message_is_shown_as_it_was_read() -> None:
    sample = samples.of_member(member(1, '"a"', redelivered=True), 99.0, ENVELOPES)

    assert (sample.at, sample.queue, sample.routing_key, sample.key) == (
        *(99.0, FIRST.consumer.partition("/")[0]),
        *("new", '"a"'),
    )
    assert sample.redelivered


def test_an_envelope_that_cannot_be_decoded_has_no_routing_key() -> None:
    def properties(message: Message) -> Properties:
        raise ValueError("broken")

    broken = ENVELOPES._replace(properties=properties)

    assert samples.of_member(member(1, None), 1.0, broken).routing_key is None


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"{}", Shortened("{}", 0)),
        (b"x" * (BODY_KEPT + 5), Shortened("x" * BODY_KEPT, 5)),
        (b"\xff", Shortened("\N{REPLACEMENT CHARACTER}", 0)),
    ],
)
def test_a_long_body_is_shortened(body: bytes, shown: Shortened) -> None:
    assert samples.shortened(body) == shown


def test_a_group_shows_what_completed_it() -> None:
    sample = samples.of_group(group(), 99.0)

    assert (sample.key, sample.completed_by, sample.members) == ('"a"', "count", 2)
    assert (sample.start, sample.end) == (10.0, 12.5)


def test_a_summary_counts_its_members() -> None:
    summary = Summary(values={}, tags={}, count=40, name=None)

    assert samples.of_group(group(members=[], summary=summary), 1.0).members == 40


def test_documents_are_shown_with_their_answers() -> None:
    documents = Documents([b"{}", b'{"n":1}'], ["orders", None], ["one", None])
    refusal = Rejection("mapper_parsing_exception", status=400)
    answered = AnsweredDocuments(group(), documents, Answer([1], [(0, refusal)]))

    [stored, rejected] = [samples.of_document(answered[n], 9.0, "default") for n in range(2)]

    assert len(answered) == 2
    assert (stored.result, stored.index, stored.id, stored.reason) == (
        "stored",
        "default",
        None,
        None,
    )
    assert (rejected.result, rejected.index, rejected.id, rejected.reason) == (
        "rejected",
        *("orders", "one", "mapper_parsing_exception"),
    )
    assert (stored.document, rejected.document) == (Shortened('{"n":1}', 0), Shortened("{}", 0))


def test_a_document_without_details_has_those_of_the_spec() -> None:
    answered = AnsweredDocuments(group(), Documents([b"{}"], None, None), Answer([0], []))

    sample = samples.of_document(answered[0], 9.0, None)

    assert (sample.index, sample.id, sample.action) == (None, None, None)


def test_a_dead_letter_has_its_reason() -> None:
    rejected = Rejected(
        Message(1, False, b"", b"", b"no JSON"), Rejection("r" * 900, status=400), others=[2, 3]
    )

    sample = samples.of_rejected(RejectedFrom("orders/000", rejected), 9.0, ENVELOPES)

    assert (sample.queue, sample.routing_key, sample.status) == ("orders", "new", 400)
    assert (sample.messages, sample.reason) == (3, "r" * TEXT_KEPT)
    assert sample.body == Shortened("no JSON", 0)


def test_samples_tell_their_place_in_json() -> None:
    encoded = msgspec.json.encode(samples.of_group(group(), 1.0))

    assert msgspec.json.decode(encoded)["place"] == "aggregate"
    assert msgspec.json.decode(encoded, type=samples.Sample) == samples.of_group(group(), 1.0)
