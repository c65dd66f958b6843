"""Which trace contexts a group takes along, and that none is kept longer than its member."""

from __future__ import annotations

from array import array

import pytest

from connectors.message import Lost, Message, Outcomes, PartOutcome, Properties, Rejected, Rejection
from flows.traces.contexts import MAX_LINKS, TraceContexts, context_of
from flows.values.group import (
    DuplicateOfSent,
    FullMember,
    Group,
    Member,
    Part,
    Summary,
    TraceContext,
)
from tests.flows.members import FIRST, SECOND, member


def context(number: int, *, sampled: bool = True) -> TraceContext:
    return TraceContext(f"00-{number:032x}-{number:016x}-{'01' if sampled else '00'}")


def decode(message: Message) -> Properties:
    """The properties of these tests are the text of `traceparent`."""
    text = message.properties.decode()
    return Properties(headers={"traceparent": text} if text else None)


def traced(tag: int, *, sampled: bool = True, **fields: object) -> Member:
    """A member in the trace of its own tag."""
    plain = member(tag, **fields)  # type: ignore[arg-type]
    properties = context(tag, sampled=sampled).traceparent.encode()
    message = Message(tag, False, b"", properties, b"")
    return FullMember(plain.origin, message, b"", None, None, part=plain.part)


def group(*members: Member, summary: Summary | None = None) -> Group:
    return Group(1, None, list(members), "count", 0.0, 1.0, summary)


def left(contexts: TraceContexts, of: Group) -> list[TraceContext]:
    found = contexts.leave(of)
    assert isinstance(found, Group)
    return list(found.contexts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-1-2-01",
        "00-" + "0" * 31 + "G-0000000000000001-01",
        f"{context(1).traceparent}0",
    ],
)
def test_a_wrong_header_is_no_context(text: str) -> None:
    assert context_of(Message(1, False, b"", text.encode(), b""), decode) is None


def test_a_header_of_another_type_is_no_context() -> None:
    headers = Properties(headers={"traceparent": 1, "tracestate": "a=b"})
    assert context_of(Message(1, False, b"", b"", b""), lambda _: headers) is None


def test_an_envelope_that_cannot_be_read_has_no_context() -> None:
    def refuse(_: Message) -> Properties:
        raise ValueError("broken")

    assert context_of(Message(1, False, b"", b"", b""), refuse) is None


def test_a_group_takes_the_contexts_of_its_members_along() -> None:
    contexts = TraceContexts(decode)
    contexts.arrive([traced(1), member(2), traced(3), traced(4)])

    assert left(contexts, group(traced(1), member(2), traced(3))) == [context(1), context(3)]
    assert len(contexts) == 1


def test_contexts_of_sampled_traces_come_first_and_there_are_not_too_many() -> None:
    contexts = TraceContexts(decode)
    members = [traced(tag, sampled=tag == MAX_LINKS + 5) for tag in range(1, MAX_LINKS + 6)]
    contexts.arrive(members)

    found = left(contexts, group(*members))

    assert len(found) == MAX_LINKS
    assert found[:2] == [context(MAX_LINKS + 5), context(1, sampled=False)]
    assert not contexts


def test_a_reduced_group_has_the_contexts_of_its_delivery_tags() -> None:
    """Of parts too, each at its position in the message."""
    contexts = TraceContexts(decode)
    contexts.arrive([traced(1), traced(2, origin=SECOND), traced(3, part=(1, 2))])
    summary = Summary(
        values={},
        tags={FIRST: array("Q", [1]), SECOND: array("Q", [2])},
        count=3,
        name=None,
        parts={FIRST: [Part(3, 1, 2)]},
    )

    assert left(contexts, group(summary=summary)) == [context(1), context(2), context(3)]
    assert not contexts


def test_what_becomes_of_a_member_forgets_its_context() -> None:
    contexts = TraceContexts(decode)
    members = [traced(tag) for tag in range(1, 6)]
    contexts.arrive([*members, traced(6, part=(0, 2)), traced(7)])

    rejected = Rejected(members[1].message, Rejection("late"), others=(3,))
    outcomes = Outcomes(FIRST, [1], [rejected], [4], [PartOutcome(6, 0, 2)], [7])
    assert contexts.leave(outcomes) == outcomes
    assert len(contexts) == 1

    contexts.leave(DuplicateOfSent(members[4], 1, 0))
    assert not contexts


def test_a_lost_connection_forgets_its_contexts() -> None:
    contexts = TraceContexts(decode)
    contexts.arrive([traced(1), traced(2, origin=SECOND)])

    contexts.leave(Lost(FIRST))

    assert left(contexts, group(traced(1), traced(2, origin=SECOND))) == [context(2)]
