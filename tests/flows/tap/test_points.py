"""The places of a job where samples are taken."""

from __future__ import annotations

import msgspec
import pytest

from flows.tap.points import MAX_TAPS, TapPoint
from flows.tap.samples import (
    DeadLetterSample,
    DocumentSample,
    GroupSample,
    Place,
    ReadSample,
    Sample,
)
from tests.flows.served_job import ServedJob


@pytest.fixture
def job() -> ServedJob:
    return ServedJob()


def sampled(job: ServedJob, place: Place, keys: list[str] | None = None) -> list[Sample]:
    """The samples at a place of three messages of two orders, one of them whole, and no JSON."""
    subscription = job.simulation.job.taps.subscribe(place, 10, keys)
    assert subscription
    job.publish(
        {"order": "one", "type": "line", "amount": 2},
        {"order": "two", "type": "line", "amount": 5},
        {"order": "one", "type": "end", "amount": 3},
        b"no JSON",
    )
    return subscription.take(0)[0]


def test_messages_are_sampled_after_they_are_read(job: ServedJob) -> None:
    samples = msgspec.convert(sampled(job, "read"), list[ReadSample])

    assert [(one.queue, one.key) for one in samples] == [
        ("orders", '"one"'),
        ("orders", '"two"'),
        ("orders", '"one"'),
    ]
    assert samples[1].body.text == '{"order": "two", "type": "line", "amount": 5}'


def test_groups_are_sampled_when_they_are_complete(job: ServedJob) -> None:
    [sample] = msgspec.convert(sampled(job, "aggregate"), list[GroupSample])

    assert (sample.key, sample.completed_by, sample.members) == ('"one"', "last", 2)


def test_documents_are_sampled_when_they_are_answered(job: ServedJob) -> None:
    [sample] = msgspec.convert(sampled(job, "write"), list[DocumentSample])

    assert (sample.key, sample.result) == ('"one"', "stored")
    assert (sample.index or "").startswith("orders-2")
    assert '"total":5' in sample.document.text


def test_rejected_messages_are_sampled(job: ServedJob) -> None:
    [sample] = msgspec.convert(sampled(job, "dead-letter"), list[DeadLetterSample])

    assert (sample.queue, sample.body.text) == ("orders", "no JSON")
    assert sample.reason.startswith("missing_key")


@pytest.mark.parametrize("place", ["read", "aggregate", "write"])
def test_a_key_selects_samples(job: ServedJob, place: Place) -> None:
    assert {one.key for one in sampled(job, place, ['"one"'])} == {'"one"'}  # type: ignore[union-attr]


def test_a_refused_document_is_sampled_with_its_reason(job: ServedJob) -> None:
    job.simulation.store.refuse(b'"one"', "it is poison")

    [sample] = msgspec.convert(sampled(job, "write"), list[DocumentSample])

    assert (sample.result, sample.reason) == ("rejected", "it is poison")


def test_without_a_reader_nothing_is_offered(
    job: ServedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch costs a test of one attribute, and a message nothing."""
    offered: list[object] = []
    monkeypatch.setattr(TapPoint, "offer", lambda _self, values: offered.append(values))
    job.publish({"order": "one", "type": "end", "amount": 3}, b"no JSON")
    assert offered == []

    sampled(job, "read")
    assert len(offered) == 1


def test_there_are_so_many_readers_and_no_more(job: ServedJob) -> None:
    taps = job.simulation.job.taps
    readers = [taps.subscribe("read", 10, None) for _ in range(MAX_TAPS)]

    assert taps.subscribe("write", 10, None) is None
    assert readers[0]
    taps.unsubscribe("read", readers[0])
    assert readers[0] not in taps.read.subscriptions
    assert taps.subscribe("write", 10, None) is not None
