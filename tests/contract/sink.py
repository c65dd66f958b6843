"""What every sink promises. A connector subclasses `SinkContract` and gives it a `rig`."""

from __future__ import annotations

import json
import queue
from typing import Any, Protocol

from connectors.connector import Sink
from connectors.message import Answer, Documents
from tests.waiting import until


class SinkRig(Protocol):
    """An empty store, and what a test does to it behind the connector's back."""

    def sink(self) -> Sink: ...

    def stored(self) -> list[dict[str, Any]]:
        """All documents that a reader would find."""

    def poison(self) -> bytes:
        """A document that the store will refuse."""

    def go_down(self) -> None: ...

    def come_up(self) -> None: ...


class Answers:
    """Collects what a sink says of one submission."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Answer] = queue.Queue()
        self.stored: list[int] = []
        self.rejected: dict[int, str] = {}
        self.conflicts: dict[int, int | None] = {}

    def __call__(self, answer: Answer) -> None:
        self._queue.put(answer)

    def take(self) -> int:
        """Take in what has been said; how many positions have been named so far."""
        while not self._queue.empty():
            answer = self._queue.get()
            self.stored += answer.stored
            self.conflicts |= answer.conflicts
            self.rejected |= {position: why.reason for position, why in answer.rejected}
        return len(self.stored) + len(self.rejected)

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
        """Each submission hears of its own positions, each once."""
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
        """Both times it is stored: a message that was delivered twice is settled twice."""
        sink = rig.sink()
        for _ in range(2):
            answers = Answers()
            sink.submit(documents(10, ids=True), answers)
            answers.wait_for(10)
            assert sorted(answers.stored) == list(range(10))

        assert len(rig.stored()) == 10

    def test_an_older_version_does_not_replace_a_newer_one(self, rig: SinkRig) -> None:
        """It is stored all the same: what it says is known already."""
        sink = rig.sink()
        for n, version in ((1, 7), (2, 6), (3, 7)):
            submit(sink, Documents([b'{"n":%d}' % n], None, ["a"], versions=[version]))
            assert [document["n"] for document in rig.stored()] == [3 if n == 3 else 1]

    def test_what_comes_second_is_told(self, rig: SinkRig) -> None:
        """By creation, or by its version, and what is there; it counts as stored all the same."""
        sink, ids = rig.sink(), list[str | None](["a", "b"])
        sources = [b'{"n":1}', b'{"n":2}']
        create = Documents(sources, None, ids, actions=["create", "create"])

        assert submit(sink, create._replace(ids=["a", "c"])) == {}
        assert submit(sink, create) == {0: 1}
        assert submit(sink, Documents(sources, None, ids, versions=[7, 2**62])) == {}
        assert submit(sink, Documents(sources, None, ids, versions=[6, 2**62])) == {0: 7}
        assert submit(sink, create) == {0: 7, 1: 2**62}

    def test_each_document_may_say_what_is_done_with_it(self, rig: SinkRig) -> None:
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

    def test_what_is_not_there_is_as_good_as_deleted_but_cannot_be_updated(
        self, rig: SinkRig
    ) -> None:
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
        """Nothing is answered while it is, and everything afterwards."""
        sink, answers = rig.sink(), Answers()
        rig.go_down()
        sink.submit(documents(10), answers)
        sink.flush()
        assert answers.take() == 0

        rig.come_up()
        answers.wait_for(10)

        assert len(rig.stored()) == 10

    def test_what_is_withdrawn_is_not_heard_of_again(self, rig: SinkRig) -> None:
        """And what has not been sent never is."""
        sink, withdrawn, kept = rig.sink(), Answers(), Answers()
        rig.go_down()
        withdraw = sink.submit(documents(10), withdrawn)
        sink.submit(documents(5), kept)

        withdraw()
        rig.come_up()
        kept.wait_for(5)

        assert withdrawn.take() == 0


def submit(sink: Sink, documents: Documents) -> dict[int, int | None]:
    """Have all of them stored; return those that were there before, and in which version."""
    answers = Answers()
    sink.submit(documents, answers)
    sink.flush()
    answers.wait_for(len(documents.sources))
    assert sorted(answers.stored) == list(range(len(documents.sources)))
    return answers.conflicts


def parsed(sources: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(source) for source in sources]
