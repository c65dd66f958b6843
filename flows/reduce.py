"""What a completed group becomes: its documents, and whose outcome an answer about them is.

Pure. It does not know how a sink stores documents, nor how a source settles messages.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from connectors.message import (
    Answer,
    Documents,
    Group,
    Origin,
    Outcomes,
    PartOutcome,
    Rejected,
    Rejection,
)
from flows.group import Member, Part


def documents(group: Group) -> Documents:
    """The documents of a group, one for each member, in the members' order."""
    members = group.members
    indices = [member.index for member in members]
    ids = [member.id for member in members]
    return Documents(
        [member.document for member in members],
        None if indices.count(None) == len(members) else indices,
        None if ids.count(None) == len(members) else ids,
    )


def outcomes(group: Group, answer: Answer) -> list[Outcomes]:
    """What a sink's answer about a group's documents means for its messages, by origin."""
    members = group.members
    origins = [member.origin for member in members]
    if len(answer.stored) == len(members) == origins.count(origins[0]):
        # Nearly all answers end here: everything is stored, and came from one consumer.
        return [Outcomes(origins[0], [member.message.tag for member in members], [])]
    by_origin = {origin: Outcomes(origin, [], []) for origin in origins}
    for position in answer.stored:
        by_origin[origins[position]].stored.append(members[position].message.tag)
    for position, rejection in answer.rejected:
        rejected = Rejected(members[position].message, rejection)
        by_origin[origins[position]].rejected.append(rejected)
    return [home for home in by_origin.values() if home.stored or home.rejected]


def rejected(members: Iterable[Member], rejection: Rejection) -> list[Outcomes]:
    """These messages will not be stored: their outcomes, by origin."""
    home: dict[Origin, list[Member]] = {}
    for member in members:
        home.setdefault(member.origin, []).append(member)
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
        for origin, mine in home.items()
    ]


def dropped(members: Iterable[Member]) -> list[Outcomes]:
    """Nothing of these messages is stored, and that is right: their outcomes, by origin."""
    tags, parts = tags_of(members)
    return [
        dropped_tags(origin, tags.get(origin, ()), parts.get(origin, ()))
        for origin in dict.fromkeys([*tags, *parts])
    ]


def dropped_tags(origin: Origin, tags: Sequence[int], parts: Iterable[Part]) -> Outcomes:
    """Outcomes of messages of which no more is left than their tags."""
    done = [PartOutcome(*part, dropped=True) for part in parts]
    return Outcomes(origin, [], [], dropped=tags, parts=done)


def tags_of(
    members: Iterable[Member],
) -> tuple[dict[Origin, array[int]], dict[Origin, list[Part]]]:
    """Delivery tags by origin: of whole messages, and of one document of several."""
    tags: dict[Origin, array[int]] = {}
    parts: dict[Origin, list[Part]] = {}
    for member in members:
        if member.part is None:
            tags.setdefault(member.origin, array("Q")).append(member.message.tag)
        else:
            parts.setdefault(member.origin, []).append(Part(member.message.tag, *member.part))
    return tags, parts


def merged(outcomes: Iterable[Outcomes]) -> list[Outcomes]:
    """The same outcomes, in one value for each origin: what travels is a batch."""
    home: dict[Origin, list[Outcomes]] = {}
    for one in outcomes:
        home.setdefault(one.origin, []).append(one)
    return [
        Outcomes(
            origin,
            [tag for one in ones for tag in one.stored],
            [rejected for one in ones for rejected in one.rejected],
            [tag for one in ones for tag in one.dropped],
            [part for one in ones for part in one.parts],
        )
        for origin, ones in home.items()
    ]
