"""The version of a window's document: how many members it has, and which they are.

Pure. Of two versions the one of more members is the higher one, so less of a window never takes
the place of more. Where there are as many, only the same members make the same version: thereby a
process recognises what a former one has written.
"""

from __future__ import annotations

from hashlib import blake2b

UNCONFIRMED = 1
"""Elasticsearch's own for a document that has just been created: it has not got its version yet,
and none of its members has been acknowledged."""


def version_of(count: int, name: str | None) -> int:
    """The version for so many members, by what they are called together."""
    return count << _DIGEST_BITS | (0 if name is None else _digest(name))


def count_in(version: int) -> int:
    """How many members a document of that version has."""
    return version >> _DIGEST_BITS


def same_members(there: int | None, version: int) -> bool:
    """Whether that is for certain; `None`: it is not known what is there."""
    return there == version and version & _DIGEST_MOST != 0


def _digest(name: str) -> int:
    digest = blake2b(name.encode(errors="surrogatepass"), digest_size=_DIGEST_BITS // 8).digest()
    return int.from_bytes(digest, "big") or 1  # zero is for those without a name


_DIGEST_BITS = 32
"""Versions have 63, so this leaves 31 for the members. That others are taken for the same has one
chance in 2**32, and is asked only where as many come to a window that was written before."""
_DIGEST_MOST = 2**_DIGEST_BITS - 1
