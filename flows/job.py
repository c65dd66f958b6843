"""What a spec comes to: one thing for each step that has to know.

Pure. It reads the spec's texts, and lays out which values of a message travel to its shard, so
that `until`, `order` and `reduce` find theirs without looking into any document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from connectors.connector import Addressing, Sink, Source
from connectors.message import Documents, Message
from flows.audit.backpressure import Backpressure
from flows.audit.reconcile import Accounts
from flows.conditions import user_functions
from flows.conditions.conditions import Condition, condition
from flows.config import window as window_spec
from flows.config.aggregate import AggregateSpec, MissingKey
from flows.groups.rules import Rules, Tumbling
from flows.groups.watermark_progress import WatermarkGenerator
from flows.messages.extract import ExtractionSpec, Extractor
from flows.messages.keys import Keys
from flows.messages.member_builder import MemberBuilder
from flows.messages.read import MessageReader
from flows.messages.splitter import Splitter
from flows.outcomes import outcomes
from flows.outcomes.split_messages import Only
from flows.spec import Pipeline
from flows.steps.routing import EXACT_BELOW, SHARDS, ShardRouter
from flows.summaries.functions.function import Function
from flows.summaries.reducers import Tally, wanted
from flows.summaries.summary import Summaries
from flows.values.group import ABSENT, Group, Unwritten
from flows.values.paths import Path, parse

MIN_STEP, MAX_STEP = 0.001, 60.0
"""Seconds of event time, between two moments at which groups may end."""


class Job(NamedTuple):
    """How messages become groups, and groups documents."""

    read: MessageReader
    router: ShardRouter
    rules: Rules
    """Of every shard."""
    documents: Callable[[Group], Documents | Unwritten]
    """What a group becomes."""
    only: Only
    """What is parked of a message some of whose documents are rejected."""
    tallies: Sequence[Tally]
    """They count the values that are of no use to them."""
    prefetch_at: str
    """Where the spec says it."""
    prefetch_is_given: bool

    def backpressure(self, accounts: Accounts) -> Backpressure:
        """What tells whether a consumer is silent since it holds all it may."""
        rules, tumbling = self.rules, self.rules.event_order or self.rules.tumbling
        event_time = tumbling if tumbling is not None and tumbling.by_event else None
        by_arrival = tumbling is not None and event_time is None
        ages = rules.event_order is None and (rules.time is not None or rules.idle is not None)
        return Backpressure(
            lambda: accounts.groups,
            lambda: accounts.sink,
            prefetch_at=self.prefetch_at,
            is_given=self.prefetch_is_given,
            idle_after=event_time.idle_after if event_time is not None else None,
            ends_by_clock=by_arrival or ages,
        )


def make_plan(spec: Pipeline, source: Source, sink: Sink) -> Job:
    """Plan the steps of a job."""
    chosen, aggregate = spec.source.chosen, spec.aggregate
    layout = Layout(aggregate)
    extraction = _extraction(aggregate, chosen.queue, layout.paths)
    extractor = Extractor(extraction) if any(extraction[2:]) else None
    builder = MemberBuilder(sink.addressing if aggregate.reduce is None else None, extractor)
    splitter = Splitter(chosen.format, chosen.max_message, chosen.indices, builder.decode)
    shards, consumers = _shards(aggregate), source.consumers()
    rules = _rules(aggregate, extraction, layout, consumers, max(1, len(shards)))

    def only(message: Message, positions: Sequence[int]) -> Message:
        reading = splitter.reading(source.properties(message))
        return replace(message, body=reading.only(message.body, positions))

    return Job(
        MessageReader(splitter, source.properties, builder, extractor),
        ShardRouter(consumers, shards, _watermark(rules.event_order or rules.tumbling)),
        rules,
        _documents(aggregate, sink.addressing),
        only,
        [tally for tally in (layout.tally, layout.running) if tally is not None],
        f"source.{spec.source.name}.prefetch",
        "prefetch" in chosen.model_fields_set,
    )


class Layout:
    """Which values of a message travel to its shard, and where each of them stands."""

    def __init__(self, spec: AggregateSpec) -> None:
        window = spec.window
        until = condition(window.until, allow_group=True) if window.until else None
        order = parse(spec.order) if spec.order else None
        running = {str(n): Function(*one) for n, one in enumerate(until.group)} if until else {}
        functions = _functions(spec)
        wanted_by = [*(until.paths if until else ()), *([order] if order else ())]
        paths = dict.fromkeys([*wanted_by, *wanted(running), *wanted(functions)])
        self.paths = [path for path in paths if isinstance(path, Path)]
        positions = {path: position for position, path in enumerate(self.paths)}
        self.until = until and until._replace(test=until.bind(self.paths))
        self.order = None if order is None else positions[order]
        self.tally = Tally(functions, positions) if functions else None
        """What `reduce` wants."""
        self.running = Tally(running, positions) if running else None
        """What `until` wants."""


def _rules(
    spec: AggregateSpec,
    extraction: ExtractionSpec,
    layout: Layout,
    partitions: Sequence[str],
    shards: int,
) -> Rules:
    """What is said for all shards together, each of so many `shards` has its part of."""
    window, parks = spec.window, "park" in (spec.incomplete, spec.on_stop)
    return Rules(
        plain=not any((extraction.keys, extraction.first, extraction.last, extraction.size)),
        count=window.count,
        bytes=window.bytes,
        time=window.time,
        idle=window.idle,
        until=layout.until,
        until_tally=layout.running,
        tumbling=_tumbling(window.tumbling),
        event_order=_event_order(window),
        incomplete=spec.incomplete,
        on_stop=spec.on_stop,
        late=spec.late,
        remember=spec.remember // shards,
        amend_for=spec.amend_for,
        max_groups=spec.max_groups // shards if spec.by else None,
        order=layout.order,
        tally=layout.tally,
        by_function=isinstance(spec.reduce, str),
        hold=layout.tally is None or layout.order is not None or parks,
        recognise=extraction.names,
        partitions=partitions,
    )


def _tumbling(spec: window_spec.TumblingSpec | None) -> Tumbling | None:
    if spec is None:
        return None
    by_event = spec.event_time is not None
    return Tumbling(spec.every, by_event, spec.lateness, spec.idle_after, spec.ahead)


def _event_order(window: window_spec.WindowSpec) -> Tumbling | None:
    """Event time in steps that are small beside `time` and `idle`."""
    if window.event_time is None:
        return None
    shortest = min(seconds for seconds in (window.time, window.idle) if seconds is not None)
    step = min(max(shortest / 100, MIN_STEP), MAX_STEP)
    return Tumbling(step, True, window.lateness, window.idle_after, window.ahead)


def _shards(spec: AggregateSpec) -> Sequence[str]:
    """Where the groups of keys are, if there are keys."""
    if spec.by is None:
        return ()
    few = min(spec.max_groups, spec.remember or spec.max_groups) < EXACT_BELOW
    return SHARDS[:1] if few else SHARDS


def _watermark(tumbling: Tumbling | None) -> WatermarkGenerator | None:
    return WatermarkGenerator(tumbling) if tumbling is not None and tumbling.by_event else None


def _extraction(spec: AggregateSpec, queue: str, values: Sequence[Path]) -> ExtractionSpec:
    window, tumbling = spec.window, spec.window.tumbling

    def of_message(text: str | None) -> Condition | None:
        return condition(text, allow_group=False) if text else None

    def path(text: str | None) -> Path | None:
        return parse(text) if text else None

    return ExtractionSpec(
        queue,
        by=_told(spec.by),
        keys=_keys(spec),
        alone=spec.missing_key == "alone",
        first=of_message(window.first),
        last=of_message(window.last),
        size=path(window.size),
        event_time=path(tumbling.event_time if tumbling else window.event_time),
        values=values,
        names=spec.by is not None or spec.reduce is not None,
    )


def _told(by: str | Sequence[str] | None) -> str:
    """What it is that a message without a key lacks."""
    if by is None or isinstance(by, str):
        return by or ""
    return by[0] if len(by) == 1 else f"one of {', '.join(by)}"


def _keys(spec: AggregateSpec) -> Keys | None:
    if spec.by is None:
        return None
    default = spec.missing_key.default if isinstance(spec.missing_key, MissingKey) else ABSENT
    by = parse(spec.by) if isinstance(spec.by, str) else [parse(text) for text in spec.by]
    return Keys(by, default)


def _functions(spec: AggregateSpec) -> Mapping[str, Function]:
    if not isinstance(spec.reduce, dict):
        return {}
    return {
        name: Function("count")
        if one == "count"
        else Function(one.function, parse(one.path), one.q, one.separator)
        for name, one in spec.reduce.items()
    }


def _documents(
    spec: AggregateSpec, addressing: Addressing
) -> Callable[[Group], Documents | Unwritten]:
    if spec.reduce is None:
        return outcomes.documents
    function = user_functions.load(spec.reduce) if isinstance(spec.reduce, str) else None
    summaries = Summaries(spec.summary, addressing, function)

    def documents(group: Group) -> Documents | Unwritten:
        summary = summaries.summarise(group)
        if isinstance(summary, Unwritten):
            return summary
        made = Documents([summary.document], [summary.index], [summary.id])
        return made if summary.claim is None else made._replace(claims=[summary.claim])

    return documents
