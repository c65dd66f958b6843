"""Builds the Bytewax dataflow that `pipeline.yaml` declares.

    source ──▶ correlate ──▶ aggregate ──▶ write ──▶ acknowledge
                   │                                    ▲
                   └──────────── rejected ──────────────┘

Run it with `python -m bytewax.run flows.pipeline`.
"""

from __future__ import annotations

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from flows.job import Job
from flows.process.start import start
from flows.spec import chosen_path
from flows.steps.routing import is_for_shard, key_by_consumer


def flow(path: str | None = None) -> Dataflow:
    """Return the dataflow of a file: `path`, else $HOPPER_PIPELINE, else `pipeline.yaml`.

    Ends the process, with a message and no traceback, when the file is wrong (exit code 2) or when
    a service refuses the job (exit code 1).
    """
    return build_flow(start(path or chosen_path()))


def build_flow(job: Job) -> Dataflow:
    """Connect the steps: every message from `source` gets its outcome at `acknowledge`."""
    flow = Dataflow(job.name)
    events = op.input("source", flow, job.deliveries())
    read = op.flat_map_batch("correlate", events, job.correlate())
    routed = op.branch("route", read, is_for_shard)
    for_shards = routed.trues
    if (begins := job.begins()) is not None:
        for_shards = op.merge("with_begins", for_shards, op.input("begin", flow, begins))
    groups = op.stateful_batch("aggregate", for_shards, job.aggregate)
    written = op.stateful_batch("write", groups, job.write)
    by_consumer = op.map("key_by_consumer", written, key_by_consumer)
    outcomes = op.merge("merge", routed.falses, by_consumer)
    op.output("acknowledge", outcomes, job.acknowledge())  # type: ignore[misc]
    return flow
