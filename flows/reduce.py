"""What a completed group becomes: its documents, and whose outcome an answer about them is.

Pure. It does not know how a sink stores documents, nor how a source settles messages.
"""

from __future__ import annotations

from connectors.message import Answer, Documents, Group, Outcomes, Rejected


def documents(group: Group) -> Documents:
    """The documents of a group, one for each member, in the members' order."""
    members = group.members
    indices = [member.index for member in members]
    ids = [member.id for member in members]
    return Documents(
        [member.document for member in members],
        indices if any(index is not None for index in indices) else None,
        ids if any(id is not None for id in ids) else None,
    )


def outcomes(group: Group, answer: Answer) -> list[Outcomes]:
    """What a sink's answer about a group's documents means for its messages, by origin."""
    members = group.members
    by_origin: dict[object, Outcomes] = {}
    for position in answer.stored:
        member = members[position]
        home = by_origin.get(member.origin)
        if home is None:
            home = by_origin[member.origin] = Outcomes(member.origin, [], [])
        home.stored.append(member.message.tag)
    for position, rejection in answer.rejected:
        member = members[position]
        home = by_origin.setdefault(member.origin, Outcomes(member.origin, [], []))
        home.rejected.append(Rejected(member.message, rejection))
    return list(by_origin.values())
