"""Makes the parts of a pipeline for this process, with one factory for each step.

Each module makes its own part; `Job` connects them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from connectors.connector import Sink, Source
from connectors.message import Message
from flows.audit.backpressure import make_backpressure
from flows.audit.oldest_groups import OldestGroups
from flows.audit.reconcile import Accounts
from flows.groups.make_shard import make_shard
from flows.groups.member_values import MemberValues
from flows.groups.rules import make_rules
from flows.messages.read import make_readers
from flows.outcomes.documents import make_documents
from flows.spec import Pipeline
from flows.state.commit import State
from flows.steps.acknowledge import Acknowledge
from flows.steps.aggregate import Aggregate
from flows.steps.begin import Begins
from flows.steps.correlate import Correlate, correlate
from flows.steps.idle_wait import IdleWait
from flows.steps.routing import make_router, shards_of_keys
from flows.steps.source import Deliveries
from flows.steps.withhold import SharedRefusals, Withheld
from flows.steps.write import Park, Write
from flows.tap.points import Taps
from flows.values.group import Member
from flows.values.stop import Stop


class Job:
    """A pipeline with its source, its sink and its accounts."""

    def __init__(
        self,
        spec: Pipeline,
        source: Source,
        sink: Sink,
        stop: Stop,
        accounts: Accounts | None = None,
        clock: Callable[[], float] | None = None,
        idle: IdleWait | None = None,
        state: State | None = None,
    ) -> None:
        """`clock`: returns seconds since 1970; `None`: each step uses the system clock.

        `idle`: lets workers wait while the job has nothing to do; `None`: they never wait.
        `state`: keeps open groups; `None`: the broker does.
        """
        aggregate, consumers = spec.aggregate, source.consumers()
        self.name, self.source, self.sink, self.stop = spec.name, source, sink, stop
        self.accounts = accounts or Accounts()
        self._clock, self._idle, self._state = clock, idle, state
        self.oldest_groups = OldestGroups()
        self.taps = Taps(source, spec.sink.index, clock or time.time)
        self._values = values = MemberValues(aggregate)
        keyed = shards_of_keys(aggregate, consumers)
        self._memory = spec.source.chosen.memory // max(1, len(keyed))
        self.rules = make_rules(aggregate, values, consumers, shards=max(1, len(keyed)))
        self.router = make_router(consumers, keyed, self.rules)
        self.readers = make_readers(spec, source, sink.addressing, values.paths)
        self.documents = make_documents(aggregate, sink.addressing(spec.source.chosen.queue[0]))
        parked = spec.dead_letter.rabbitmq if spec.dead_letter else None
        limit = parked.reject_limit if parked and state is not None else None
        self._refused = None if limit is None else SharedRefusals(limit.rejected, limit.of)
        self.backpressure = make_backpressure(spec, self.rules, self.accounts, sink.state)

    @property
    def skipped(self) -> int:
        """Values that functions of `reduce` skipped because they have the wrong type."""
        return self._values.skipped

    @property
    def ahead(self) -> int:
        """Messages with an event time too far in the future to move the watermark."""
        return self.router.ahead

    def withheld_because(self) -> list[str]:
        """Why refused groups stay in the state, if they do; from any thread."""
        because = "" if self._refused is None else self._refused.groups.because
        return [because] if because else []

    def deliveries(self) -> Deliveries:
        """The `source` step."""
        return Deliveries(
            *(self.source, self.stop, self.accounts, self.backpressure, self._clock, self._idle),
            starts=self._state is None,
        )

    def begins(self) -> Begins | None:
        """The source of the first values of all shards; `None`: nothing has to begin."""
        return None if self._state is None else Begins(self._state, self.router.shards)

    def correlate(self) -> Correlate:
        """The `correlate` step."""
        return correlate(self.readers, self.router, self.accounts, self.taps.read, self._clock)

    def aggregate(self, _resumed: None = None) -> Aggregate:
        """The `aggregate` step, for one shard."""
        account, view = self.accounts.of_groups(), self.oldest_groups.of_shard()
        state, stop, clock, tap = self._state, self.stop, self._clock, self.taps.aggregate
        if state is None:
            shard, idle = make_shard(self.rules), self._idle
            return Aggregate(shard, stop, account, clock, view, tap, idle)
        from flows.groups.make_kept_shard import make_kept_shard  # noqa: PLC0415  # takes memory
        from flows.steps.keep import KeptAggregate  # noqa: PLC0415  # likewise

        kept = make_kept_shard(self.rules, state.every, state.token, self._alone)
        return KeptAggregate(kept, state, self._memory, stop, account, clock, view, tap)

    def _alone(self, member: Member) -> Message:
        """Return the message of one document of a split message, without the other documents."""
        assert member.part is not None
        return self.readers[member.origin.consumer].only(member.message, member.part[:1])

    def write(self, _resumed: None = None, park: Park | None = None) -> Write:
        """The `write` step, for one shard; `park`: parks all that is refused, for a flush."""
        withheld = Withheld(self._refused if park is None else None, self._clock)
        return Write(
            *(self.sink, self.documents, self.accounts.of_sink()),
            amends=self.rules.amends,
            reduces=self.rules.reduced,
            state=self._state,
            consumers=self.router.consumers,
            park=park or self.source.park,
            withheld=withheld,
            tap=self.taps.write,
            idle=self._idle,
        )

    def acknowledge(self) -> Acknowledge:
        """The `acknowledge` step."""
        shards = 0 if self._state is None else len(self.router.shards)
        return Acknowledge(
            *(self.source, self.readers, self.stop, self.accounts, self.taps.dead_letter),
            *(shards, self._idle),
        )

    def end(self) -> None:
        """Called when the dataflow has ended."""
        self.source.close()
