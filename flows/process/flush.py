"""Writes what a state has open, as a stop with `on_stop: write` does, without consuming a message.

It runs the job's own steps of each shard in the folder, and waits until each summary is stored or
dead-lettered. What is interrupted is written by the next flush, or by the job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from connectors.connector import Sink, Source
from connectors.errors import Unavailable
from connectors.message import Rejected
from flows.config.fixed_keys import fixed_keys
from flows.job import Job
from flows.spec import Pipeline
from flows.state.folder import Owner, StateFolder
from flows.state.inspect import FolderContent, inspect
from flows.steps.keep import KeptAggregate
from flows.steps.routing import shards_of_keys
from flows.values.begin import Begin
from flows.values.stop import Stop

AT_ONCE = 10_000
"""Groups that are complete at the same time: the summaries of all would not fit into memory."""


def flush(spec: Pipeline, source: Source, sink: Sink) -> FolderContent:
    """Write what the folder of a job has open; return what it has then, and what was written.

    Raises:
        Unavailable: there is no state, a job has it, or it cannot be read or written.
    """
    assert spec.state is not None
    path = Path(spec.state.path)
    before = inspect(path)
    folder = StateFolder(path, spec.state.commit)
    shards = shards_of_keys(spec.aggregate, source.consumers())
    folder.open(Owner.of(spec), shards, fixed_keys(spec.aggregate))
    try:
        source.check()
        sink.check()
        job = Job(_writing(spec), source, sink, Stop(), state=folder)
        rejected = _write(job, folder, [shard.name for shard in before.shards])
    finally:
        folder.close()
        sink.close()
        source.close()
    after, groups = inspect(path), sum(one.groups + one.waiting for one in before.shards)
    if left := sum(one.groups + one.waiting for one in after.shards):
        raise Unavailable(
            f"state: {path}: {left} of {groups} groups are still there: the disk refuses changes"
        )
    after.flushed, after.dead_lettered = groups, rejected
    return after


def _writing(spec: Pipeline) -> Pipeline:
    """Return the spec with a stop that leaves no group open."""
    if spec.aggregate.on_stop != "keep":
        return spec
    aggregate = spec.aggregate.model_copy(update={"on_stop": "write"})
    return spec.model_copy(update={"aggregate": aggregate})


def _write(job: Job, folder: StateFolder, shards: Sequence[str]) -> int:
    """Run the steps of each shard to their end; return the number of dead letters."""
    rejections: list[Rejected] = []

    def park(rejected: Rejected, consumer: str | None, parked: Callable[[], object]) -> None:
        rejections.append(rejected)
        job.source.park(rejected, consumer, parked)

    for shard in shards:
        aggregate, write = job.aggregate(), job.write(park=park)
        waiting, _ = aggregate.on_batch([Begin(shard, 0, 1, folder.view())])
        write.on_batch(waiting)
        assert isinstance(aggregate, KeptAggregate)
        kept = aggregate.shard
        while (kept.open_groups or kept.unread) and (some := aggregate.stop_some(AT_ONCE)):
            write.on_batch(some)
            write.all_answers()
        completed, _ = aggregate.on_eof()
        write.on_batch(completed)
        write.on_eof()
    return len(rejections)
