"""What becomes of a group that the state has, and which of its messages are dead-lettered."""

from __future__ import annotations

from msgspec.structs import replace

from connectors.message import Documents, Message, Rejection
from flows.outcomes.documents import documents
from flows.outcomes.finished import OwnDeadLetter, answered, refused
from flows.values.group import Group, Kept, Member, Summary
from tests.flows.members import member

WHY = Rejection("it is wrong", 400)


def group(*members: Member, summary: Summary | None = None, is_again: bool = False) -> Group:
    kept = Kept(row=3, name="t0ken.7.1", is_again=is_again)
    return Group(1, '"a"', [*members], "count", 0.0, 0.0, summary, kept=kept)


def bodies(dead_letters: object) -> list[bytes]:
    assert isinstance(dead_letters, list)
    return [one.rejected.message.body for one in dead_letters]


def sent(count: int) -> Documents:
    return Documents([b"{}"] * count, None, None)


def test_only_the_messages_of_refused_documents_are_dead_lettered() -> None:
    some = group(member(1, length=1), member(2, length=2), member(3, length=3))

    stored = answered(some, sent(3), {})
    one_refused = answered(some, sent(3), {1: WHY})

    assert (stored.number, stored.row, stored.dead_letters) == (1, 3, ())
    [dead_letter] = one_refused.dead_letters
    assert isinstance(dead_letter, OwnDeadLetter)
    assert dead_letter.rejected.message.body == b"xx"
    assert dead_letter.rejected.rejection == WHY
    assert dead_letter.consumer == "q/000"


def test_the_one_document_of_a_group_stands_for_all_of_its_messages() -> None:
    some = group(member(1, length=1), member(2, length=2))

    assert bodies(answered(some, sent(1), {0: WHY}).dead_letters) == [b"x", b"xx"]
    assert bodies(refused(some, WHY, b"").dead_letters) == [b"x", b"xx"]


def test_a_summary_takes_the_place_of_messages_that_are_not_kept() -> None:
    some = group(summary=Summary(values={}, tags={}, count=9, name="n"))

    for finished in (answered(some, sent(1), {0: WHY}), refused(some, WHY, b"{}")):
        [dead_letter] = finished.dead_letters
        assert dead_letter.rejected.message == Message(0, False, b"", b"", b"{}")
        assert dead_letter.consumer is None


def test_the_reason_says_which_document_of_a_message_it_is() -> None:
    [dead_letter] = refused(group(member(1, part=(4, 9))), WHY, b"").dead_letters

    assert dead_letter.rejected.rejection.reason == (
        "1 of 9 documents, the first is number 5: it is wrong"
    )


def test_documents_without_an_id_are_named_by_their_group() -> None:
    """Unless the spec leaves all of them to the sink: then it may have them already."""
    some = [replace(member(1), id="own"), member(2)]

    assert documents(group(*some)).ids == ["own", "t0ken.7.1.1"]
    left = documents(group(*some[1:]), names=False)
    again = documents(group(*some[1:], is_again=True), names=False)
    assert (left.ids, left.redelivered) == (None, [False])
    assert (again.ids, again.redelivered) == (None, [True])
