"""Decides whether the job is healthy and ready: the answers of `/health` and `/ready`.

Pure: `Monitor` calls `check` once a second, and the time is an argument, in seconds of a clock that
only goes forward. Answers show the last check, so any thread may ask for them.

Rule 1: what may be temporary makes the job unhealthy only after `patience`: no connection, a silent
        sink, a dataflow that stands still, an incomplete cluster. An accounting mismatch, and a
        consumer that has stopped for good, make it unhealthy at once.
Rule 2: a drain makes the job not ready; it stays healthy.
Rule 3: a reason names its cause, if known. Only reasons make the job unhealthy; a warning asks for
        attention, and changes no status.
Rule 4: a consumer with a full prefetch is a warning; and a reason, if that does not end by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from connectors.connector import Source
from connectors.message import SinkState
from flows.audit.backpressure import Blocked
from flows.audit.reconcile import Accounts
from flows.values.stop import Stop

Answer = tuple[bool, dict[str, Any]]
"""Whether all is well, and the JSON of the page."""
Findings = Callable[[], Iterable[str]]
"""Returns the present findings of a part of the job, one line each; from any thread."""


class Health:
    """The health of one process."""

    def __init__(
        self,
        accounts: Accounts,
        source: Source,
        stop: Stop,
        patience: float,
        *,
        sink: Callable[[], SinkState] = SinkState,
        blocked: Callable[[float], Sequence[Blocked]] = lambda now: (),
        missing: Findings = lambda: (),
    ) -> None:
        """`patience`: in seconds (rule 1); `sink`: returns the state of the sink.

        `blocked`: see `Backpressure.blocked`. `missing`: returns the processes of the cluster that
        are not connected yet; called until the dataflow has begun.
        """
        self._accounts, self._source, self._stop = accounts, source, stop
        self._patience, self._sink, self._sink_state = patience, sink, SinkState()
        self._blocked, self._missing = blocked, missing
        self._since: dict[str, tuple[object, float]] = {}
        self._unbalanced: list[str] = []
        self.blocked: Sequence[Blocked] = ()
        """Blocked consumers, as of the last check; none while the job drains."""
        self._reasons: list[str] = []
        self._warnings: list[str] = []
        self._warn_of: list[Findings] = []

    def warn_of(self, findings: Findings) -> None:
        """Add the warnings that `findings` returns at each check. Rule 3."""
        self._warn_of.append(findings)

    def check(self, now: float) -> list[str]:
        """Check everything; return accounting mismatches for the log, each only the first time."""
        self._sink_state = self._sink()
        draining = self._stop.reason is not None
        before, self._unbalanced = self._unbalanced, self._accounts.check(draining=draining)
        self.blocked = () if draining else self._blocked(now)
        self._reasons = [
            *(f"message accounting mismatch: {text}" for text in self._unbalanced),
            *self._source.stopped_because(),
            *self._overdue(now),
        ]
        self._warnings = [
            *(text for one in self.blocked if (text := str(one)) not in self._reasons),
            *(text for findings in self._warn_of for text in findings()),
        ]
        return [] if before else self._unbalanced

    def health(self) -> Answer:
        """Return whether the job is healthy, with the reasons if not."""
        return not self._reasons, {"healthy": not self._reasons, **self._details(self._reasons)}

    def ready(self) -> Answer:
        """Return whether the job consumes messages, with the reasons if not."""
        consumers = self._accounts.consumers
        reasons = self._reasons + [
            f"{name} is not connected{self._cause(name)}"
            for name, account in consumers.items()
            if not account.connected
        ]
        if self._stop.reason is not None:
            reasons.append(f"draining: {self._stop.reason}")
        elif not self._stop.begun and not self._accounts.alone:
            reasons.append(f"the dataflow has not begun: {self._waits()}")
        elif not consumers and self._accounts.alone:
            reasons.append("no consumer has started")
        return not reasons, {"ready": not reasons, **self._details(reasons)}

    def _overdue(self, now: float) -> Iterator[str]:
        """Return what has lasted longer than `patience`. Rule 1."""
        waited = self._lasts("cluster", self._stop.begun, now)
        if not self._stop.begun and not self._accounts.alone and waited >= self._patience:
            yield f"the dataflow has not begun for {waited:.0f} s: {self._waits()}"
        for name, account in self._accounts.consumers.items():
            away = self._lasts(name, account.connected, now)
            if not account.connected and away >= self._patience:
                yield f"{name} has not been connected for {away:.0f} s{self._cause(name)}"
            still = self._lasts(f"{name} polls", account.polls, now)
            if still >= self._patience and self._stop.reason is None:
                yield f"the dataflow has not polled {name} for {still:.0f} s"
        for one in self.blocked:
            if one.seconds >= self._patience and (one.is_stuck or one.held_by == "dead_letter"):
                yield str(one)
        sink = self._accounts.sink
        answered = (sink.left, sink.forgotten) if sink.open else None
        silent = self._lasts("sink", answered, now)
        if sink.open and silent >= self._patience:
            state = self._sink_state
            refuses = state.answers and state.refusal is not None
            problem = "stored nothing" if refuses else "not answered"
            why = "" if state.refusal is None else f": {state.refusal}"
            yield f"the sink has {problem} for {silent:.0f} s, {sink.open} documents wait{why}"

    def _waits(self) -> str:
        return f"the cluster waits for {', '.join(self._missing()) or 'its other processes'}"

    def _cause(self, name: str) -> str:
        """Return why a consumer is not connected, as the end of a reason. Rule 3."""
        cause = self._source.disconnected_because().get(name)
        return f": {cause}" if cause else ""

    def _lasts(self, name: str, state: object, now: float) -> float:
        """Return for how many seconds this state has not changed."""
        before, since = self._since.get(name, (None, now))
        if state != before or name not in self._since:
            since = now
        self._since[name] = state, since
        return now - since

    def _details(self, reasons: list[str]) -> dict[str, Any]:
        accounts, messages, groups = self._accounts, self._accounts.messages, self._accounts.groups
        return {
            "reasons": reasons,
            "warnings": self._warnings,
            "draining": self._stop.reason,
            "connected": {name: one.connected for name, one in accounts.consumers.items()},
            "sink": self._sink_state._asdict(),
            "messages": {**messages._asdict(), "waiting": messages.waiting},
            "open": {
                "groups": groups.groups,
                "in_groups": groups.open,
                "with_sink": accounts.sink.open,
            },
        }
