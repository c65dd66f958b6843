"""The outcomes of the documents of a message become one outcome, when all are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.current_origin import CurrentOrigin
from connectors.message import Message, Origin, Outcomes, PartOutcome, Rejected, Rejection
from flows.outcomes import split_messages
from flows.outcomes.split_messages import SplitMessages

ORIGIN = Origin("queue/000", 1)


def message(tag: int, body: bytes = b"0123456789") -> Message:
    return Message(tag, False, b"", b"", body)


def only(message: Message, positions: Sequence[int]) -> Message:
    """Bodies of one byte for each document."""
    return replace(message, body=bytes(message.body[at] for at in positions))


def stored(tag: int, position: int, count: int) -> PartOutcome:
    return PartOutcome(tag, position, count)


def dropped(tag: int, position: int, count: int) -> PartOutcome:
    return PartOutcome(tag, position, count, dropped=True)


def rejected(tag: int, position: int, count: int, reason: str = "bad") -> PartOutcome:
    body = b"0123456789"[:count]
    return PartOutcome(
        tag, position, count, Rejected(message(tag, body), Rejection(reason, 400, "i", "x", 1))
    )


def outcomes(*parts: PartOutcome, origin: Origin = ORIGIN) -> Outcomes:
    return Outcomes(origin, [], [], parts=parts)


def unsplit(message: Message, positions: Sequence[int]) -> Message:
    raise AssertionError("it is not cut")


NOTHING = Outcomes(ORIGIN, [], [], [])


def test_outcomes_of_whole_messages_are_passed_on_unchanged() -> None:
    """The same object: it costs nothing."""
    whole = Outcomes(ORIGIN, [1], [Rejected(message(2), Rejection("bad"))], [3])
    assert SplitMessages(only).take(whole) is whole


def test_a_message_is_stored_when_all_its_documents_are() -> None:
    """Not before; in any order, and in any number of outcomes."""
    gathered = SplitMessages(only)
    assert gathered.take(outcomes(stored(7, 2, 3))) == NOTHING
    assert gathered.take(outcomes(stored(7, 0, 3), stored(8, 0, 2))) == NOTHING
    assert len(gathered) == 2
    assert gathered.take(outcomes(stored(8, 1, 2), stored(7, 1, 3))).stored == [8, 7]
    assert len(gathered) == 0


def test_outcomes_of_whole_messages_beside_documents_are_passed_on() -> None:
    beside = Rejected(message(2), Rejection("bad"))

    taken = SplitMessages(only).take(Outcomes(ORIGIN, [1], [beside], [3], [stored(4, 0, 1)]))

    assert taken == Outcomes(ORIGIN, [1, 4], [beside], [3])


def test_only_the_rejected_documents_are_parked() -> None:
    """With the reason of the first one, and the status and address of the sink's answer."""
    gathered = SplitMessages(only)
    gathered.take(outcomes(stored(7, 0, 4), rejected(7, 3, 4, "worse")))

    taken = gathered.take(outcomes(rejected(7, 1, 4), stored(7, 2, 4)))

    reason = "2 of 4 documents, the first is number 2: bad"
    rejection = Rejection(reason, 400, "i", "x", 1, foreseen=True)  # a part of it is stored
    assert taken == Outcomes(ORIGIN, [], [Rejected(message(7, b"13"), rejection)], [])


def test_a_message_whose_documents_are_all_rejected_is_parked_unchanged() -> None:
    taken = SplitMessages(unsplit).take(outcomes(rejected(7, 1, 2, "b"), rejected(7, 0, 2, "a")))

    [settled_now] = taken.rejected
    assert settled_now.message == message(7, b"01")
    assert settled_now.rejection.reason == "2 of 2 documents, the first is number 1: a"


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([dropped(7, 1, 2)], Outcomes(ORIGIN, [], [], [7])),
        ([stored(7, 1, 2)], Outcomes(ORIGIN, [7], [], [])),
    ],
)
def test_a_dropped_document_has_an_outcome(others: list[PartOutcome], expected: Outcomes) -> None:
    """The message was dropped if nothing of it was stored."""
    assert SplitMessages(only).take(outcomes(dropped(7, 0, 2), *others)) == expected


def test_a_dropped_document_does_not_hide_a_rejected_one() -> None:
    taken = SplitMessages(only).take(outcomes(dropped(7, 0, 2), rejected(7, 1, 2)))
    assert [settled_now.message.body for settled_now in taken.rejected] == [b"1"]


def summary_rejected(tag: int, position: int, count: int, summary: bytes) -> PartOutcome:
    rejection = Rejected(Message(tag, False, b"", b"", summary), Rejection("bad"))
    return PartOutcome(tag, position, count, rejection, summary=True)


def test_a_rejected_summary_is_parked_in_place_of_documents() -> None:
    """Nothing is cut out, since it contains no documents; however many documents it counts."""
    gathered = SplitMessages(unsplit)
    taken = gathered.take(
        outcomes(
            summary_rejected(7, 0, 3, b"{}"), stored(7, 1, 3), summary_rejected(7, 2, 3, b"{}")
        )
    )
    assert [settled_now.message.body for settled_now in taken.rejected] == [b"{}"]


def test_several_rejected_summaries_are_parked_together() -> None:
    """None of them is lost: they form a JSON array, which can be published again."""
    gathered = SplitMessages(unsplit)
    taken = gathered.take(
        outcomes(summary_rejected(7, 1, 2, b'{"b":2}'), summary_rejected(7, 0, 2, b'{"a":1}'))
    )
    assert [settled_now.message.body for settled_now in taken.rejected] == [b'[{"a":1},{"b":2}]']


def test_documents_are_parked_instead_of_a_summary_if_they_are_known() -> None:
    """One document was unreadable, and the summary that counts the other was rejected."""
    three = [rejected(7, 2, 3), summary_rejected(7, 0, 3, b"{}"), stored(7, 1, 3)]
    for order in (three, three[::-1]):
        taken = SplitMessages(only).take(outcomes(*order))
        assert [settled_now.message.body for settled_now in taken.rejected] == [b"02"]


def test_a_repeated_outcome_counts_once() -> None:
    """Before the message has its outcome, and after."""
    gathered = SplitMessages(only)
    assert gathered.take(outcomes(stored(7, 0, 2), stored(7, 0, 2))) == NOTHING
    assert gathered.take(outcomes(rejected(7, 0, 2))) == NOTHING
    assert gathered.take(outcomes(stored(7, 1, 2))).stored == [7]
    assert gathered.take(outcomes(stored(7, 0, 2), stored(7, 1, 2))) == NOTHING
    assert len(gathered) == 0


class CollectedOutcomes:
    """The outcomes that the `acknowledge` step receives for a consumer."""

    def __init__(self) -> None:
        self.current, self.parts = CurrentOrigin("queue/000"), SplitMessages(only)
        self.current.open()

    def __len__(self) -> int:
        return len(self.parts)

    def reconnect(self) -> Origin:
        self.current.lose()
        return self.current.open()

    def take(self, outcomes: Outcomes) -> Outcomes:
        return NOTHING if self.current.is_stale(outcomes.origin) else self.parts.take(outcomes)


def test_documents_of_a_lost_connection_are_forgotten() -> None:
    """Their outcomes change nothing any more, and their tags mean other messages now."""
    gathered = CollectedOutcomes()
    gathered.take(outcomes(stored(7, 0, 2)))

    gathered.current.lose()

    assert gathered.take(outcomes(stored(7, 1, 2))) == NOTHING
    new = gathered.current.open()
    assert gathered.take(outcomes(stored(7, 1, 2), origin=new)).stored == []
    assert gathered.take(outcomes(stored(7, 0, 2), origin=new)).stored == [7]
    assert len(gathered) == 0


def test_an_outcome_of_a_newer_connection_shows_that_the_older_one_is_lost() -> None:
    """Also if `Lost` comes late; it then removes nothing of the new connection."""
    gathered = CollectedOutcomes()
    gathered.take(outcomes(stored(7, 0, 2)))
    gathered.take(outcomes(stored(7, 1, 2), origin=gathered.reconnect()))

    assert len(gathered) == 1
    assert gathered.take(outcomes(stored(7, 1, 2))) == NOTHING
    assert len(gathered) == 1


def test_the_memory_of_finished_messages_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest ones are forgotten first."""
    monkeypatch.setattr(split_messages, "MAX_FINISHED", 10)
    gathered = SplitMessages(only)
    gathered.take(outcomes(*(stored(tag, 0, 1) for tag in range(1, 101))))

    latest = gathered.take(outcomes(*(stored(tag, 0, 1) for tag in range(91, 101))))

    assert latest == NOTHING
    assert gathered.take(outcomes(stored(90, 0, 1))).stored == [90]


KINDS = st.sampled_from([stored, dropped, rejected])
MESSAGES = st.lists(st.lists(KINDS, min_size=1, max_size=4), min_size=1, max_size=6)


@given(MESSAGES, st.data())
def test_every_message_is_settled_exactly_once(
    messages: list[list[type]], data: st.DataObject
) -> None:
    """Any order of its documents' outcomes, some repeated, with lost connections in between."""
    gathered, origin = CollectedOutcomes(), ORIGIN
    for generation in range(1, data.draw(st.integers(1, 3)) + 1):
        arrived = [
            kind(tag, position, len(kinds))
            for tag, kinds in enumerate(messages, start=1)
            for position, kind in enumerate(kinds)
        ]
        twice = data.draw(st.lists(st.sampled_from(arrived)))
        stale = outcomes(*twice, origin=Origin("queue/000", generation - 1))
        queue = data.draw(st.permutations(arrived + twice))
        settled: Counter[int] = Counter()
        due = {tag: len(kinds) for tag, kinds in enumerate(messages, start=1)}
        seen: set[tuple[int, int]] = set()
        while queue:
            size = data.draw(st.integers(1, 4))
            batch, queue = queue[:size], queue[size:]
            settled_now = gathered.take(outcomes(*batch, origin=origin))
            assert tags(gathered.take(stale), messages) == Counter()
            for part in batch:
                if (part.tag, part.position) not in seen:
                    seen.add((part.tag, part.position))
                    due[part.tag] -= 1
            settled += tags(settled_now, messages)
            assert set(settled) == {tag for tag, missing in due.items() if missing == 0}
        assert set(settled.values()) == {1}
        assert len(gathered) == 0
        gathered.take(outcomes(stored(99, 0, 2), origin=origin))  # is lost with its connection
        origin = gathered.reconnect()


def tags(settled_now: Outcomes, messages: list[list[type]]) -> Counter[int]:
    """The tags that are settled, each with the correct outcome."""
    for tag in settled_now.stored:
        assert stored in messages[tag - 1]
        assert rejected not in messages[tag - 1]
    for tag in settled_now.dropped:
        assert set(messages[tag - 1]) == {dropped}
    for parked in settled_now.rejected:
        whole = parked.message
        kinds = messages[whole.tag - 1]
        positions = [at for at, kind in enumerate(kinds) if kind is rejected]
        assert whole.body == bytes(b"0123456789"[at] for at in positions)
    return Counter(
        [
            *settled_now.stored,
            *settled_now.dropped,
            *(parked.message.tag for parked in settled_now.rejected),
        ]
    )
