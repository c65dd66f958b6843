"""Which values of a message travel to its shard, and where each of them stands there.

Pure. So `until`, `order` and `reduce` find theirs without looking into any document.
"""

from __future__ import annotations

from flows.conditions.conditions import condition
from flows.config.aggregate import AggregateSpec
from flows.summaries.functions.function import Function
from flows.summaries.reducers import Tally, make_functions, wanted
from flows.values.paths import Path, parse


class MemberValues:
    """The layout of `Member.values`, and all that looks into them."""

    def __init__(self, spec: AggregateSpec) -> None:
        window = spec.window
        until = condition(window.until, allow_group=True) if window.until else None
        order = parse(spec.order) if spec.order else None
        running = {str(n): Function(*one) for n, one in enumerate(until.group)} if until else {}
        functions = make_functions(spec.reduce)
        wanted_by = [*(until.paths if until else ()), *([order] if order else ())]
        paths = dict.fromkeys([*wanted_by, *wanted(running), *wanted(functions)])
        self.paths = [path for path in paths if isinstance(path, Path)]
        """Of the values, in their order."""
        positions = {path: position for position, path in enumerate(self.paths)}
        self.until = until and until._replace(test=until.bind(self.paths))
        self.order = None if order is None else positions[order]
        """Where the value of `order` stands."""
        self.tally = Tally(functions, positions) if functions else None
        """What `reduce` wants."""
        self.running = Tally(running, positions) if running else None
        """What `until` wants."""

    @property
    def skipped(self) -> int:
        """How many values were of no use to their function, so far."""
        return sum(tally.skipped for tally in (self.tally, self.running) if tally is not None)
