"""The first values of a job with state, on Bytewax: each worker tells each shard of its folder."""

from __future__ import annotations

from collections.abc import Sequence

from bytewax.inputs import DynamicSource, StatelessSourcePartition

from flows.state.commit import State
from flows.steps.raised import remembered
from flows.values.begin import Begin


class Begins(DynamicSource[tuple[str, Begin]]):
    """One `Begin` for each shard, on every worker: also on one without a consumer."""

    def __init__(self, state: State, shards: Sequence[str]) -> None:
        self._state, self._shards = state, shards

    @remembered
    def build(self, step_id: str, worker_index: int, worker_count: int) -> OneBatch:
        """Make the values of a worker."""
        folder = self._state.view()
        return OneBatch(
            [
                (shard, Begin(shard, worker_index, worker_count, folder, turn))
                for turn, shard in enumerate(self._shards)
            ]
        )


class OneBatch(StatelessSourcePartition[tuple[str, Begin]]):
    """A source that emits one batch, and ends."""

    def __init__(self, values: list[tuple[str, Begin]]) -> None:
        self._values = values

    @remembered
    def next_batch(self) -> list[tuple[str, Begin]]:
        """Return the batch."""
        values, self._values = self._values, []
        if not values:
            raise StopIteration
        return values
