"""Reads the conditions of `first`, `last` and `until`: finds their paths, and builds their tests.

Pure, except that user functions may do anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from connectors.message import Properties
from flows.conditions import user_functions
from flows.values.paths import DOCUMENT, ENVELOPE, HEADERS, Path
from flows.values.paths import parse as parse_path

if TYPE_CHECKING:
    from flows.conditions.cel.comparisons import Test

# `expressions` is imported where a condition is read: most jobs have none, and it takes 1 MiB.


class GroupSoFar(msgspec.Struct, frozen=True, gc=False):
    """A group as `until` sees it, including the newest message."""

    key: str | None
    """Canonical JSON; `None`: no `by`."""
    count: int
    bytes: int
    age: float
    """In seconds."""
    results: Sequence[Any] = ()
    """Running values, in the order of `Condition.group`."""

    @property
    def value_of_key(self) -> Any:
        """`key`, decoded from JSON."""
        return None if self.key is None else msgspec.json.decode(self.key)


class View(NamedTuple):
    """The argument of a user function."""

    message: dict[str, Any]
    """The document."""
    header: dict[str, Any]
    property: Properties
    routing_key: str
    exchange: str
    queue: str
    group: GroupSoFar | None
    """`None` unless the condition is `until`."""


class Condition(NamedTuple):
    """A condition, ready to be tested."""

    paths: tuple[Path, ...]
    """The paths that it reads in each message."""
    group: tuple[tuple[str, Path], ...]
    """The running values that it reads of a group: `sum`, `min`, `max` or `avg`, and the path."""
    bind: Callable[[Sequence[Path]], Test]
    """Builds the test for values in the order of these paths, which include all of `paths`."""
    test: Test
    """(values in the order of `paths`, `GroupSoFar` or `None`) -> whether it holds; `None` counts
    as false: a value is absent, or of a type that an operator does not take.

    Raises:
        user_functions.Failed: the user function raised, or returned neither true nor false.
    """


def condition(text: str, allow_group: bool) -> Condition:
    """Read a condition: an expression in CEL, or `module:function`.

    Raises:
        ValueError: it is invalid, or can never hold; the text has the place and the remedy.
    """
    if user_functions.names_function(text):
        function = user_functions.load(text)
        _probe(function, allow_group)
        return _condition(_OF_OWN, (), partial(_bind_own, function))
    from flows.conditions import expressions  # noqa: PLC0415

    try:
        return _condition(*expressions.read(text, allow_group))
    except RecursionError:
        raise ValueError("it is nested too deeply: write a function of your own") from None


def reached_by(text: str) -> tuple[tuple[str, float], ...]:
    """Return the `group.count` or `group.bytes` that are sure to meet a condition on a group.

    Returns:
        `count` or `bytes`, and the number; several if each of them is enough. Empty: it depends
        on the content of the messages.
    """
    if user_functions.names_function(text):
        return ()
    from flows.conditions import expressions  # noqa: PLC0415

    return expressions.reached_by(text)


def _condition(
    paths: tuple[Path, ...],
    group: tuple[tuple[str, Path], ...],
    bind: Callable[[Sequence[Path]], Test],
) -> Condition:
    return Condition(paths, group, bind, bind(paths))


def _probe(function: Callable[[View], Any], allow_group: bool) -> None:
    group = GroupSoFar(key=None, count=1, bytes=2, age=0.0) if allow_group else None
    answers = user_functions.probe(function, View({}, {}, Properties(), "", "", "", group))
    if answers is not None:
        try:
            _truth(answers[0])
        except user_functions.Failed as error:
            raise ValueError(f"called with an empty message, {error}") from None


def _truth(answer: Any) -> bool:
    if answer is not True and answer is not False:
        raise user_functions.Failed(f"it returned {answer!r:.100}, which is neither True nor False")
    return answer is True


def _bind_own(function: Callable[[View], Any], paths: Sequence[Path]) -> Test:
    positions = [paths.index(path) for path in _OF_OWN]

    def test(values: Sequence[Any], group: GroupSoFar | None) -> bool:
        view = View._make([*(values[position] for position in positions), group])
        return _truth(user_functions.call(function, view))

    return test


_OF_OWN = (
    *(DOCUMENT, HEADERS, ENVELOPE),
    *(parse_path("routing_key"), parse_path("exchange"), parse_path("queue")),
)
"""The paths of a `View`, in the order of its fields."""
