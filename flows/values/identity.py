"""How messages are identified, and groups of them: an identity is what deduplicates.

Pure. An identity is the distinct value, if the spec names one and the message has it. Else it is
the `message_id`; of one document of a split message the pair of the `message_id` and the document's
position; `None` where the message has no `message_id`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from hashlib import blake2b

from flows.values.group import DISTINCT, Member

MAX_KEY_LENGTH = 200
"""Characters of a key in a reason: the reason is a header of the dead letter."""


def identity(member: Member) -> Hashable:
    """Return what identifies a message, or this document of it; `None`: it has no name."""
    if member.part is None or member.marks & DISTINCT:
        return member.message_id
    return member.message_id, member.part[0]


def name_of(identity: Hashable) -> str | None:
    """Return an identity as text; `None`: the message has no name."""
    if isinstance(identity, str):
        return identity
    if not isinstance(identity, tuple) or identity[0] is None:
        return None
    return f"{identity[0]}#{identity[1]}"


def own_name(member: Member) -> str | None:
    """Return the name of a message by which it is recognised however late it is redelivered.

    Its distinct value is no such name: a later message may have it too.
    """
    if member.marks & DISTINCT:
        return member.own_id
    return member.message_id if member.part is None else name_of(identity(member))


def combined_id(identities: Sequence[Hashable]) -> str | None:
    """Return one name for a set of members, the same in any order of arrival.

    It begins with the name of one member. `None`: a member has no name.
    """
    found = [one if isinstance(one, str) else name_of(one) for one in identities]
    names = sorted(name for name in found if name is not None)
    if len(names) < len(found):
        return None
    if len(names) == 1:
        return names[0]
    digest = blake2b("\0".join(names).encode(errors="surrogatepass"), digest_size=16)
    return f"{names[0]}+{len(names) - 1}:{digest.hexdigest()}"


def of_key(key: str | None) -> str:
    """Return the key of a group as the end of a reason; empty without a key."""
    return "" if key is None else f", key {key[:MAX_KEY_LENGTH]}"
