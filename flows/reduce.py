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
