"""Decides which values of a message travel to its shard, and at which positions.

Pure. So `until`, `order` and `reduce` read them without decoding a document.
"""

from __future__ import annotations

from flows.conditions.conditions import condition
from flows.config.aggregate import AggregateSpec
from flows.summaries.functions.function import Function
from flows.summaries.reducers import Tally, make_functions, paths_of
from flows.values.paths import Path, parse


class MemberValues:
    """The layout of `Member.values`, and everything that reads them."""

    def __init__(self, spec: AggregateSpec) -> None:
        window = spec.window
        until = condition(window.until, allow_group=True) if window.until else None
        order = parse(spec.order) if spec.order else None
        running = {str(n): Function(*one) for n, one in enumerate(until.group)} if until else {}
        functions = make_functions(spec.reduce)
        conditions = [*(until.paths if until else ()), *([order] if order else ())]
        paths = dict.fromkeys([*conditions, *paths_of(running), *paths_of(functions)])
        self.paths = [path for path in paths if isinstance(path, Path)]
        """The path of each value, in the order of the values."""
        positions = {path: position for position, path in enumerate(self.paths)}
        self.until = until and until._replace(test=until.bind(self.paths))
        self.order = None if order is None else positions[order]
        """Position of the value that `order` names."""
        self.tally = Tally(functions, positions) if functions else None
        """Functions of `reduce`."""
        self.running = Tally(running, positions) if running else None
        """Functions of `until` over the group so far."""

    @property
    def skipped(self) -> int:
        """Number of values so far that their function could not use."""
        return sum(tally.skipped for tally in (self.tally, self.running) if tally is not None)
