"""The contract of every sink. A connector subclasses `SinkContract` and gives it a `rig`."""

from __future__ import annotations

import json
import queue
from typing import Any, Protocol

from connectors.connector import Sink
from connectors.message import Answer, Claim, Documents, SinkState
from tests.waiting import until


class SinkRig(Protocol):
    """An empty store, and what a test does to it without the connector."""

    def sink(self) -> Sink: ...

    def stored(self) -> list[dict[str, Any]]:
        """All documents that a reader finds."""

    def poison(self) -> bytes:
        """Return a document that the store will refuse."""

    def change(self, id: str, source: bytes) -> None:
        """Write a document like another writer."""

    def go_down(self) -> None: ...

    def come_up(self) -> None: ...


class Answers:
    """Collects the answers to one submission."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Answer] = queue.Queue()
        self.stored: list[int] = []
        self.rejected: dict[int, str] = {}
        self.failed_claims: dict[int, str | None] = {}

    def __call__(self, answer: Answer) -> None:
        self._queue.put(answer)

    def take(self) -> int:
        """Receive the answers so far, and return the number of positions that they name."""
        while not self._queue.empty():
            answer = self._queue.get()
            self.stored += answer.stored
            self.failed_claims |= answer.failed_claims
            self.rejected |= {position: why.reason for position, why in answer.rejected}
        return len(self.stored) + len(self.rejected) + len(self.failed_claims)

    def wait_for(self, count: int) -> None:
        until(lambda: self.take() >= count, timeout=60)


def documents(count: int, ids: bool = False) -> Documents:
    return Documents(
        [b'{"n":%d}' % number for number in range(count)],
        None,
        [f"id-{number}" for number in range(count)] if ids else None,
    )


class SinkContract:
    """Subclasses define the fixture `rig`."""

    def test_stored_means_readable(self, rig: SinkRig) -> None:
        answers = Answers()
        rig.sink().submit(documents(1000), answers)

        answers.wait_for(1000)

        assert sorted(answers.stored) == list(range(1000))
        assert sorted(document["n"] for document in rig.stored()) == list(range(1000))

    def test_one_answer_for_each_document(self, rig: SinkRig) -> None:
        """Each submission gets answers for its own positions, each once."""
        sink, answers = rig.sink(), [Answers() for _ in range(20)]
        for n, each in enumerate(answers):
            sink.submit(documents(n + 1), each)
        sink.flush()

        for n, each in enumerate(answers):
            each.wait_for(n + 1)

        assert [sorted(each.stored) for each in answers] == [list(range(n + 1)) for n in range(20)]

    def test_one_bad_document_rejects_only_itself(self, rig: SinkRig) -> None:
        sources = documents(1000).sources
        sources[500] = rig.poison()
        answers = Answers()

        rig.sink().submit(Documents(sources, None, None), answers)
        answers.wait_for(1000)

        assert list(answers.rejected) == [500]
        assert answers.rejected[500]
        assert len(rig.stored()) == 999

    def test_the_same_id_twice_is_one_document(self, rig: SinkRig) -> None:
        """It counts as stored both times: a redelivered message is settled again."""
        sink = rig.sink()
        for _ in range(2):
            answers = Answers()
            sink.submit(documents(10, ids=True), answers)
            answers.wait_for(10)
            assert sorted(answers.stored) == list(range(10))

        assert len(rig.stored()) == 10

    def test_an_older_version_does_not_replace_a_newer_one(self, rig: SinkRig) -> None:
        """It counts as stored: the newer version is there already."""
        sink = rig.sink()
        for n, version in ((1, 7), (2, 6), (3, 7)):
            submit(sink, Documents([b'{"n":%d}' % n], None, ["a"], versions=[version]))
            assert [document["n"] for document in rig.stored()] == [3 if n == 3 else 1]

    def test_a_document_that_is_created_twice_counts_as_stored(self, rig: SinkRig) -> None:
        sink, ids = rig.sink(), list[str | None](["a", "b"])
        for n in (1, 2):
            sources = [b'{"n":%d}' % n] * 2
            submit(sink, Documents(sources, None, ids, actions=["create", "create"]))

        assert [document["n"] for document in rig.stored()] == [1, 1]

    def test_a_claim_never_replaces_another_document(self, rig: SinkRig) -> None:
        """It gets the fingerprint of each existing document; no other document changes."""
        sink = rig.sink()
        assert claim(sink, a="one") == (["a"], {})

        assert claim(sink, a="two", b="two", c="two") == (["b", "c"], {"a": "one"})

        assert sorted(document["f"] for document in rig.stored()) == ["one", "two", "two"]

    def test_a_claim_whose_answer_was_lost_is_stored_the_second_time(self, rig: SinkRig) -> None:
        sink = rig.sink()
        for _ in range(2):
            assert claim(sink, a="one") == (["a"], {})

        assert len(rig.stored()) == 1

    def test_a_writer_may_replace_its_own_document(self, rig: SinkRig) -> None:
        """As often as it names the fingerprint that it has written; also if it repeats itself."""
        sink = rig.sink()
        claim(sink, a="one")
        for replaces, fingerprint in (("one", "two"), ("one", "two"), ("two", "three")):
            assert claim(sink, replaces, a=fingerprint) == (["a"], {})

        assert claim(sink, "one", a="four") == ([], {"a": "three"})
        assert [document["f"] for document in rig.stored()] == ["three"]

    def test_each_claim_may_replace_an_early_document_and_no_early_one_a_final_one(
        self, rig: SinkRig
    ) -> None:
        sink = rig.sink()
        for fingerprint in ("early:1:a", "early:1:a", "early:2:b", "final"):
            assert claim(sink, a=fingerprint) == (["a"], {})

        assert claim(sink, a="early:3:c") == ([], {"a": "final"})
        assert claim(sink, a="other") == ([], {"a": "final"})

        assert [document["f"] for document in rig.stored()] == ["final"]

    def test_a_document_that_another_writer_has_changed_is_not_replaced(self, rig: SinkRig) -> None:
        """Nor is a document without a fingerprint; a deleted one is written again."""
        sink = rig.sink()
        claim(sink, a="one")
        rig.change("a", b'{"f":"other"}')
        rig.change("b", b'{"n":1}')

        assert claim(sink, "one", a="two", b="two", c="two") == (
            ["c"],
            {"a": "other", "b": None},
        )
        assert sorted(document.get("f", "") for document in rig.stored()) == ["", "other", "two"]

    def test_a_claim_without_a_fingerprint_field_recognises_nothing(self, rig: SinkRig) -> None:
        sink = rig.sink()

        assert claim(sink, field=None, a="one") == (["a"], {})
        assert claim(sink, field=None, a="one") == ([], {"a": None})

    def test_the_field_of_a_fingerprint_may_have_a_dot_in_its_name(self, rig: SinkRig) -> None:
        sink = rig.sink()

        assert claim(sink, field="a.f", a="one") == (["a"], {})
        assert claim(sink, field="a.f", a="two") == ([], {"a": "one"})

    def test_each_document_may_have_its_own_action(self, rig: SinkRig) -> None:
        sink = rig.sink()
        sources = [b'{"n":%d,"o":{"a":1}}' % n for n in range(4)]
        submit(sink, Documents(sources, None, [*"abcd"]))

        sources = [
            b'{"n":10}',
            b'{"n":11}',
            b'{"o":{"b":2}}',
            b'{"n":13}',
            b'{"n":14}',
            b'{"n":15}',
        ]
        actions: list[str | None] = ["index", "create", "update", "delete", "create", "upsert"]
        submit(sink, Documents(sources, None, [*"abcdef"], actions=actions))

        assert sorted(rig.stored(), key=lambda document: int(document["n"])) == [
            {"n": 1, "o": {"a": 1}},
            {"n": 2, "o": {"a": 1, "b": 2}},
            {"n": 10},
            {"n": 14},
            {"n": 15},
        ]

    def test_a_missing_document_counts_as_deleted_but_cannot_be_updated(self, rig: SinkRig) -> None:
        answers = Answers()
        actions: list[str | None] = ["delete", "update"]

        rig.sink().submit(
            Documents([b'{"n":1}', b'{"n":2}'], None, [*"ab"], actions=actions), answers
        )
        answers.wait_for(2)

        assert answers.stored == [0]
        assert "document_missing" in answers.rejected[1]
        assert rig.stored() == []

    def test_a_store_that_is_down_is_waited_for(self, rig: SinkRig) -> None:
        """No document is answered while it is down, and all of them afterwards."""
        sink, answers = rig.sink(), Answers()
        rig.go_down()
        sink.submit(documents(10), answers)
        sink.flush()
        assert answers.take() == 0

        rig.come_up()
        answers.wait_for(10)

        assert len(rig.stored()) == 10

    def test_state_tells_whether_the_sink_takes_documents(self, rig: SinkRig) -> None:
        """And its refusal, if it does not."""
        sink, answers = rig.sink(), Answers()
        assert sink.state() == SinkState(answers=True, refusal=None)
        rig.go_down()
        sink.submit(documents(10), answers)
        sink.flush()
        until(lambda: sink.state().refusal, timeout=60)

        rig.come_up()
        answers.wait_for(10)

        until(lambda: sink.state() == SinkState(answers=True, refusal=None))

    def test_withdrawn_documents_get_no_answer(self, rig: SinkRig) -> None:
        """Those that have not been sent are never sent."""
        sink, withdrawn, kept = rig.sink(), Answers(), Answers()
        rig.go_down()
        withdraw = sink.submit(documents(10), withdrawn)
        sink.submit(documents(5), kept)

        withdraw()
        rig.come_up()
        kept.wait_for(5)

        assert withdrawn.take() == 0


def submit(sink: Sink, documents: Documents) -> None:
    """Submit these documents, and expect that all are stored."""
    answers = Answers()
    sink.submit(documents, answers)
    sink.flush()
    answers.wait_for(len(documents.sources))
    assert sorted(answers.stored) == list(range(len(documents.sources)))


def claim(
    sink: Sink, replaces: str | None = None, field: str | None = "f", **fingerprints: str
) -> tuple[list[str], dict[str, str | None]]:
    """Claim ids for documents with these fingerprints: which are stored, and which others exist."""
    ids = [*fingerprints]
    answers = Answers()
    sink.submit(
        Documents(
            [json.dumps({field or "f": text}).encode() for text in fingerprints.values()],
            None,
            [*ids],
            claims=[Claim(field, text, replaces) for text in fingerprints.values()],
        ),
        answers,
    )
    sink.flush()
    answers.wait_for(len(ids))
    assert not answers.rejected
    found = {ids[position]: there for position, there in answers.failed_claims.items()}
    return sorted(ids[position] for position in answers.stored), found


def parsed(sources: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(source) for source in sources]
