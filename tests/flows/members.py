"""Makes members for tests, and shows groups in a form that is easy to compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.message import Message, Origin, Outcomes
from flows.groups.departures import ShardOutput
from flows.values.group import DuplicateOfSent, FullMember, Group, Member

FIRST, SECOND, THIRD = Origin("q/000", 1), Origin("q/001", 1), Origin("q/000", 2)
"""Two consumers, and the first one after it has reconnected."""

WITH_KEYS: dict[str, Any] = {"plain": False, "recognise": True}


def member(
    tag: int,
    key: str | None = None,
    *,
    origin: Origin = FIRST,
    length: int = 10,
    redelivered: bool = False,
    **fields: Any,
) -> Member:
    """A member whose body has `length` bytes; `fields` are those of `Member`."""
    body = b"x" * length
    message = Message(tag, redelivered, b"", b"", body)
    return FullMember(origin, message, body, None, None, key, **fields)


def members(first: int, last: int, size: int = 10) -> list[Member]:
    """Members with these tags, and bodies of `size` bytes."""
    return [member(tag, length=size) for tag in range(first, last + 1)]


def tags(members: Iterable[Member]) -> list[int]:
    return [member.message.tag for member in members]


def groups(leaving: Sequence[ShardOutput]) -> list[Group]:
    """All values must be groups."""
    found = [one for one in leaving if isinstance(one, Group)]
    assert len(found) == len(leaving)
    return found


def shape(leaving: Sequence[ShardOutput]) -> list[tuple[str, list[int]]]:
    """The rule that completed each group, and the tags of its members."""
    return [(group.completed_by, tags(group.members)) for group in groups(leaving)]


def keyed_shape(leaving: Sequence[ShardOutput]) -> list[tuple[str | None, str, list[int]]]:
    return [
        (group.key, group.completed_by, tags(group.members) or list(_tags(group)))
        for group in groups(leaving)
    ]


def _tags(group: Group) -> Iterable[int]:
    assert group.summary
    return (tag for tags in group.summary.tags.values() for tag in tags)


def duplicates(leaving: Sequence[ShardOutput]) -> list[tuple[int, int, int]]:
    """Tag, group number and position of each duplicate."""
    found = [one for one in leaving if isinstance(one, DuplicateOfSent)]
    return [
        (duplicate.member.message.tag, duplicate.number, duplicate.position) for duplicate in found
    ]


def rejected(leaving: Sequence[ShardOutput]) -> list[tuple[int, str]]:
    """Tag and reason of each rejected member."""
    return [
        (rejected.message.tag, rejected.rejection.reason)
        for one in leaving
        if isinstance(one, Outcomes)
        for rejected in one.rejected
    ]


def dropped(leaving: Sequence[ShardOutput]) -> list[int]:
    return [tag for one in leaving if isinstance(one, Outcomes) for tag in one.dropped]
