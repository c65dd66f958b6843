"""Who may write which document of a window: each line of the table in the module."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from connectors.message import Answer, Claim, Documents, Rejection
from flows.outcomes.claims import Claims
from flows.summaries.fingerprint import fingerprint
from flows.values.group import Amendment, FirstRevision, Group, Summary, Written
from tests.flows.members import FIRST

MINE = fingerprint(2, "a b", [])
OTHERS = fingerprint(3, "c d e", [])
SECOND_HAND = fingerprint(3, "c d a", ["a"])
STORED = Answer([0], [])


def wrote(fingerprint: str, beside: str | None = None) -> Written:
    return Written(fingerprint=fingerprint, index="index", id="id", beside=beside)


def window(**details: Any) -> Group:
    summary = Summary(values={}, tags={FIRST: array("Q", [1, 2])}, count=2, name="a")
    return Group(
        1, '"k"', [], "window", 0, 60, summary, ["a", "b"], FirstRevision()._replace(**details)
    )


def late(**details: Any) -> Group:
    amendment = Amendment()._replace(**details)
    return window()._replace(number=2, identities=["c"], of_window=amendment)


def documents(fingerprint: str = MINE, id: str = "id") -> Documents:
    return Documents([b"{}"], ["index"], [id], claims=[Claim("fingerprint", fingerprint)])


def meets(there: str | None) -> Answer:
    return Answer([], [], {0: there})


def reason(answer: Group | Answer) -> str:
    assert isinstance(answer, Answer)
    [(_, rejection)] = answer.rejected
    return rejection.reason


def written(
    group: Group, answer: Answer, fingerprint: str = MINE, *, amends: bool = True
) -> Claims:
    claims = Claims(amends=amends)
    claims.sent(group)
    claims.answered(group, documents(fingerprint), answer)
    return claims


def test_a_stored_document_without_a_former_one_can_be_amended() -> None:
    claims = written(window(), STORED)

    assert claims.prepared(late()) == late(replaces=wrote(MINE))


def test_a_document_of_the_same_members_counts_as_stored() -> None:
    """Another process may have received the members as redelivered."""
    there = fingerprint(2, "a b", ["b"])
    claims = Claims()

    assert claims.answered(window(redelivered=["a"]), documents(), meets(there)) == STORED
    assert claims.prepared(late()) == late(replaces=wrote(there))


def test_new_members_that_meet_another_document_are_written_as_a_part() -> None:
    assert Claims().answered(window(), documents(), meets(OTHERS)) == window(beside=OTHERS)


@pytest.mark.parametrize(
    ("redelivered", "there"),
    [(["a"], OTHERS), ([], SECOND_HAND), ([], None), ([], "no fingerprint")],
)
def test_members_that_the_document_may_count_are_parked(
    redelivered: list[str], there: str | None
) -> None:
    claims = Claims()
    claims.sent(window())

    why = reason(claims.answered(window(redelivered=redelivered), documents(), meets(there)))

    many = "3" if there in (OTHERS, SECOND_HAND) else "an unknown number of"
    assert why == (
        f"ambiguous_window: its window is already written, with {many} messages, "
        'and it may be one of them, key "k"'
    )
    assert claims.busy(late()) is None
    doubt = claims.prepared(late())
    assert isinstance(doubt, Rejection), "what comes late is in the same sum"
    assert doubt.reason == why


def test_a_part_can_be_amended() -> None:
    for answer in (STORED, meets(MINE)):
        claims = written(window(beside=OTHERS), answer)
        assert claims.prepared(late()) == late(replaces=wrote(MINE, beside=OTHERS))


def test_a_member_that_the_other_document_counts_is_not_added_to_a_part() -> None:
    """Its connection was lost here, and the broker redelivered it to the other process."""
    claims = written(window(beside=fingerprint(1, "c", ["c"])), STORED)

    assert isinstance(claims.prepared(late()), Rejection)
    assert isinstance(claims.prepared(late()._replace(identities=["d"])), Rejection)


def test_a_part_that_meets_another_document_is_parked() -> None:
    assert reason(Claims().answered(window(beside=OTHERS), documents(), meets(OTHERS)))


def test_an_amendment_replaces_the_last_written_document() -> None:
    claims = written(window(), STORED)
    amended = fingerprint(3, "a b c", [])
    first = claims.prepared(late())
    assert isinstance(first, Group)

    assert claims.answered(first, documents(amended), STORED) == STORED

    assert claims.prepared(late()) == late(replaces=wrote(amended))


def test_an_amendment_that_meets_another_document_is_parked() -> None:
    """A part with the former members would count them twice."""
    claims = written(window(), STORED)
    amending = late(replaces=wrote(MINE))

    assert reason(claims.answered(amending, documents(), meets(OTHERS)))
    assert isinstance(claims.prepared(late()), Rejection)


def test_an_amendment_of_an_unwritten_window_claims_it() -> None:
    first = late()._replace(of_window=FirstRevision(is_late=True))
    assert Claims().prepared(first) == first


def test_an_amendment_of_an_unknown_window_is_parked() -> None:
    """The window was rejected or forgotten: the former members may be counted, or not."""
    claims = written(window(), Answer([], [(0, Rejection("bad"))]))

    assert isinstance(claims.prepared(late()), Rejection)


def test_the_sink_has_one_group_of_a_window_at_a_time() -> None:
    claims = Claims()
    claims.sent(window())
    assert claims.busy(late()) == 1
    assert claims.busy(late()._replace(start=60)) is None

    part = claims.answered(window(), documents(), meets(OTHERS))
    assert claims.busy(late()) == 1, "the part is not written yet"

    assert isinstance(part, Group)
    claims.answered(part, documents(), STORED)
    assert claims.busy(late()) is None


def test_a_withdrawn_group_may_be_stored_or_not() -> None:
    claims = Claims()
    claims.sent(window())

    claims.withdrawn(window())

    assert claims.busy(late()) is None
    assert isinstance(claims.prepared(late()), Rejection)


def test_without_amendments_nothing_is_remembered_of_a_window() -> None:
    claims = written(window(), STORED, amends=False)

    assert isinstance(claims.prepared(late()), Rejection)
