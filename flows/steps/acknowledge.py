"""The `acknowledge` step, on Bytewax: the last step, which gives each outcome to its consumer."""

from __future__ import annotations

from collections.abc import Mapping

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from connectors.connector import Consumer, Source
from connectors.message import Drain, Outcomes
from flows.audit.counters import ConsumerAccount, in_outcomes
from flows.audit.reconcile import Accounts
from flows.messages.read import MessageReader
from flows.outcomes.split_messages import SplitMessages
from flows.steps.raised import remembered
from flows.steps.routing import ForConsumer
from flows.tap.points import TapPoint
from flows.tap.samples import RejectedFrom
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
    ) -> None:
        """`readers`: by the names of consumers; `tap`: gets all rejected messages."""
        self._source, self._readers, self._stop, self._accounts = source, readers, stop, accounts
        self._tap = tap
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
        """Find the consumer that the source has started."""
        consumer = self._source.consumer(for_part)
        if not consumer.started:
            raise AssertionError(f"consumer {for_part} runs in another process than its outcomes")
        account = self._accounts.of_consumer(for_part)
        parts = SplitMessages(self._readers[for_part].only)
        return _Acknowledge(for_part, consumer, parts, self._stop, account, self._tap)


class _Acknowledge(StatefulSinkPartition[ForConsumer, None]):
    def __init__(
        self,
        name: str,
        consumer: Consumer,
        parts: SplitMessages,
        stop: Stop,
        account: ConsumerAccount,
        tap: TapPoint[RejectedFrom],
    ) -> None:
        self._consumer, self._parts, self._stop, self._account = consumer, parts, stop, account
        self._name, self._tap = name, tap

    @remembered
    def write_batch(self, items: list[ForConsumer]) -> None:
        for item in items:
            if isinstance(item, Outcomes):
                self._settle(item)
            elif isinstance(item, Drain):
                self._stop.request(item.reason, item.reload)

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
