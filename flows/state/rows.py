"""Encodes what a commit contains, and decodes it after a restart.

Pure. A change of these forms, or of the state of a function of `reduce`, is a new `FORMAT`.
"""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

from flows.state.commit import Row
from flows.values.group import FRAGMENT, FirstRevision, Fragment, Group, OfWindow, Summary

FORMAT = 1
"""The version of all that is stored."""


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
    """Return a group that has left: a summary whose messages are all acknowledged."""
    summary = group.summary
    assert summary is not None, "a group of the state is a summary"
    values = group.key, group.completed_by, group.start, group.end
    made = summary.values, summary.count, summary.name
    return group.number, encoded((values, made, _claim(group.of_window)))


def decoded_group(row: Row) -> Group:
    """Return the group again, to be written under the same `_id` with the same fingerprint."""
    number, stored = row
    (key, completed_by, start, end), (values, count, name), claim = decoded(stored)
    summary = Summary(values=values, tags={}, count=count, name=name)
    group = Group(number, key, [], completed_by, start, end, summary, UNKNOWN, kept=True)
    return group._replace(of_window=_of_window(claim))


UNKNOWN = (None,)
"""The identities of members that are not kept: any message may be one of them."""


def _claim(of_window: OfWindow | None) -> Any:
    if isinstance(of_window, FirstRevision):
        return bool(of_window.redelivered)
    return "fragment" if isinstance(of_window, Fragment) else None


def _of_window(claim: Any) -> OfWindow | None:
    if claim is None:
        return None
    return FRAGMENT if claim == "fragment" else FirstRevision(UNKNOWN if claim else ())
