"""The flow: what `pipeline.yaml` declares, as a Bytewax dataflow.

    source ──▶ correlate ──▶ aggregate ──▶ write ──▶ acknowledge
                   │                                    ▲
                   └──────────── rejected ──────────────┘

Run it with `python -m bytewax.run flows.pipeline`.
"""

from __future__ import annotations

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from connectors.connector import Sink, Source
from flows.audit.reconcile import Accounts
from flows.groups.event_order import make_shard
from flows.job import make_plan
from flows.process.start import start
from flows.process.stop import Stop
from flows.spec import Pipeline, chosen_path
from flows.steps.acknowledge import Acknowledge
from flows.steps.aggregate import Aggregate
from flows.steps.correlate import correlate
from flows.steps.routing import is_for_shard, key_by_consumer
from flows.steps.source import Deliveries
from flows.steps.write import Write


def flow(path: str | None = None) -> Dataflow:
    """The job of a file: of `path`, else of $HOPPER_PIPELINE, else of `pipeline.yaml`.

    Ends the process, with a message and no traceback, when the file is wrong (exit code 2) or when
    a service does not let us in (exit code 1).
    """
    return ring(*start(path or chosen_path()))


def ring(
    spec: Pipeline, source: Source, sink: Sink, stop: Stop, accounts: Accounts | None = None
) -> Dataflow:
    """What comes in at `source` leaves at `acknowledge`, stored or parked: nowhere else.

    `accounts` are kept of it.
    """
    accounts = accounts or Accounts()
    plan = make_plan(spec, source, sink)
    accounts.skipped = lambda: sum(tally.skipped for tally in plan.tallies)
    accounts.ahead = lambda: plan.router.ahead
    backpressure = plan.backpressure(accounts)
    accounts.prefetch, accounts.blocked = lambda: backpressure.prefetch, backpressure.blocked

    flow = Dataflow(spec.name)
    deliveries = Deliveries(source, stop, accounts, backpressure)
    events = op.input("source", flow, deliveries)
    read = op.flat_map_batch(
        "correlate", events, correlate(plan.read, plan.router, accounts=accounts)
    )
    routed = op.branch("route", read, is_for_shard)
    groups = op.stateful_batch(
        "aggregate",
        routed.trues,
        lambda _: Aggregate(make_shard(plan.rules), stop, account=accounts.of_groups()),
    )
    written = op.stateful_batch(
        "write", groups, lambda _: Write(sink, plan.documents, accounts.of_sink())
    )
    by_consumer = op.map("key_by_consumer", written, key_by_consumer)
    outcomes = op.merge("merge", routed.falses, by_consumer)
    acknowledge = Acknowledge(source, plan.only, stop, accounts)
    op.output("acknowledge", outcomes, acknowledge)  # type: ignore[misc]
    return flow
