"""Makes the document of a reduced group: its fields, index, `_id` and fingerprint.

Pure. The members were reduced on arrival (`reducers.py`); only a user function sees them here, all
together.

The `_id` makes the write idempotent: after a crash, the same group writes the same document.

Rule 1: a whole aligned window is named after its key and its start; its fingerprint has the number
        of its members, and which they are (`fingerprint.py`). An early summary has the same name.
Rule 2: without `by`, each consumer has windows of its own, so its name is the key.
Rule 3: a fragment of such a window (late members, or members that left before its end because of
        no room, a stop or a count) has the names of its members in its own name. Otherwise it
        would replace the document of the whole window.
Rule 4: any other group is named after its key and all of its members. If one of them is redelivered
        after a crash and joins other members, that is another group, which must not replace the
        first one.
Rule 5: if a member has no name, the sink makes the `_id` of such a group. A document with a
        fingerprint always gets its `_id` here: a unique number replaces the missing names.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from connectors.connector import Addressing
from connectors.message import Claim, Properties, Rejection
from flows.conditions import user_functions
from flows.summaries.fingerprint import early_fingerprint, fingerprint, grown
from flows.values.group import (
    Amendment,
    EarlyRevision,
    FirstRevision,
    Fragment,
    Group,
    Unwritten,
    Written,
)
from flows.values.identity import combined_id, identity, of_key


class SummaryNames(Protocol):
    """Names of the fields that every summary has; `None`: the field is left out."""

    @property
    def key(self) -> str | None:
        """The value of `by`; no field without `by`."""

    @property
    def start(self) -> str | None:
        """Start of the window, else arrival of the first member; a time in UTC."""

    @property
    def end(self) -> str | None:
        """End of the window, else arrival of the last member; a time in UTC."""

    @property
    def count(self) -> str | None:
        """The number of members."""

    @property
    def completed_by(self) -> str | None:
        """The rule that completed the group."""

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of a window's members: see `fingerprint.py`."""


class Summarised(msgspec.Struct, frozen=True, kw_only=True):
    """A group's document, ready for the sink."""

    document: bytes
    """One JSON object on one line."""
    index: str | None
    """`None`: the one index of the sink's spec."""
    id: str | None
    """`None`: the sink makes one."""
    claim: Claim | None = None
    """The condition under which it may replace a document; `None`: it has no fingerprint."""


class Summaries:
    """Makes the documents of groups, as the spec says."""

    def __init__(
        self,
        names: SummaryNames,
        addressing: Addressing,
        function: Callable[[list[dict[str, Any]]], Any] | None = None,
    ) -> None:
        """`function`: the user function that makes the fields from the members' documents."""
        self._names, self._addressing, self._function = names, addressing, function
        self._nameless = secrets.token_hex(8)
        """Unique for this process; replaces the names of members that have none."""

    def summarise(self, group: Group) -> Summarised | Unwritten:
        """Return the group's document, or why it has none; then all its members are rejected."""
        key = of_key(group.key)
        try:
            mark = self._fingerprint(group)
            added = self._added(group, mark)
            fields = {**added, **self._reduced(group, added)}
            document = msgspec.json.encode(fields)
        except user_functions.Failed as error:
            return Unwritten(Rejection(f"reduce_failed: {error}{key}"))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            # JSON cannot write all values: a lone surrogate, a year of five digits, an object of a
            # user's class.
            return Unwritten(Rejection(f"no_summary: {error}{key}"), _what_is_left(group))
        there = _replaced(group)
        if there is not None and mark is not None:
            claim = Claim(self._names.fingerprint, mark, there.fingerprint)
            return Summarised(document=document, index=there.index, id=there.id, claim=claim)
        index = self._addressing.index_of(fields, Properties(), group.end)
        if isinstance(index, Rejection):
            return Unwritten(replace(index, reason=f"{index.reason}{key}"), document)
        first = None if mark is None else Claim(self._names.fingerprint, mark, _amended(group))
        return Summarised(document=document, index=index, id=self._id(group), claim=first)

    def _added(self, group: Group, mark: str | None) -> dict[str, Any]:
        """Return the fields about the group itself."""
        names = self._names
        fields = {
            names.start: _at(group.start),
            names.end: _at(group.end),
            names.count: _count(group),
            names.completed_by: group.completed_by,
        }
        if mark is not None:
            fields[names.fingerprint] = mark
        if group.key is not None:
            fields = {names.key: msgspec.json.decode(group.key), **fields}
        return {name: value for name, value in fields.items() if name is not None}

    def _fingerprint(self, group: Group) -> str | None:
        """Return the fingerprint; `None`: the group is not a whole window."""
        revision, count = group.of_window, _count(group)
        if isinstance(revision, EarlyRevision):
            return early_fingerprint(count, self._unique(group))
        if not isinstance(revision, FirstRevision | Amendment):
            return None
        is_late = isinstance(revision, Amendment) or revision.is_late
        name = combined_id(group.identities) if is_late else _name(group)
        name = name or self._unique(group)
        if isinstance(revision, Amendment) and revision.replaces is not None:
            return grown(revision.replaces.fingerprint, count, name)
        return fingerprint(count, name, revision.redelivered)

    def _id(self, group: Group) -> str | None:
        if group.of_window is None:
            return self._short(_part(group.key or "", _name(group)))  # Rule 4
        # Encode the consumer as JSON, as keys are: then the end of the key is unambiguous.
        key = group.key or msgspec.json.encode(_consumer(group)).decode()  # Rule 2
        window = f"{key}@{_at(group.start)}"
        if isinstance(group.of_window, Fragment):
            return self._short(_part(window, _name(group)))  # Rule 3
        if isinstance(group.of_window, FirstRevision) and group.of_window.beside is not None:
            return self._short(_part(window, _name(group) or self._unique(group)))  # Rule 5
        return self._short(window)  # Rule 1

    def _short(self, name: str | None) -> str | None:
        if name is None or len(name.encode()) <= self._addressing.max_id_bytes:
            return name
        # No JSON begins with a tilde, nor does what has no key: so no other name is like it.
        return f"~{blake2b(name.encode(), digest_size=32).hexdigest()}"

    def _unique(self, group: Group) -> str:
        return f"{self._nameless}/{group.number}"

    def _reduced(self, group: Group, added: Mapping[str, Any]) -> Mapping[str, Any]:
        if group.summary is not None:
            return group.summary.values
        assert self._function is not None, "a group came with neither values nor a function"
        documents = [msgspec.json.decode(member.document) for member in group.members]
        fields = user_functions.call(self._function, documents)
        if not isinstance(fields, dict):
            raise user_functions.Failed(f"it returned no dict, but {type(fields).__name__}")
        if taken := sorted(added.keys() & fields.keys()):
            names = ", ".join(taken)
            raise user_functions.Failed(f"it returned {names}, which every summary has already")
        return fields


def _replaced(group: Group) -> Written | None:
    return group.of_window.replaces if isinstance(group.of_window, Amendment) else None


def _amended(group: Group) -> str | None:
    """Return the fingerprint of the revision by the state before this one; `None`: none."""
    revision, name = group.of_window, _name(group)
    if not isinstance(revision, FirstRevision) or revision.amends is None or name is None:
        return None
    return fingerprint(revision.amends.members, name, revision.amends.redelivered)


def _what_is_left(group: Group) -> bytes:
    """Return a body to park for a group without members, if JSON cannot write its summary."""
    if group.summary is None:
        return b""
    left = {
        "key": group.key and msgspec.json.decode(group.key),
        "start": group.start,
        "end": group.end,
        "count": group.summary.count,
        "completed_by": group.completed_by,
        "reduced": group.summary.values,
    }
    try:
        return json.dumps(left, default=str, skipkeys=True).encode()
    except (ValueError, RecursionError):  # no readable message has such a value
        return b""


def _part(text: str, name: str | None) -> str | None:
    return f"{text}#{name}" if name else None  # Rule 5


def _name(group: Group) -> str | None:
    """Return the combined name of its members; for an amended window, that of the first ones.

    A group of the state has a name of its own.
    """
    if group.summary is not None:
        return group.summary.name
    if group.kept is not None:
        return group.kept.name
    return combined_id([identity(member) for member in group.members])


def _consumer(group: Group) -> str:
    if group.summary is None:
        return group.members[0].origin.consumer
    return next(iter([*group.summary.tags, *group.summary.parts])).consumer


def _count(group: Group) -> int:
    return group.summary.count if group.summary else len(group.members)


def _at(seconds: float) -> str:
    """Write a time in RFC 3339, in UTC, to the millisecond."""
    at = _EPOCH + timedelta(milliseconds=round(seconds * 1000))
    return f"{at.isoformat(timespec='milliseconds')}Z"


_EPOCH = datetime(1970, 1, 1)
