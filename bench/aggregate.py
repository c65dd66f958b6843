"""The cost of keys and summaries compared with a stream without them, and of pickling members.

All jobs run in each round. Disturbances only add time, so the report has the minimum of each job.
"""

from __future__ import annotations

import gc
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from bench import open_groups
from bench.steps import BenchSteps, Cost, arrivals
from connectors.message import Arrived
from flows.messages.formats import decode, read_json
from flows.process.start import CYCLES_AFTER
from flows.values.columnar import Members

MESSAGES, KEYS, MEMBERS = 50_000, 200, 50
"""Groups complete after so many members, which share the cost of a group. So 5000 messages are
open at a time, as many as without `by` when groups of 1000 complete and four of them are being
written. The prefetch bounds open messages; the more there are, the fewer are in the cache."""
FEW, MANY = 100, 1_000_000
"""Open groups."""
PROTOCOL = 4
"""The version of pickle that Bytewax uses."""

WINDOW = f"window: {{count: {MEMBERS}, time: 10m}}"
BY = "by: customer, max_groups: 9000000"
REDUCE = "reduce: {total: {sum: total}, most: {max: items}, note: {last: note}, n: count}"
"""Four fields: of a float, of an integer, of a text, and a count."""


class AggregateJob(NamedTuple):
    """A job that is measured."""

    title: str
    aggregate: str
    alone: bool = False
    """Each message has its own key, and so opens a group."""
    stored_in: str = "bench"
    """An index, or an index template."""


PLAIN = AggregateJob("without `by`, groups of 1000", "{window: {count: 1000, time: 10m}}")
KEYED = AggregateJob(f"`by`, groups of {MEMBERS}", f"{{{BY}, {WINDOW}}}")
REDUCED = AggregateJob(f"`by` and `reduce`, groups of {MEMBERS}", f"{{{BY}, {WINDOW}, {REDUCE}}}")
FIELD = PLAIN._replace(
    title="the same, the index by a field of the document", stored_in="b-{status}"
)
JOBS = (
    PLAIN,
    FIELD,
    KEYED,
    REDUCED,
    KEYED._replace(title="`by`, each message opens a group", alone=True),
    REDUCED._replace(title="`by` and `reduce`, each message opens a group", alone=True),
)


class AggregateTarget(NamedTuple):
    """A goal, in the unit of its text."""

    text: str
    most: float
    value: float


def report(rounds: int) -> Iterator[str]:
    """Measure, and report in Markdown."""
    gc.set_threshold(CYCLES_AFTER)
    several = [*arrivals(MESSAGES, KEYS)]
    alone = [*arrivals(MESSAGES, MESSAGES)]
    gc.freeze()
    costs = {job: _least(costs) for job, costs in _rounds(rounds, several, alone).items()}
    reading = _reading(several)
    yield from _costs(costs, reading)
    sends = {job: _crossing(job, several) for job in (PLAIN, KEYED, REDUCED)}
    yield from _crossings(sends)
    opened = {
        job: (open_groups.measure(job.aggregate, FEW), open_groups.measure(job.aggregate, MANY))
        for job in (KEYED, REDUCED)
    }
    yield from _opened(opened)
    yield from _targets(
        [
            AggregateTarget(
                "`by`: at most 2 µs on top of reading", 2, _more(costs, KEYED) - reading
            ),
            AggregateTarget("`by`: beside index by field", 2, _more(costs, KEYED, FIELD)),
            AggregateTarget(
                "`reduce`: at most 4 µs on top of reading", 4, _more(costs, REDUCED) - reading
            ),
            AggregateTarget("`reduce`: beside index by field", 4, _more(costs, REDUCED, FIELD)),
            AggregateTarget("to send a message: at most 1 µs", 1, sends[KEYED][0]),
            AggregateTarget("to receive a message: at most 1 µs", 1, sends[KEYED][1]),
            AggregateTarget("a million groups of one message: at most 1024 bytes each", 1024,
                   max(many.bytes_each for _, many in opened.values())),
            AggregateTarget("an activation of a million groups, to that of few: 1.25", 1.25,
                   max(many.activation / few.activation for few, many in opened.values())),
        ]
    )  # fmt: skip


def _rounds(
    rounds: int, several: Sequence[Arrived], alone: Sequence[Arrived]
) -> dict[AggregateJob, list[Cost]]:
    """The cost of each job in each round."""
    # Jobs with groups of several members keep their open groups from round to round.
    measured = {job: BenchSteps(job.aggregate, job.stored_in) for job in JOBS if not job.alone}
    for steps in measured.values():
        steps.run(several)
    costs: dict[AggregateJob, list[Cost]] = {job: [] for job in JOBS}
    for _ in range(rounds):
        for job in JOBS:
            if job.alone:
                costs[job].append(BenchSteps(job.aggregate).run(alone))
            else:
                costs[job].append(measured[job].run(several))
    return costs


def _least(costs: Sequence[Cost]) -> Cost:
    return Cost(*map(min, zip(*costs, strict=True)))


def _more(costs: dict[AggregateJob, Cost], job: AggregateJob, than: AggregateJob = PLAIN) -> float:
    return sum(costs[job]) - sum(costs[than])


def _reading(arrived: Sequence[Arrived]) -> float:
    """The µs that reading all fields of a document takes more than checking that it is one."""
    bodies = [message.body for event in arrived for message in event.messages]
    fields = _timed(lambda: [None for body in bodies if not decode(body)])
    check = _timed(lambda: [None for body in bodies if not read_json(body, 0.0)])
    return (fields - check) / len(bodies)


def _crossing(job: AggregateJob, arrived: Sequence[Arrived]) -> tuple[float, float]:
    """The µs to send a message to another process, and to receive it there."""
    steps = BenchSteps(job.aggregate)
    items = [item for event in arrived[:40] for item in steps.correlated(event)]
    count = sum(len(item[1]) for item in items if isinstance(item[1], Members))
    sent = [pickle.dumps(item, PROTOCOL) for item in items]
    send = _timed(lambda: [None for item in items if not pickle.dumps(item, PROTOCOL)])
    receive = _timed(lambda: [None for item in sent if not pickle.loads(item)])
    return send / count, receive / count


def _timed(call: Callable[[], Any], times: int = 25) -> float:
    """The minimum CPU of so many calls, in µs."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        call()
        spent.append(time.process_time() - began)
    return 1e6 * min(spent)


def _costs(costs: dict[AggregateJob, Cost], reading: float) -> Iterator[str]:
    yield "| µs CPU a message | correlate | aggregate | write | all | more | on top of reading |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for job, cost in costs.items():
        steps = " | ".join(f"{step:.2f}" for step in (*cost, sum(cost)))
        more = _more(costs, job)
        rest = "" if job == PLAIN else f"{more:.2f} | {more - reading:.2f}"
        yield f"| {job.title} | {steps} | {rest or ' | '} |"
    yield ""
    yield f"Reading all fields of a document takes {reading:.2f} µs more than checking it."
    yield ""


def _crossings(sends: dict[AggregateJob, tuple[float, float]]) -> Iterator[str]:
    yield "| µs CPU a message between processes | to send | to receive |"
    yield "|---|--:|--:|"
    for job, (send, receive) in sends.items():
        yield f"| {job.title} | {send:.2f} | {receive:.2f} |"
    yield ""


def _opened(opened: dict[AggregateJob, tuple[open_groups.Open, open_groups.Open]]) -> Iterator[str]:
    yield (
        f"| groups of one message | bytes each, of {MANY:,} | µs an activation, of {FEW} "
        f"| of {MANY:,} |"
    )
    yield "|---|--:|--:|--:|"
    for job, (few, many) in opened.items():
        title = job.title.partition(",")[0]
        yield (
            f"| {title} | {many.bytes_each:.0f} | {few.activation:.1f} | {many.activation:.1f} |"
        )
    yield ""


def _targets(targets: Sequence[AggregateTarget]) -> Iterator[str]:
    yield "| Goal | Result | Reached |"
    yield "|---|--:|---|"
    for text, most, value in targets:
        yield f"| {text} | {value:.2f} | {'yes' if value <= most else 'no'} |"
    yield ""
