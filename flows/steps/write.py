"""The `write` step, on Bytewax: submits groups to the sink, and emits outcomes from its answers.

`submissions.py` decides which messages an answer is about.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from bytewax.operators import StatefulBatchLogic

from connectors import metrics
from connectors.connector import Sink
from connectors.message import Answer, Documents, Lost, Outcomes, Rejected, Rejection
from flows.audit.counters import Account, in_leaving, in_outcomes
from flows.groups.departures import Leaving
from flows.outcomes.finished import Finished
from flows.outcomes.submissions import Submissions
from flows.state.commit import ShardStore, State
from flows.steps.idle_wait import IdleWait
from flows.steps.raised import remembered
from flows.steps.withhold import Withheld
from flows.tap.points import TapPoint
from flows.tap.samples import Answered, AnsweredDocuments, of_document
from flows.values.begin import Begun, Ready
from flows.values.group import DuplicateOfSent, FirstRevision, Group, Unwritten

log = logging.getLogger("hopper.write")

ANSWER_AFTER = 0.01
"""Seconds until the next check for answers while one is outstanding; half of it for two."""
ANSWERS_COUNTED = 4
"""More outstanding answers do not shorten the wait: the sink may be unreachable."""
AGAIN_AFTER = 0.5
"""Seconds until the next look whether a withheld group is to be sent again."""


Park = Callable[[Rejected, str | None, Callable[[], object]], None]
"""See `connectors.connector.Source.park`."""


class Write(StatefulBatchLogic[Leaving, Outcomes | Ready, None]):
    """The `write` step, for one shard."""

    def __init__(
        self,
        sink: Sink,
        documents: Callable[[Group], Documents | Unwritten],
        account: Account | None = None,
        *,
        amends: bool = True,
        reduces: bool = True,
        state: State | None = None,
        consumers: Sequence[str] = (),
        park: Park | None = None,
        withheld: Withheld | None = None,
        tap: TapPoint[Answered] | None = None,
        idle: IdleWait | None = None,
    ) -> None:
        """`documents`: makes the documents of a group; `amends`: late messages amend windows.

        `reduces`: a group becomes one document. `state`: has the groups until they are stored, or
        parked by `park`: see `Source`. `consumers`: all of the job; they start when the shards of
        the state have begun. `withheld`: the refused groups that stay in the state; omitted: none
        does. `tap`: gets all answered documents, except those whose answers come after a drain.
        `idle`: hears when the next answer may be there.
        """
        self._sink, self._documents, self._account = sink, documents, account or Account()
        self._idle = idle
        self._answers: queue.SimpleQueue[tuple[int, Answer | None]] = queue.SimpleQueue()
        """Answers by the numbers of groups; `None`: a dead letter of the state is parked."""
        self._submissions = Submissions(amends=amends, reduces=reduces)
        self._early = dict(self._submissions.early)
        self._state, self._consumers, self._park = state, consumers, park
        self._store: ShardStore | None = None
        self._parking: dict[int, tuple[Finished, int]] = {}
        """Groups of the state that have dead letters, and how many are not parked yet."""
        self._kept = self._ended = 0
        """Groups of the state that are neither stored nor parked; that are, since the last note."""
        self._withheld = Withheld() if withheld is None else withheld
        self._tap = tap or TapPoint(partial(of_document, index=None))

    @remembered
    def on_batch(self, values: list[Leaving]) -> tuple[list[Outcomes | Ready], bool]:
        """Submit groups, withdraw those of a lost connection, and emit outcomes."""
        out: list[Outcomes] = []
        ready: list[Ready] = []
        lost = kept = 0
        for value in values:
            if isinstance(value, Group):
                kept += value.kept is not None
                self._kept += value.kept is not None
                out += self._submit(value)  # which may end others
            elif isinstance(value, Outcomes):
                out.append(value)
            elif isinstance(value, DuplicateOfSent):
                out += self._settle(self._submissions.answer_duplicate(value))
            elif isinstance(value, Lost):
                lost += self._submissions.lose(value.origin)
            elif isinstance(value, Begun) and self._state is not None:
                self._store = self._state.shard(value.shard)
                ready = [Ready(consumer, value.shard) for consumer in self._consumers]
        out += self._take_outcomes()
        self._note(out, entered=in_leaving(values) + kept, forgotten=lost)
        return [*ready, *out], self.RETAIN

    @remembered
    def on_notify(self) -> tuple[list[Outcomes], bool]:
        """Emit the outcomes of answers since the last call."""
        out = self._take_outcomes()
        for number in self._withheld.due():
            out += self._submit_again(number)
        self._note(out)
        return out, self.RETAIN

    @remembered
    def on_eof(self) -> tuple[list[Outcomes], bool]:
        """Wait for every answer: this is the last call that can emit outcomes.

        Withheld groups, and those that wait for one of them, stay in the state.
        """
        out: list[Outcomes] = []
        for group in self._submissions.withdraw_early():
            out += self._submit(group)
        out += self.all_answers()
        self._note(out)
        if self._store is not None:
            self._store.close()
        return out, self.DISCARD

    def all_answers(self) -> list[Outcomes]:
        """Wait for every answer."""
        self._finish()
        self._sink.flush()
        out = self._take_outcomes()
        while self.waits:
            out += self._answered(*self._answers.get())
        return out

    def notify_at(self) -> datetime | None:
        """Return a time soon while answers are outstanding: the more, the sooner."""
        due_in = None
        if self.waits:
            due_in = ANSWER_AFTER / min(max(1, len(self._submissions)), ANSWERS_COUNTED)
        elif self.is_watching:
            due_in = AGAIN_AFTER
        if self._idle is not None:
            self._idle.note_due(self, due_in)
        return None if due_in is None else datetime.now(UTC) + timedelta(seconds=due_in)

    @property
    def waits(self) -> bool:
        """An answer of the sink is outstanding, or a document of the state is being parked."""
        return len(self._submissions) > len(self._withheld) or bool(self._parking)

    @property
    def is_watching(self) -> bool:
        """It waits, or is to send withheld groups again."""
        return self.waits or len(self._withheld) > 0

    def snapshot(self) -> None:
        """Return no state: messages that are not stored are redelivered."""

    def _submit(self, group: Group) -> list[Outcomes]:
        if group.rejection is not None:
            return self._refused(group, Unwritten(group.rejection))
        waits = self._submissions.waits(group)
        self._finish()  # it may supersede others
        if waits:
            return []
        prepared = self._submissions.prepared(group)
        group = group if isinstance(prepared, Rejection) else prepared
        documents = self._documents(group)
        if isinstance(prepared, Rejection):
            left = documents.summary if isinstance(documents, Unwritten) else documents.sources[0]
            documents = Unwritten(prepared, left)
        if isinstance(documents, Unwritten):
            return self._refused(group, documents)
        # The answer may come before `submit` returns, but this thread reads it only after `add`.
        withdraw = self._sink.submit(
            documents, lambda answer: self._answers.put((group.number, answer))
        )
        self._submissions.add(group, documents, withdraw)
        revision = group.of_window
        if isinstance(revision, FirstRevision) and revision.beside and not revision.is_late:
            metrics.PARTS.inc()
        return []

    def _submit_again(self, number: int) -> list[Outcomes]:
        submitted = self._submissions.submitted(number)
        assert submitted is not None, "no group of the state is withdrawn"
        return self._submit(submitted[0])

    def _refused(self, group: Group, unwritten: Unwritten) -> list[Outcomes]:
        out = self._settle(self._submissions.refuse(group, unwritten))
        self._finish()
        return out

    def _note(self, out: list[Outcomes], entered: int = 0, forgotten: int = 0) -> None:
        self._account.note(
            entered=entered,
            left=sum(map(in_outcomes, out)) + self._ended,
            forgotten=forgotten,
            open=self._submissions.members + self._kept,
            kept=self._kept,
        )
        self._ended = 0
        if self._submissions.early != self._early:
            self._note_early()

    def _note_early(self) -> None:
        """Count the early summaries of one batch, and log why the last one was rejected."""
        early, before = self._submissions.early, self._early
        for became, count in early.items():
            metrics.EARLY.labels(became).inc(count - before[became])
        rejection = self._submissions.early_rejection
        if early["rejected"] > before["rejected"] and rejection is not None:
            log.warning(
                "early summaries were rejected, the last one with: %s; their windows are open, and "
                "no message is affected yet",
                rejection.reason,
            )
        self._early = dict(early)

    def _take_outcomes(self) -> list[Outcomes]:
        out: list[Outcomes] = []
        answered = self._sampled if self._tap.subscriptions else self._answered
        while not self._answers.empty():
            out += answered(*self._answers.get())
        return out

    def _sampled(self, number: int, answer: Answer | None) -> list[Outcomes]:
        submitted = self._submissions.submitted(number)
        if submitted is not None and answer is not None:
            self._tap.offer(AnsweredDocuments(*submitted, answer))
        return self._answered(number, answer)

    def _answered(self, number: int, answer: Answer | None) -> list[Outcomes]:
        if answer is None:
            self._parked(number)
            return []
        if self._withheld.takes(self._submissions.submitted(number), answer):
            return []
        out = self._settle(self._submissions.answer(number, answer))
        self._finish()
        return out

    def _settle(self, settled: tuple[list[Outcomes], list[Group]]) -> list[Outcomes]:
        """Submit the groups that are due now, and return all outcomes."""
        out, due = settled
        for group in due:
            out += self._submit(group)
        return out

    def _finish(self) -> None:
        """Let the state forget what is stored, and park what is rejected before it is forgotten."""
        finished, self._submissions.finished = self._submissions.finished, []
        for group in finished:
            if not group.dead_letters:
                self._forget(group)
                continue
            assert self._park is not None, "a job that keeps state can park"
            self._parking[group.number] = group, len(group.dead_letters)
            for rejected, consumer in group.dead_letters:
                self._park(rejected, consumer, partial(self._answers.put, (group.number, None)))

    def _parked(self, number: int) -> None:
        """Note that one of the dead letters of a group is parked."""
        group, left = self._parking.pop(number)
        if left == 1:
            self._forget(group)
        else:
            self._parking[number] = group, left - 1

    def _forget(self, group: Finished) -> None:
        assert self._store is not None, "the first value is `Begun`"
        self._store.forget(group.number, group.row)
        self._kept -= 1
        self._ended += 1
