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
from flows import consumers, steps
from flows.accounts.books import Books
from flows.groups.event_order import make_shard
from flows.plan import make_plan
from flows.spec import Pipeline, chosen_path
from flows.start import start
from flows.stop import Stop
from flows.write import Write


def flow(path: str | None = None) -> Dataflow:
    """The job of a file: of `path`, else of $HOPPER_PIPELINE, else of `pipeline.yaml`.

    Ends the process, with a message and no traceback, when the file is wrong (exit code 2) or when
    a service does not let us in (exit code 1).
    """
    return ring(*start(path or chosen_path()))


def ring(
    spec: Pipeline, source: Source, sink: Sink, stop: Stop, books: Books | None = None
) -> Dataflow:
    """What comes in at `source` leaves at `acknowledge`, stored or parked: nowhere else.

    `books` are kept of it.
    """
    books = books or Books()
    plan = make_plan(spec, source, sink)
    books.skipped = lambda: sum(tally.skipped for tally in plan.tallies)
    books.ahead = lambda: plan.spread.ahead
    read = steps.correlate(plan.read, plan.spread, books=books)

    backpressure = plan.backpressure(books)
    books.prefetch, books.blocked = lambda: backpressure.prefetch, backpressure.blocked

    flow = Dataflow(spec.name)
    events = op.input("source", flow, consumers.Deliveries(source, stop, books, backpressure))
    correlated = op.flat_map_batch("correlate", events, read)
    readable = op.branch("readable", correlated, steps.concerns_a_shard)
    groups = op.stateful_batch(
        "aggregate",
        readable.trues,
        lambda _: steps.Aggregate(make_shard(plan.rules), stop, account=books.of_groups()),
    )
    written = op.stateful_batch(
        "write", groups, lambda _: Write(sink, plan.documents, books.of_sink())
    )
    settled = op.merge("settled", readable.falses, op.map("home", written, steps.homeward))
    home = consumers.Acknowledge(source, plan.only, stop, books)
    op.output("acknowledge", settled, home)  # type: ignore[misc]
    return flow
