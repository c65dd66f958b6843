"""The `acknowledge` step, on Bytewax: the last step, which gives each outcome to its consumer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from connectors.connector import Consumer, Source
from connectors.message import Drain, Outcomes
from flows.audit.counters import ConsumerAccount, in_outcomes
from flows.audit.reconcile import Accounts
from flows.messages.read import MessageReader
from flows.outcomes.split_messages import SplitMessages
from flows.steps.idle_wait import IdleWait
from flows.steps.raised import remembered
from flows.steps.routing import ForConsumer
from flows.steps.source import woken
from flows.tap.points import TapPoint
from flows.tap.samples import RejectedFrom
from flows.values.begin import Ready
from flows.values.stop import Stop


class Acknowledge(FixedPartitionedSink[ForConsumer, None]):
    """The `acknowledge` step: it has the partitions of the source, one for each consumer.

    Bytewax 0.21.1 places partitions by their names and the workers alone, so a partition of this
    step is on the worker of the source's partition with the same name. Bytewax does not guarantee
    that, so `build_part` checks it.
    """

    def __init__(
        self,
        source: Source,
        readers: Mapping[str, MessageReader],
        stop: Stop,
        accounts: Accounts,
        tap: TapPoint[RejectedFrom],
        shards: int = 0,
        idle: IdleWait | None = None,
    ) -> None:
        """`readers`: by the names of consumers; `tap`: gets all rejected messages.

        `shards`: how many must have begun before a consumer starts; 0: the source starts it.
        `idle`: is woken by a consumer that has news.
        """
        self._source, self._readers, self._stop, self._accounts = source, readers, stop, accounts
        self._tap, self._shards, self._idle = tap, shards, idle
        self._parts = source.consumers()
        self._positions = {name: position for position, name in enumerate(self._parts)}

    def list_parts(self) -> list[str]:
        """The same names as `Deliveries` lists."""
        return self._parts

    def part_fn(self, item_key: str) -> int:
        """The consumer's own partition."""
        return self._positions[item_key]

    @remembered
    def build_part(
        self, step_id: str, for_part: str, resume_state: None
    ) -> StatefulSinkPartition[ForConsumer, None]:
        """Find the consumer that the source has made."""
        if for_part not in self._accounts.consumers:
            raise AssertionError(f"consumer {for_part} runs in another process than its outcomes")
        consumer, account = self._source.consumer(for_part), self._accounts.of_consumer(for_part)
        parts = SplitMessages(self._readers[for_part].only)
        start = partial(consumer.start, *woken(self._idle))
        return _Acknowledge(
            *(for_part, consumer, parts, self._stop, account, self._tap, self._shards, start)
        )


class _Acknowledge(StatefulSinkPartition[ForConsumer, None]):
    def __init__(
        self,
        name: str,
        consumer: Consumer,
        parts: SplitMessages,
        stop: Stop,
        account: ConsumerAccount,
        tap: TapPoint[RejectedFrom],
        shards: int,
        start: Callable[[], object],
    ) -> None:
        self._consumer, self._parts, self._stop, self._account = consumer, parts, stop, account
        self._name, self._tap, self._start = name, tap, start
        self._missing = shards
        """Shards that have not begun."""

    @remembered
    def write_batch(self, items: list[ForConsumer]) -> None:
        for item in items:
            if isinstance(item, Outcomes):
                self._settle(item)
            elif isinstance(item, Drain):
                self._stop.request(item.reason, item.reload)
            elif isinstance(item, Ready):
                self._missing -= 1
                if not self._missing and self._stop.reason is None:
                    self._start()

    def _settle(self, outcomes: Outcomes) -> None:
        count = in_outcomes(outcomes)
        self._account.answered += count
        if self._consumer.is_stale(outcomes.origin):
            self._account.stale += count
            return
        outcomes = self._parts.take(outcomes)
        self._account.settle(outcomes)
        if self._tap.subscriptions:
            self._tap.offer([RejectedFrom(self._name, one) for one in outcomes.rejected])
        self._consumer.settle(outcomes)

    def snapshot(self) -> None:
        """Return no state: this step keeps none."""

    def close(self) -> None:
        self._consumer.close()
        self._account.close()
