"""The one document that a reduced group becomes: its fields, its index, its `_id`, its fingerprint.

Pure. What members come to has been worked out as they came (`reducers.py`); only a function of the
user's own sees them here, all together.

The `_id` is what makes a group that is written again, after a crash, the same document.

Rule 1: the whole of an aligned window is named after its key and its start, and its fingerprint
        says how many members it has, and which (`fingerprint.py`).
Rule 2: where there are no keys each consumer has windows of its own, so its name is the key.
Rule 3: everything else of such a window (what came late, or left before its end for
        want of room, at a stop, by a count) has its members' names in its own: otherwise it would
        be taken for the whole, written once more.
Rule 4: any other group is named after its key and its members, all of them: when one of them is
        delivered again after a crash, and meets others, that is another group, and must not take
        the place of the first one.
Rule 5: when a member has no name, the name of such a group is the sink's to make up. But what has
        a fingerprint is named here: a number that nothing else has stands for such members.
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
from flows.summaries.fingerprint import fingerprint, grown
from flows.values.group import Amendment, FirstRevision, Fragment, Group, Unwritten, Written
from flows.values.identity import combined_id, identity, of_key


class SummaryNames(Protocol):
    """What the fields are called that every summary has; `None`: it is left out."""

    @property
    def key(self) -> str | None:
        """The value that the members have in common; no field where there is none."""

    @property
    def start(self) -> str | None:
        """Start of the window, else when the first member came; a time in UTC."""

    @property
    def end(self) -> str | None:
        """End of the window, else when the last member came; a time in UTC."""

    @property
    def count(self) -> str | None:
        """How many members there are."""

    @property
    def completed_by(self) -> str | None:
        """Which rule completed the group."""

    @property
    def fingerprint(self) -> str | None:
        """How many members a window has, and which: see `fingerprint.py`."""


class Summarised(msgspec.Struct, frozen=True, kw_only=True):
    """A group's document, ready for the sink."""

    document: bytes
    """One JSON object on one line."""
    index: str | None
    """`None`: where all documents go."""
    id: str | None
    """`None`: the sink makes one up."""
    claim: Claim | None = None
    """It never takes the place of a document that is not known."""


class Summaries:
    """Makes documents of groups, as the spec says."""

    def __init__(
        self,
        names: SummaryNames,
        addressing: Addressing,
        function: Callable[[list[dict[str, Any]]], Any] | None = None,
    ) -> None:
        """`function` is the user's: it makes the fields out of the members' documents."""
        self._names, self._addressing, self._function = names, addressing, function
        self._nameless = secrets.token_hex(8)
        """Unique: it stands for members without names."""

    def summarise(self, group: Group) -> Summarised | Unwritten:
        """The group's document, or why there is none: then all of its members are rejected."""
        key = of_key(group.key)
        try:
            told = self._fingerprint(group)
            added = self._added(group, told)
            fields = {**added, **self._reduced(group, added)}
            document = msgspec.json.encode(fields)
        except user_functions.Failed as error:
            return Unwritten(Rejection(f"reduce_failed: {error}{key}"))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            # There are values that JSON has no spelling for: half a character, a year of five
            # digits, an object of the user's own.
            return Unwritten(Rejection(f"no_summary: {error}{key}"), _what_is_left(group))
        there = _replaced(group)
        if there is not None and told is not None:
            claim = Claim(self._names.fingerprint, told, there.fingerprint)
            return Summarised(document=document, index=there.index, id=there.id, claim=claim)
        index = self._addressing.index_of(fields, Properties(), group.end)
        if isinstance(index, Rejection):
            return Unwritten(replace(index, reason=f"{index.reason}{key}"), document)
        first = None if told is None else Claim(self._names.fingerprint, told)
        return Summarised(document=document, index=index, id=self._id(group), claim=first)

    def _added(self, group: Group, told: str | None) -> dict[str, Any]:
        """The fields that are not of the members, but of the group."""
        names = self._names
        fields = {
            names.start: _at(group.start),
            names.end: _at(group.end),
            names.count: _count(group),
            names.completed_by: group.completed_by,
        }
        if told is not None:
            fields[names.fingerprint] = told
        if group.key is not None:
            fields = {names.key: msgspec.json.decode(group.key), **fields}
        return {name: value for name, value in fields.items() if name is not None}

    def _fingerprint(self, group: Group) -> str | None:
        """Of a window; `None`: the group is not all of one."""
        revision, count = group.of_window, _count(group)
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
        # Keys are JSON already. So is what stands for one, and where the key ends can be seen.
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


def _what_is_left(group: Group) -> bytes:
    """What a group without members came to, although not all of it has a spelling in JSON."""
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
    except (ValueError, RecursionError):  # no message is like that: it could not have been read
        return b""


def _part(text: str, name: str | None) -> str | None:
    return f"{text}#{name}" if name else None  # Rule 5


def _name(group: Group) -> str | None:
    """What its members are called together; of a window that is written again, the first ones."""
    if group.summary is not None:
        return group.summary.name
    return combined_id([identity(member) for member in group.members])


def _consumer(group: Group) -> str:
    if group.summary is None:
        return group.members[0].origin.consumer
    return next(iter([*group.summary.tags, *group.summary.parts])).consumer


def _count(group: Group) -> int:
    return group.summary.count if group.summary else len(group.members)


def _at(seconds: float) -> str:
    """A time as RFC 3339 has it, in UTC, to the millisecond."""
    at = _EPOCH + timedelta(milliseconds=round(seconds * 1000))
    return f"{at.isoformat(timespec='milliseconds')}Z"


_EPOCH = datetime(1970, 1, 1)
