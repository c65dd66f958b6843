"""Translates the sink's answer about the documents of a group into outcomes of its messages.

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
"""Documents of split messages."""


def outcomes(group: Group, documents: Documents, answer: Answer) -> list[Outcomes]:
    """Return the outcomes that a sink's answer means for the messages of a group, by origin."""
    if group.summary is not None or len(documents.sources) < len(group.members):
        for _, rejection in answer.rejected:
            return refused(group, rejection, documents.sources[0])
        return _all_stored(group)
    members = group.members
    origins = [member.origin for member in members]
    if len(answer.stored) == len(members) == origins.count(origins[0]) and not has_parts(members):
        # The fast path of nearly all answers: all is stored, and one consumer delivered it.
        return [Outcomes(origins[0], [member.message.tag for member in members], [])]
    out = stored([members[position] for position in answer.stored])
    for position, rejection in answer.rejected:
        out += rejected([members[position]], rejection)
    return merged(out)


def refused(group: Group, rejection: Rejection, summary: bytes = b"") -> list[Outcomes]:
    """Reject all members of a group; `summary` is the body to park if their own are gone."""
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


def redelivered_without_ids(group: Group, origin: Origin) -> bool:
    """Return whether a lost connection redelivers every message, and none has a `message_id`."""
    if group.summary is not None:
        origins = {*group.summary.tags, *group.summary.parts}
        return origins == {origin} and not any(map(name_of, group.identities))
    return all(member.origin == origin and member.message_id is None for member in group.members)


def stored(members: Iterable[Member]) -> list[Outcomes]:
    """Return outcomes by origin: these messages are stored."""
    return _stored(*tags_of(members))


def _stored(tags: Tags, parts: Parts) -> list[Outcomes]:
    return [
        Outcomes(origin, list(whole), [], parts=[PartOutcome(*part) for part in pieces])
        for origin, whole, pieces in _by_origin(tags, parts)
    ]


def has_parts(members: list[Member]) -> bool:
    """Return whether one of them is a document of a split message."""
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
    """Return outcomes by origin: these messages are rejected."""
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
    """Return outcomes by origin: the spec drops these messages."""
    return [dropped_tags(*of_origin) for of_origin in _by_origin(*tags_of(members))]


def dropped_tags(origin: Origin, tags: Sequence[int], parts: Iterable[Part]) -> Outcomes:
    """Return outcomes of dropped messages of which only the tags are left."""
    done = [PartOutcome(*part, dropped=True) for part in parts]
    return Outcomes(origin, [], [], dropped=tags, parts=done)


def tags_of(members: Iterable[Member]) -> tuple[Tags, Parts]:
    """Return delivery tags by origin: of whole messages, and of documents of split messages."""
    tags: Tags = {}
    parts: Parts = {}
    for member in members:
        if member.part is None:
            tags.setdefault(member.origin, array("Q")).append(member.message.tag)
        else:
            parts.setdefault(member.origin, []).append(Part(member.message.tag, *member.part))
    return tags, parts


def merged(outcomes: Iterable[Outcomes]) -> list[Outcomes]:
    """Merge outcomes into one value for each origin, so that one batch travels."""
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
            [tag for one in ones for tag in one.kept],
        )
        for origin, ones in by_origin.items()
    ]
