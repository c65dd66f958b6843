"""Reads the trace contexts of messages, and keeps those of the members of a shard.

Pure. A group that is reduced keeps no message, so the contexts are kept beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from connectors.message import Lost, Message, Origin, Outcomes, Properties
from flows.groups.departures import Leaving
from flows.values.group import DuplicateOfSent, Group, Member, TraceContext

MAX_LINKS = 128
"""How many contexts a group has at most, since that is how many links a span has by default."""

_Place = tuple[int, int]
"""The delivery tag of a message, and the position of a document in it."""


Decode = Callable[[Message], Properties]
"""Decodes an envelope; raises `ValueError`."""


def context_of(message: Message, decode: Decode) -> TraceContext | None:
    """Return the trace context that the headers name; `None`: they name none, or a wrong one."""
    try:
        headers = decode(message).headers or {}
    except ValueError:
        return None  # the message is rejected with this error as its reason
    parent, state = headers.get("traceparent"), headers.get("tracestate")
    if not isinstance(parent, str) or not _TRACEPARENT.fullmatch(parent):
        return None
    return TraceContext(parent, state if isinstance(state, str) else "")


def is_sampled(context: TraceContext) -> bool:
    """Return whether the sender of the message records the trace."""
    return bool(int(context.traceparent[53:55], 16) & 1)


def chosen(contexts: Iterable[TraceContext]) -> list[TraceContext]:
    """Return at most `MAX_LINKS` of them, those of sampled traces first."""
    found = sorted(contexts, key=is_sampled, reverse=True)
    return found[:MAX_LINKS]


class TraceContexts:
    """The trace contexts of the members that a shard holds."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._held: dict[Origin, dict[_Place, TraceContext]] = {}
        self._last: tuple[bytes | None, TraceContext | None] = None, None

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def arrive(self, members: Iterable[Member]) -> None:
        """Keep the contexts of members that enter the shard."""
        for member in members:
            context = self._read(member.message)
            if context is not None:
                self._held.setdefault(member.origin, {})[_place(member)] = context

    def leave(self, value: Leaving) -> Leaving:
        """Take those of members that leave the shard; a group takes them along.

        Those of a lost connection are forgotten, and those of messages that are acknowledged
        because the job's state counts them.
        """
        if isinstance(value, Lost):
            self._held.pop(value.origin, None)
        if not self._held:
            return value
        taken = [
            context
            for origin, place in _places(value)
            if (context := self._held.get(origin, {}).pop(place, None)) is not None
        ]
        if isinstance(value, Group) and taken:
            return value._replace(contexts=chosen(taken))
        return value

    def _read(self, message: Message) -> TraceContext | None:
        """Return the context of a message; most have the same envelope as the one before."""
        if message.properties != self._last[0]:
            self._last = message.properties, context_of(message, self._decode)
        return self._last[1]


def _places(value: Leaving) -> Iterator[tuple[Origin, _Place]]:
    """Yield where the members are that a value settles."""
    if isinstance(value, DuplicateOfSent):
        yield value.member.origin, _place(value.member)
    elif isinstance(value, Group):
        for member in value.members:
            yield member.origin, _place(member)
        if value.summary is not None:
            yield from _of_tags(value.summary.tags.items())
            for origin, parts in value.summary.parts.items():
                for part in parts:
                    yield origin, (part.tag, part.position)
    elif isinstance(value, Outcomes):
        rejected = [tag for one in value.rejected for tag in (one.message.tag, *one.others)]
        yield from _of_tags(
            [(value.origin, [*value.stored, *rejected, *value.dropped, *value.kept])]
        )
        for outcome in value.parts:
            yield value.origin, (outcome.tag, outcome.position)


def _of_tags(several: Iterable[tuple[Origin, Sequence[int]]]) -> Iterator[tuple[Origin, _Place]]:
    for origin, tags in several:
        for tag in tags:
            yield origin, (tag, 0)


def _place(member: Member) -> _Place:
    return member.message.tag, 0 if member.part is None else member.part[0]


_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
