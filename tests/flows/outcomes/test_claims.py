"""Who may write which document of a window: each line of the table at the head of the module."""

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


def documents(told: str = MINE, id: str = "id") -> Documents:
    return Documents([b"{}"], ["index"], [id], claims=[Claim("fingerprint", told)])


def meets(there: str | None) -> Answer:
    return Answer([], [], {0: there})


def reason(answer: Group | Answer) -> str:
    assert isinstance(answer, Answer)
    [(_, rejection)] = answer.rejected
    return rejection.reason


def written(group: Group, answer: Answer, told: str = MINE, *, amends: bool = True) -> Claims:
    claims = Claims(amends=amends)
    claims.sent(group)
    claims.answered(group, documents(told), answer)
    return claims


def test_what_is_stored_where_nothing_was_is_ours_to_amend() -> None:
    claims = written(window(), STORED)

    assert claims.prepared(late()) == late(replaces=wrote(MINE))


def test_the_same_members_are_as_good_as_stored_and_ours() -> None:
    """As they stand there, they may have come to a former process another way."""
    there = fingerprint(2, "a b", ["b"])
    claims = Claims()

    assert claims.answered(window(redelivered=["a"]), documents(), meets(there)) == STORED
    assert claims.prepared(late()) == late(replaces=wrote(there))


def test_new_members_that_meet_others_are_written_as_a_part() -> None:
    assert Claims().answered(window(), documents(), meets(OTHERS)) == window(beside=OTHERS)


@pytest.mark.parametrize(
    ("redelivered", "there"),
    [(["a"], OTHERS), ([], SECOND_HAND), ([], None), ([], "no fingerprint")],
)
def test_members_that_may_be_there_already_are_parked(
    redelivered: list[str], there: str | None
) -> None:
    claims = Claims()
    claims.sent(window())

    told = reason(claims.answered(window(redelivered=redelivered), documents(), meets(there)))

    many = "3" if there in (OTHERS, SECOND_HAND) else "an unknown number of"
    assert told == (
        f"ambiguous_window: its window is already written, with {many} messages, "
        'and it may be one of them, key "k"'
    )
    assert claims.busy(late()) is None
    doubt = claims.prepared(late())
    assert isinstance(doubt, Rejection), "what comes late is in the same sum"
    assert doubt.reason == told


def test_a_part_is_ours_to_amend() -> None:
    for answer in (STORED, meets(MINE)):
        claims = written(window(beside=OTHERS), answer)
        assert claims.prepared(late()) == late(replaces=wrote(MINE, beside=OTHERS))


def test_what_has_come_to_the_document_beside_it_is_not_added_to_a_part() -> None:
    """Its connection was lost here, and it was given to the process that wrote the document."""
    claims = written(window(beside=fingerprint(1, "c", ["c"])), STORED)

    assert isinstance(claims.prepared(late()), Rejection)
    assert isinstance(claims.prepared(late()._replace(identities=["d"])), Rejection)


def test_a_part_that_meets_others_is_parked() -> None:
    assert reason(Claims().answered(window(beside=OTHERS), documents(), meets(OTHERS)))


def test_what_amends_takes_the_place_of_what_was_written_last() -> None:
    claims = written(window(), STORED)
    amended = fingerprint(3, "a b c", [])
    first = claims.prepared(late())
    assert isinstance(first, Group)

    assert claims.answered(first, documents(amended), STORED) == STORED

    assert claims.prepared(late()) == late(replaces=wrote(amended))


def test_what_amends_and_meets_others_is_parked_and_nothing_is_written_apart() -> None:
    """What it was added to is counted there: with it, it would be counted twice."""
    claims = written(window(), STORED)
    amending = late(replaces=wrote(MINE))

    assert reason(claims.answered(amending, documents(), meets(OTHERS)))
    assert isinstance(claims.prepared(late()), Rejection)


def test_what_amends_a_window_that_was_never_written_claims_it() -> None:
    first = late()._replace(of_window=FirstRevision(is_late=True))
    assert Claims().prepared(first) == first


def test_what_amends_a_window_of_which_nothing_is_known_is_parked() -> None:
    """It was rejected, or forgotten: what it was added to may be counted, or not."""
    claims = written(window(), Answer([], [(0, Rejection("bad"))]))

    assert isinstance(claims.prepared(late()), Rejection)


def test_one_at_a_time_of_a_window_is_with_the_sink() -> None:
    claims = Claims()
    claims.sent(window())
    assert claims.busy(late()) == 1
    assert claims.busy(late()._replace(start=60)) is None

    part = claims.answered(window(), documents(), meets(OTHERS))
    assert claims.busy(late()) == 1, "the part is not written yet"

    assert isinstance(part, Group)
    claims.answered(part, documents(), STORED)
    assert claims.busy(late()) is None


def test_what_is_withdrawn_may_be_stored_or_not() -> None:
    claims = Claims()
    claims.sent(window())

    claims.withdrawn(window())

    assert claims.busy(late()) is None
    assert isinstance(claims.prepared(late()), Rejection)


def test_nothing_is_kept_of_a_window_that_is_not_amended() -> None:
    claims = written(window(), STORED, amends=False)

    assert isinstance(claims.prepared(late()), Rejection)
