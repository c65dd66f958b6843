"""The fingerprint of a window's document: how many members it has, and which.

Pure. A writer recognises by it what it finds in the place of its own document. In
`3:6c1f0a77c2d9e1b4:1f0a77c2` there are three members; a hash of who they are; and short hashes of
those that the broker had delivered to another process before, since only these can be in a document
of that process too. Without such members it ends before the second colon.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from hashlib import blake2b

from flows.values.identity import name_of

MAX_LISTED = 100
"""Members from another process that are listed: of more, any member may be one."""


def fingerprint(count: int, name: str, redelivered: Sequence[Hashable]) -> str:
    """Of so many members, by what they are called together.

    `redelivered`: the identities of those that another process may have had in hand before.
    """
    text = f"{count}:{_digest(name, 8)}"
    if not redelivered:
        return text
    names = [name_of(one) for one in redelivered]
    if len(names) > MAX_LISTED or None in names:
        return f"{text}:{_ANY}"
    return f"{text}:{','.join(sorted(_digest(f'{one}', 4) for one in names))}"


def grown(before: str, count: int, name: str) -> str:
    """Of the same members and some more, which are called `name` together; `count` in all."""
    _, digest, *redelivered = before.split(":")
    return ":".join([f"{count}", _digest(f"{digest} {name}", 8), *redelivered])


def same_members(one: str, other: str) -> bool:
    """Whether both are of the same members."""
    return one.split(":")[:2] == other.split(":")[:2]


def count_in(text: str | None) -> int | None:
    """How many members a document has; `None`: it does not tell."""
    parts = (text or "").split(":")
    return int(parts[0]) if len(parts) in (2, 3) and parts[0].isdecimal() else None


def may_share(there: str, identities: Sequence[Hashable]) -> bool:
    """Whether one of these, which no process had before, may be in the document as well."""
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
