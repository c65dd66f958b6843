"""Computes the fingerprint of a window's document: the number of its members, and which they are.

Pure. A writer compares it with the fingerprint of the document that it finds under its `_id`.
`3:6c1f0a77c2d9e1b4:1f0a77c2` means three members; a hash of their names; and a short hash of each
member that the broker may have delivered to another process before, because only these can be in a
document of that process too. Without such members it ends before the second colon. That of an early
document is `early:3:` and a hash.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from hashlib import blake2b

from connectors.message import EARLY
from flows.values.identity import name_of

MAX_LISTED = 100
"""The largest number of members that are listed; if there are more, any member may be one."""


def fingerprint(count: int, name: str, redelivered: Sequence[Hashable]) -> str:
    """Return the fingerprint of `count` members, whose combined name is `name`.

    `redelivered`: identities of the members that another process may have received before.
    """
    text = f"{count}:{_digest(name, 8)}"
    if not redelivered:
        return text
    names = [name_of(one) for one in redelivered]
    if len(names) > MAX_LISTED or None in names:
        return f"{text}:{_ANY}"
    return f"{text}:{','.join(sorted(_digest(f'{one}', 4) for one in names))}"


def early_fingerprint(count: int, name: str) -> str:
    """Return the fingerprint of an early document; `name` is another one each time."""
    return f"{EARLY}{count}:{_digest(name, 8)}"


def grown(before: str, count: int, name: str) -> str:
    """Return the fingerprint with more members, whose combined name is `name`; `count` in all."""
    _, digest, *redelivered = before.split(":")
    return ":".join([f"{count}", _digest(f"{digest} {name}", 8), *redelivered])


def same_members(one: str, other: str) -> bool:
    """Return whether two fingerprints are of the same members."""
    return one.split(":")[:2] == other.split(":")[:2]


def same_window(one: str, later: str) -> bool:
    """Return whether the second fingerprint is of a later revision of the first one's window."""
    first, second = count_in(one), count_in(later)
    if first is None or second is None or first > second:
        return False
    return one.split(":")[1] == later.split(":")[1]


def count_in(text: str | None) -> int | None:
    """Return the number of members that a fingerprint has; `None`: it is no fingerprint."""
    parts = (text or "").split(":")
    return int(parts[0]) if len(parts) in (2, 3) and parts[0].isdecimal() else None


def may_share(there: str, identities: Sequence[Hashable]) -> bool:
    """Return whether the document with the fingerprint `there` may count one of these members."""
    if count_in(there) is None:
        return True
    _, _, *redelivered = there.split(":")
    if not redelivered:
        return False
    names = [name_of(one) for one in identities]
    listed = set(redelivered[0].split(","))
    return _ANY in listed or None in names or any(_digest(f"{one}", 4) in listed for one in names)


def _digest(text: str, size: int) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=size).hexdigest()


_ANY = "*"
