"""What a completed group becomes: its documents, and whose outcome an answer about them is.

Pure. It does not know how a sink stores documents, nor how a source settles messages.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from connectors.message import (
    Answer,
    Documents,
    Message,
    Origin,
    Outcomes,
    PartOutcome,
    Rejected,
    Rejection,
)
from flows.values.group import Group, Member, Part
from flows.values.identity import name_of

Tags = dict[Origin, "array[int]"]
"""Delivery tags of whole messages."""
Parts = dict[Origin, list[Part]]
"""Of messages with several documents."""


def outcomes(group: Group, documents: Documents, answer: Answer) -> list[Outcomes]:
    """What a sink's answer about a group's documents means for its messages, by origin."""
    if group.summary is not None or len(documents.sources) < len(group.members):
        for _, rejection in answer.rejected:
            return refused(group, rejection, documents.sources[0])
        return _all_stored(group)
    members = group.members
    origins = [member.origin for member in members]
    if len(answer.stored) == len(members) == origins.count(origins[0]) and not has_parts(members):
        # Nearly all answers end here: everything is stored, and came from one consumer.
        return [Outcomes(origins[0], [member.message.tag for member in members], [])]
    out = stored([members[position] for position in answer.stored])
    for position, rejection in answer.rejected:
        out += rejected([members[position]], rejection)
    return merged(out)


def refused(group: Group, rejection: Rejection, summary: bytes = b"") -> list[Outcomes]:
    """A group is rejected as a whole: its members are, or the summary that is all that is left."""
    if group.summary is None:
        return rejected(group.members, rejection)
    out: list[Outcomes] = []
    for origin, tags, parts in _by_origin(group.summary.tags, group.summary.parts):
        first = tags[0] if tags else parts[0].tag
        parked = Rejected(Message(first, False, b"", b"", summary), rejection, list(tags[1:]))
        outcomes = [
            PartOutcome(*part, Rejected(parked.message, rejection), summary=True) for part in parts
        ]
        out.append(Outcomes(origin, [], [parked] if tags else [], parts=outcomes))
    return out


def comes_again(group: Group, origin: Origin) -> bool:
    """Whether all messages of a group come again when their connection is lost, as strangers."""
    if group.summary is not None:
        origins = {*group.summary.tags, *group.summary.parts}
        return origins == {origin} and not any(map(name_of, group.identities))
    return all(member.origin == origin and member.message_id is None for member in group.members)


def stored(members: Iterable[Member]) -> list[Outcomes]:
    """These messages are stored: their outcomes, by origin."""
    return _stored(*tags_of(members))


def _stored(tags: Tags, parts: Parts) -> list[Outcomes]:
    return [
        Outcomes(origin, list(whole), [], parts=[PartOutcome(*part) for part in pieces])
        for origin, whole, pieces in _by_origin(tags, parts)
    ]


def has_parts(members: list[Member]) -> bool:
    """Whether one of them is a document of a message with several."""
    return [member.part for member in members].count(None) < len(members)


def _all_stored(group: Group) -> list[Outcomes]:
    if group.summary is None:
        return stored(group.members)
    return _stored(group.summary.tags, group.summary.parts)


def _by_origin(tags: Tags, parts: Parts) -> list[tuple[Origin, Sequence[int], Sequence[Part]]]:
    return [
        (origin, tags.get(origin, ()), parts.get(origin, ()))
        for origin in dict.fromkeys([*tags, *parts])
    ]


def rejected(members: Iterable[Member], rejection: Rejection) -> list[Outcomes]:
    """These messages will not be stored: their outcomes, by origin."""
    by_origin: dict[Origin, list[Member]] = {}
    for member in members:
        by_origin.setdefault(member.origin, []).append(member)
    return [
        Outcomes(
            origin,
            [],
            [Rejected(m.message, rejection) for m in mine if m.part is None],
            parts=[
                PartOutcome(m.message.tag, *m.part, Rejected(m.message, rejection))
                for m in mine
                if m.part is not None
            ],
        )
        for origin, mine in by_origin.items()
    ]


def dropped(members: Iterable[Member]) -> list[Outcomes]:
    """Nothing of these messages is stored, and that is right: their outcomes, by origin."""
    return [dropped_tags(*of_origin) for of_origin in _by_origin(*tags_of(members))]


def dropped_tags(origin: Origin, tags: Sequence[int], parts: Iterable[Part]) -> Outcomes:
    """Outcomes of messages of which no more is left than their tags."""
    done = [PartOutcome(*part, dropped=True) for part in parts]
    return Outcomes(origin, [], [], dropped=tags, parts=done)


def tags_of(members: Iterable[Member]) -> tuple[Tags, Parts]:
    """Delivery tags by origin: of whole messages, and of one document of several."""
    tags: Tags = {}
    parts: Parts = {}
    for member in members:
        if member.part is None:
            tags.setdefault(member.origin, array("Q")).append(member.message.tag)
        else:
            parts.setdefault(member.origin, []).append(Part(member.message.tag, *member.part))
    return tags, parts


def merged(outcomes: Iterable[Outcomes]) -> list[Outcomes]:
    """The same outcomes, in one value for each origin: what travels is a batch."""
    by_origin: dict[Origin, list[Outcomes]] = {}
    for one in outcomes:
        by_origin.setdefault(one.origin, []).append(one)
    return [
        Outcomes(
            origin,
            [tag for one in ones for tag in one.stored],
            [rejected for one in ones for rejected in one.rejected],
            [tag for one in ones for tag in one.dropped],
            [part for one in ones for part in one.parts],
        )
        for origin, ones in by_origin.items()
    ]
