"""Decides whether a process is alive, ready and healthy: `/livez`, `/readyz` and `/health`.

Pure: `Monitor` calls `check` once a second, and the times are arguments. Answers show the last
check, so any thread may ask for them. `symptoms.py` has what each reason means and what helps.

Rule 1: what may be temporary makes the job unhealthy only after `patience`: no connection, a silent
        sink, a dataflow that stands still, an incomplete cluster. An accounting mismatch, and a
        consumer that has stopped for good, make it unhealthy at once.
Rule 2: a drain and a pause make the job not ready; it stays healthy.
Rule 3: a reason names its cause, if known. Only reasons make the job unhealthy; a warning asks for
        attention, and changes no status.
Rule 4: a consumer with a full prefetch is a warning; and a reason, if that does not end by itself.
Rule 5: a process is not alive only if its dataflow stands still: nothing else is repaired by a
        restart, and what a restart repairs at once ends the process by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from connectors.connector import Source
from connectors.message import SinkState
from flows.audit import symptoms
from flows.audit.backpressure import Blocked
from flows.audit.counters import Messages
from flows.audit.reconcile import Accounts
from flows.audit.symptoms import Symptom, timestamp
from flows.values.reloads import Reloads
from flows.values.stop import Stop

Answer = tuple[bool, dict[str, Any]]
"""Whether all is well, and the JSON of the page."""
Warnings = Callable[[], Iterable[str]]
"""Returns the present warnings of a part of the job, one line each; from any thread."""
Missing = Callable[[], Sequence[str]]
"""Returns the addresses of processes of the cluster that are not connected; from any thread."""

SHARE_OVER = 60
"""Checks, one a second, over which the share of rejected messages is taken."""


class Health:
    """The health of one process."""

    def __init__(
        self,
        job: str,
        accounts: Accounts,
        source: Source,
        stop: Stop,
        patience: float,
        *,
        sink: Callable[[], SinkState] = SinkState,
        blocked: Callable[[float], Sequence[Blocked]] = lambda now: (),
        missing: Missing = lambda: (),
        reloads: Reloads | None = None,
        state: Callable[[], Sequence[str]] = lambda: (),
        withheld: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        """`job`: its name; `patience`: in seconds (rule 1); `sink`: returns the state of the sink.

        `blocked`: see `Backpressure.blocked`. `missing`: returns the processes of the cluster that
        are not connected yet; called until the dataflow has begun. `state`: returns why the disk
        refuses commits, one line for each shard; `withheld`: why refused groups stay in the state.
        """
        self._job, self._accounts, self._source, self._stop = job, accounts, source, stop
        self._patience, self._sink, self._sink_state = patience, sink, SinkState()
        self._blocked, self._missing, self._reloads = blocked, missing, reloads or Reloads()
        self._state, self._withheld = state, withheld
        self._since: dict[str, tuple[object, float]] = {}
        self._unbalanced: list[str] = []
        self.blocked: Sequence[Blocked] = ()
        """Blocked consumers, as of the last check; none while the job drains or is paused."""
        self._at = 0.0
        self._reasons: list[Symptom] = []
        self._warnings: list[Symptom] = []
        self._shared: list[Warnings] = []
        self._last_errors: dict[str, dict[str, str]] = {}
        self._messages: deque[Messages] = deque(maxlen=SHARE_OVER + 1)

    def warn_of_sharing(self, warnings: Warnings) -> None:
        """Add the warnings that `warnings` returns at each check. Rule 3."""
        self._shared.append(warnings)

    def check(self, now: float, at: float) -> list[str]:
        """Check everything; return accounting mismatches for the log, each only the first time.

        `now`: in seconds of a clock that only goes forward; `at`: in seconds since 1970.
        """
        self._at = at
        self._sink_state = self._sink()
        draining = self._stop.reason is not None
        before, self._unbalanced = self._unbalanced, self._accounts.check(draining=draining)
        self.blocked = () if draining or self._stop.paused else self._blocked(now)
        self._reasons = [*self._at_once(now), *self._overdue(now)]
        is_reason = {one.cause for one in self._reasons}
        self._warnings = [
            *(one for one in map(_blocked, self.blocked) if one.cause not in is_reason),
            *self._paused(),
            *self._idle_sink(now),
            *(Symptom(symptoms.SPEC_REFUSED, text) for text in self._reloads.problems),
            *(Symptom(symptoms.SHARED, text) for warnings in self._shared for text in warnings()),
        ]
        self._note_errors()
        self._messages.append(self._accounts.messages)
        return [] if before else self._unbalanced

    def live(self) -> Answer:
        """Return whether the process should go on, or be restarted. Rule 5."""
        stalled = [one for one in self._reasons if one.kind is symptoms.DATAFLOW]
        return not stalled, {"live": not stalled, "reasons": self._records(stalled)}

    def health(self) -> Answer:
        """Return whether the job is healthy, with the reasons if not."""
        return not self._reasons, {"healthy": not self._reasons, **self._details(self._reasons)}

    def ready(self) -> Answer:
        """Return whether the job consumes messages, with the reasons if not."""
        reasons = [*self._reasons, *self._paused(), *self._not_ready()]
        return not reasons, {"ready": not reasons, **self._details(reasons)}

    def _not_ready(self) -> Iterator[Symptom]:
        consumers = self._accounts.consumers
        for name, account in consumers.items():
            if not account.connected:
                cause = f"{name} is not connected{self._cause(name)}"
                yield Symptom(symptoms.NOT_CONNECTED, cause)
        if self._stop.reason is not None:
            kind = symptoms.DRAINING if self._stop.reload is None else symptoms.RELOADING
            yield Symptom(kind, f"draining: {self._stop.reason}")
        elif not self._stop.begun and not self._accounts.alone:
            cause = f"the dataflow has not begun: {self._waits()}"
            yield Symptom(symptoms.CLUSTER, cause)
        elif not consumers and self._accounts.alone:
            yield Symptom(symptoms.STARTING, "no consumer has started")

    def refused_commits(self) -> str:
        """Return why the disk refuses commits of a shard; empty: it refuses none."""
        refused = self._state()
        if not refused:
            return ""
        return refused[0] + (f" (and {len(refused) - 1} more shards)" if len(refused) > 1 else "")

    def _paused(self) -> Iterator[Symptom]:
        if self._stop.paused:
            yield Symptom(symptoms.PAUSED, "paused: consumers receive nothing")

    def _at_once(self, now: float) -> Iterator[Symptom]:
        for text in self._unbalanced:
            yield Symptom(symptoms.ACCOUNTS, f"message accounting mismatch: {text}")
        refused = self.refused_commits()
        lasts = self._lasts("state", bool(refused), now)
        if refused:
            yield Symptom(symptoms.STATE, f"the state is not durable: {refused}", lasts)
        for text in (*self._source.stopped_because(), *self._withheld()):
            yield Symptom(symptoms.REJECT_LIMIT, text)

    def _overdue(self, now: float) -> Iterator[Symptom]:
        """Return what has lasted longer than `patience`. Rule 1."""
        waited = self._lasts("cluster", self._stop.begun, now)
        if not self._stop.begun and not self._accounts.alone and waited >= self._patience:
            cause = f"the dataflow has not begun for {waited:.0f} s: {self._waits()}"
            yield Symptom(symptoms.CLUSTER, cause, waited)
        for name, account in self._accounts.consumers.items():
            away = self._lasts(name, account.connected, now)
            if not account.connected and away >= self._patience:
                cause = f"{name} has not been connected for {away:.0f} s{self._cause(name)}"
                yield Symptom(symptoms.NOT_CONNECTED, cause, away)
            still = self._lasts(f"{name} polls", account.polls, now)
            if still >= self._patience and self._stop.reason is None:
                cause = f"the dataflow has not polled {name} for {still:.0f} s"
                yield Symptom(symptoms.DATAFLOW, cause, still)
        for one in self.blocked:
            if one.seconds >= self._patience and (one.is_stuck or one.held_by == "dead_letter"):
                yield _blocked(one)
        yield from self._silent_sink(now)

    def _silent_sink(self, now: float) -> Iterator[Symptom]:
        sink = self._accounts.sink
        answered = (sink.left, sink.forgotten) if sink.open else None
        silent = self._lasts("sink", answered, now)
        if sink.open and silent >= self._patience:
            state = self._sink_state
            refuses = state.answers and state.refusal is not None
            problem = "stored nothing" if refuses else "not answered"
            why = "" if state.refusal is None else f": {state.refusal}"
            kind = symptoms.of_refusal(state.refusal or "") if refuses else symptoms.SINK_SILENT
            cause = f"the sink has {problem} for {silent:.0f} s, {sink.open} documents wait{why}"
            yield Symptom(kind, cause, silent)

    def _idle_sink(self, now: float) -> Iterator[Symptom]:
        """Warn of a sink that does not answer while no document waits for it."""
        away = self._lasts("idle sink", self._sink_state.answers, now)
        if not self._accounts.sink.open and not self._sink_state.answers and away >= self._patience:
            why = "" if self._sink_state.refusal is None else f": {self._sink_state.refusal}"
            cause = f"the sink has not answered for {away:.0f} s, no document waits{why}"
            yield Symptom(symptoms.SINK_SILENT, cause, away)

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

    def _note_errors(self) -> None:
        """Keep the last error of each side, also after it is over."""
        errors = {"broker": "; ".join(self._source.disconnected_because().values())}
        errors["sink"] = self._sink_state.refusal or ""
        for side, error in errors.items():
            if error:
                self._last_errors[side] = {"error": error, "at": timestamp(self._at)}

    def _rejected_share(self) -> float | None:
        """Return the share of rejections among the messages settled in the last minute."""
        if len(self._messages) < 2:
            return None
        before, now = self._messages[0], self._messages[-1]
        rejected = now.rejected - before.rejected
        accepted = [each.stored + each.kept + each.dropped for each in (before, now)]
        settled = rejected + accepted[1] - accepted[0]
        return round(rejected / settled, 4) if settled else None

    def _records(self, found: Iterable[Symptom]) -> list[dict[str, Any]]:
        return [one.record(self._at) for one in found]

    def _reloading(self) -> dict[str, Any]:
        """Return whether a reload is going on, and what became of the last one."""
        reloads = self._reloads
        result = "refused" if reloads.problems else "reloaded"
        return {
            "going_on": self._stop.reload is not None,
            "last": None if reloads.at is None else result,
            "at": None if reloads.at is None else timestamp(reloads.at),
        }

    def _details(self, reasons: list[Symptom]) -> dict[str, Any]:
        accounts, messages, groups = self._accounts, self._accounts.messages, self._accounts.groups
        return {
            "job": self._job,
            "reasons": self._records(reasons),
            "warnings": self._records(self._warnings),
            "paused": self._stop.paused,
            "draining": self._stop.reason,
            "reload": self._reloading(),
            "connected": {name: one.connected for name, one in accounts.consumers.items()},
            "sink": self._sink_state._asdict(),
            "last_errors": self._last_errors,
            "rejected_share": self._rejected_share(),
            "messages": {**messages._asdict(), "unacknowledged": messages.waiting},
            "open": {
                "groups": groups.groups,
                "members": groups.open,
                "sink_documents": accounts.sink.open,
            },
        }


def _blocked(one: Blocked) -> Symptom:
    return Symptom(symptoms.BLOCKED, str(one), one.seconds)
