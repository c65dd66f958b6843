"""Encodes what a commit contains, and decodes it after a restart.

Pure. A change of these forms, or of the state of a function of `reduce`, is a new `FORMAT`.
"""

from __future__ import annotations

import builtins
import pickle
from collections.abc import Iterable
from typing import Any, NamedTuple

from connectors.message import Message, Origin, Rejection
from flows.state.commit import Row
from flows.values.group import (
    FRAGMENT,
    Earlier,
    EarlyRevision,
    FirstRevision,
    Fragment,
    FullMember,
    Group,
    Kept,
    Member,
    OfWindow,
    Summary,
)

FORMAT = 3
"""The version of all that is stored, also of the description of a folder."""


class Header(NamedTuple):
    """What is known of a shard as a whole."""

    commit: int = 0
    """Number of the last commit."""
    row: int = 0
    """Number of the last row of a group."""
    group: int = 0
    """Number of the last group that has left."""
    closed_below: float = float("-inf")
    """Windows of a lower number are closed."""
    known_from: float = float("inf")
    over_below: float = float("-inf")
    """See `Amendments`."""
    token: str = ""
    """Makes the names of the shard's groups unique, also in another folder."""
    entered_below: float = float("-inf")
    """Messages of an earlier event time have entered their groups, if these go by event time."""
    lag: float = float("inf")
    """See `Watermark`."""


class GroupRow(NamedTuple):
    """What is stored of an open group, beside its number."""

    key: str | None
    window: int | None
    opened_at: float
    last_at: float
    members: int
    bytes: int
    size: int | None
    redelivered: bool
    has_early: bool
    stored: int
    """Bytes of the members that have rows of their own."""
    reduced: builtins.bytes | None
    """The running values of `reduce`, encoded; `None`: there are none."""
    until: builtins.bytes | None
    """Those that `until` reads."""


def encoded(values: Any) -> bytes:
    """Return values as bytes."""
    return pickle.dumps(values, protocol=5)


def decoded(row: bytes) -> Any:
    """Return the values again."""
    return pickle.loads(row)


def encoded_header(header: Header) -> bytes:
    """Return a header as bytes."""
    return encoded(tuple(header))


def decoded_header(row: bytes | None) -> Header:
    """Return the header; of a new shard, an empty one."""
    return Header() if row is None else Header(*decoded(row))


def encoded_group(group: Group) -> Row:
    """Return a group that has left; its members, if it has any, stay in their row."""
    kept, summary, rejection = group.kept, group.summary, group.rejection
    assert kept is not None, "a group of the state is kept"
    values = group.key, group.completed_by, group.start, group.end
    made = None if summary is None else (summary.values, summary.count)
    reason = None if rejection is None else rejection.reason
    members = kept.row, kept.members, kept.bytes, kept.stays
    return group.number, encoded((values, made, _claim(group.of_window), members, reason))


def decoded_group(row: Row, token: str) -> Group:
    """Return the group again, to be written under the same `_id` with the same fingerprint.

    `token`: see `Header`. Its members are not in it.
    """
    number, stored = row
    (key, completed_by, start, end), made, claim, members, reason = decoded(stored)
    place, count, size, stays = members
    of_window = _of_window(claim)
    name = name_of_group(token, number, of_window)
    kept = Kept(place, count, size, name, is_again=True, stays=stays)
    summary = None
    if made is not None:
        summary = Summary(values=made[0], tags={}, count=made[1], name=name)
    rejection = None if reason is None else Rejection(reason, foreseen=True)
    group = Group(number, key, [], completed_by, start, end, summary, UNKNOWN)
    return group._replace(of_window=of_window, kept=kept, rejection=rejection)


def messages_in(row: Row) -> int:
    """Return how many messages of a group that has left no group before it has."""
    group = decoded_group(row, "")
    if group.summary is None:
        assert group.kept is not None
        count = group.kept.members
    else:
        count = group.summary.count
    revision = group.of_window
    amends = revision.amends if isinstance(revision, FirstRevision) else None
    return count if amends is None else count - amends.members


def name_of_group(token: str, number: int, of_window: OfWindow | None) -> str:
    """Return the name of a group (see `Kept`): all revisions of a window have that of the first.

    `token`: see `Header`.
    """
    if isinstance(of_window, FirstRevision) and of_window.amends is not None:
        number = of_window.amends.first
    return f"{token}.{number}"


def encoded_members(members: Iterable[Member]) -> bytes:
    """Return members as bytes, with all that their documents and their dead letters need."""
    return encoded([_row_of(member) for member in members])


def decoded_members(rows: Iterable[bytes], key: str | None) -> list[Member]:
    """Return the members of a group again, in their order; `key`: that of the group."""
    return [_member(key, *values) for row in rows for values in decoded(row)]


def _row_of(member: Member) -> tuple[Any, ...]:
    message, document = member.message, member.document
    return (
        *(member.origin.consumer, message.redelivered, message.route, message.properties),
        *(message.body, None if document is message.body else document),
        *(member.index, member.id, member.values, member.part, member.action, member.routing),
    )


def _member(
    key: str | None,
    consumer: str,
    redelivered: bool,
    route: bytes,
    properties: bytes,
    body: bytes,
    document: bytes | None,
    index: str | None,
    id: str | None,
    values: tuple[Any, ...],
    part: tuple[int, int] | None,
    action: str | None,
    routing: str | None,
) -> Member:
    return FullMember(
        Origin(consumer, ACKNOWLEDGED),
        Message(0, redelivered, route, properties, body),
        body if document is None else document,
        index,
        id,
        key,
        values=values,
        part=part,
        action=action,
        routing=routing,
    )


ACKNOWLEDGED = -1
"""The generation in the origin of messages that are acknowledged: no connection has it."""
UNKNOWN = (None,)
"""The identities of members that are not kept: any message may be one of them."""


def _claim(of_window: OfWindow | None) -> Any:
    if isinstance(of_window, FirstRevision):
        amends = of_window.amends
        return bool(of_window.redelivered), None if amends is None else tuple(amends)
    if isinstance(of_window, EarlyRevision):
        return "early"
    return "fragment" if isinstance(of_window, Fragment) else None


def _of_window(claim: Any) -> OfWindow | None:
    if claim is None:
        return None
    if claim == "early":
        return EarlyRevision(is_empty=True)  # no other one is in the state
    if claim == "fragment":
        return FRAGMENT
    redelivered, amends = claim
    earlier = None if amends is None else Earlier(*amends)
    return FirstRevision(UNKNOWN if redelivered else (), amends=earlier)
