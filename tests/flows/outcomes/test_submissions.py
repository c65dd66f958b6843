"""How many messages wait for an answer of the sink, and which a lost connection withdraws."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from connectors.message import Answer, Claim, Documents, Rejection
from flows.audit.counters import in_outcomes
from flows.outcomes.documents import documents as documents_of
from flows.outcomes.submissions import Submissions
from flows.values.group import (
    Amendment,
    DuplicateOfSent,
    EarlyRevision,
    FirstRevision,
    Group,
    Summary,
    Unwritten,
)
from tests.flows.members import FIRST, SECOND, member


def of_members(*tags: int) -> Group:
    return Group(1, None, [member(tag) for tag in tags], "count", 0, 1)


def of_a_summary(*tags: int) -> Group:
    """A summary of members of which one has no id, so the summary has none either."""
    return Group(
        1,
        '"k"',
        [],
        "count",
        0,
        1,
        Summary(values={}, tags={FIRST: array("Q", tags)}, count=2, name=None),
    )


def submitted(group: Group, withdraw: Callable[[], None] = lambda: None) -> Submissions:
    submissions = Submissions()
    documents = Documents([b"{}"], None, None) if group.summary else documents_of(group)
    submissions.add(group, documents, withdraw)
    return submissions


def test_members_wait_separately() -> None:
    submissions = submitted(of_members(1, 2, 3))
    assert submissions.members == 3

    out, _ = submissions.answer(1, Answer([1], [(0, Rejection("bad"))]))

    assert sum(map(in_outcomes, out)) == 2
    assert submissions.members == 1
    assert submissions.lose(FIRST) == 1
    assert submissions.members == 0


def test_members_of_a_summary_wait_together_with_their_duplicates() -> None:
    submissions = submitted(of_a_summary(1, 2))
    assert submissions.answer_duplicate(DuplicateOfSent(member(9, origin=SECOND), 1, 0)) == ([], [])
    assert submissions.members == 3

    out, _ = submissions.answer(1, Answer([0], []))

    assert sum(map(in_outcomes, out)) == 3
    assert submissions.members == 0


def test_a_duplicate_of_another_connection_is_not_withdrawn_with_its_first_copy() -> None:
    """The broker would not redeliver it, so it would wait for an outcome for ever."""
    withdrawn: list[bool] = []
    submissions = submitted(of_a_summary(1, 2), lambda: withdrawn.append(True))
    submissions.answer_duplicate(DuplicateOfSent(member(9, origin=SECOND), 1, 0))

    assert submissions.lose(FIRST) == 0

    assert withdrawn == []
    out, _ = submissions.answer(1, Answer([0], []))
    assert {one.origin: list(one.stored) for one in out} == {FIRST: [1, 2], SECOND: [9]}


def test_a_summary_without_an_index_is_parked_instead_of_its_messages() -> None:
    """Nothing else is left of them, and they are acknowledged then."""
    unwritten = Unwritten(Rejection("no_index: no tenant"), b'{"total":5}')

    [out], _ = Submissions().refuse(of_a_summary(1, 2), unwritten)

    [parked] = out.rejected
    assert (parked.message.tag, parked.others) == (1, [2])
    assert parked.message.body == b'{"total":5}'


def test_a_duplicate_of_a_member_that_waits_for_a_claim_waits_too() -> None:
    """It is not stored: it has not even been sent."""
    submissions = Submissions()
    window = of_a_summary(1, 2)._replace(of_window=FirstRevision())
    documents = Documents([b"{}"], None, ["id"], claims=[Claim("fingerprint", "2:a")])
    submissions.add(window, documents, lambda: None)
    amendment = window._replace(number=2, of_window=Amendment())
    assert submissions.waits(amendment)

    assert submissions.answer_duplicate(DuplicateOfSent(member(9, origin=SECOND), 2, 0)) == ([], [])

    _, due = submissions.answer(1, Answer([0], []))
    assert due == [amendment]
    assert submissions.members == 1
    out, _ = submissions.refuse(amendment, Unwritten(Rejection("ambiguous_window")))
    assert submissions.members == 0
    assert {one.origin for one in out if one.rejected} == {FIRST, SECOND}


def early_revision(number: int) -> Group:
    return of_a_summary()._replace(number=number, of_window=EarlyRevision())


def test_an_early_summary_that_cannot_be_made_settles_nothing() -> None:
    submissions = Submissions()

    assert submissions.refuse(early_revision(1), Unwritten(Rejection("no_index: no tenant"))) == (
        [],
        [],
    )

    assert submissions.early == {"stored": 0, "rejected": 1, "superseded": 0}
    assert submissions.early_rejection == Rejection("no_index: no tenant")


def test_an_early_summary_that_comes_behind_the_final_one_is_superseded() -> None:
    submissions = Submissions()
    window = of_a_summary(1, 2)._replace(of_window=FirstRevision())
    submissions.add(window, Documents([b"{}"], None, ["id"]), lambda: None)

    assert submissions.waits(early_revision(2))

    assert submissions.early["superseded"] == 1
    _, due = submissions.answer(1, Answer([0], []))
    assert due == []


def test_an_early_summary_stays_when_a_connection_is_lost() -> None:
    submissions = Submissions()
    submissions.add(early_revision(1), Documents([b"{}"], None, ["id"]), lambda: None)

    assert submissions.lose(FIRST) == 0

    assert len(submissions) == 1
