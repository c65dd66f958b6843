"""The steps of a job with traces: they do what those of every job do, and note contexts besides."""

from __future__ import annotations

from datetime import datetime

from bytewax.outputs import StatefulSinkPartition

from connectors.message import Lost, Outcomes, Rejected
from flows.groups.departures import Leaving
from flows.steps.acknowledge import Acknowledge
from flows.steps.aggregate import Aggregate
from flows.steps.routing import ForConsumer, ForShard
from flows.traces.contexts import Decode, TraceContexts, context_of
from flows.traces.tracer import Tracer
from flows.values.columnar import Members


class TracedAggregate(Aggregate):
    """An `aggregate` step, whose groups take the trace contexts of their members along."""

    def __init__(self, step: Aggregate, contexts: TraceContexts) -> None:
        self.shard, self._step, self._contexts = step.shard, step, contexts

    def on_batch(self, values: list[ForShard | Lost]) -> tuple[list[Leaving], bool]:
        """See `Aggregate`."""
        for value in values:
            if isinstance(value, Members):
                self._contexts.arrive(value)
        out, keep = self._step.on_batch(values)
        return list(map(self._contexts.leave, out)), keep

    def on_notify(self) -> tuple[list[Leaving], bool]:
        """See `Aggregate`."""
        out, keep = self._step.on_notify()
        return list(map(self._contexts.leave, out)), keep

    def on_eof(self) -> tuple[list[Leaving], bool]:
        """See `Aggregate`."""
        out, keep = self._step.on_eof()
        return list(map(self._contexts.leave, out)), keep

    def notify_at(self) -> datetime | None:
        """See `Aggregate`."""
        return self._step.notify_at()

    @property
    def due_at(self) -> float | None:
        """See `Aggregate`."""
        return self._step.due_at


class RecordRejections(StatefulSinkPartition[ForConsumer, None]):
    """A partition of the `acknowledge` step, which records rejected messages besides."""

    def __init__(
        self,
        partition: StatefulSinkPartition[ForConsumer, None],
        decode: Decode,
        tracer: Tracer,
    ) -> None:
        self._partition, self._decode, self._tracer = partition, decode, tracer

    def write_batch(self, items: list[ForConsumer]) -> None:
        """Record, then acknowledge."""
        for item in items:
            if isinstance(item, Outcomes):
                parts = (part.rejected for part in item.parts if part.rejected is not None)
                for rejected in (*item.rejected, *parts):
                    self._record(rejected)
        self._partition.write_batch(items)

    def snapshot(self) -> None:
        """Return no state: this step keeps none."""

    def close(self) -> None:
        """Close the partition."""
        self._partition.close()

    def _record(self, rejected: Rejected) -> None:
        context = context_of(rejected.message, self._decode)
        if context is not None:
            self._tracer.reject(context, rejected.rejection)


class TracedAcknowledge(Acknowledge):
    """The `acknowledge` step, which records each rejected message in the trace of its sender."""

    def __init__(self, step: Acknowledge, decode: Decode, tracer: Tracer) -> None:
        self._step, self._decode, self._tracer = step, decode, tracer

    def list_parts(self) -> list[str]:
        """See `Acknowledge`."""
        return self._step.list_parts()

    def part_fn(self, item_key: str) -> int:
        """See `Acknowledge`."""
        return self._step.part_fn(item_key)

    def build_part(
        self, step_id: str, for_part: str, resume_state: None
    ) -> StatefulSinkPartition[ForConsumer, None]:
        """See `Acknowledge`."""
        partition = self._step.build_part(step_id, for_part, resume_state)
        return RecordRejections(partition, self._decode, self._tracer)
