"""The flow: what `pipeline.yaml` declares, as a Bytewax dataflow.

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
    """The job of a file: of `path`, else of $HOPPER_PIPELINE, else of `pipeline.yaml`.

    Ends the process, with a message and no traceback, when the file is wrong (exit code 2) or when
    a service does not let us in (exit code 1).
    """
    return build_flow(start(path or chosen_path()))


def build_flow(job: Job) -> Dataflow:
    """What comes in at `source` leaves at `acknowledge`, stored or parked: nowhere else."""
    flow = Dataflow(job.name)
    events = op.input("source", flow, job.deliveries())
    read = op.flat_map_batch("correlate", events, job.correlate())
    routed = op.branch("route", read, is_for_shard)
    groups = op.stateful_batch("aggregate", routed.trues, job.aggregate)
    written = op.stateful_batch("write", groups, job.write)
    by_consumer = op.map("key_by_consumer", written, key_by_consumer)
    outcomes = op.merge("merge", routed.falses, by_consumer)
    op.output("acknowledge", outcomes, job.acknowledge())  # type: ignore[misc]
    return flow
