"""The examples of a document, and how they are played: the real steps, by a clock of their own.

An example is a part of `pipeline.yaml`, what comes in, and what comes out: three blocks, one after
the other. What comes in and goes out is JSON, value after value, each with the time of day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from connectors.memory import sink as memory_sink
from connectors.memory import source as memory_source
from connectors.message import Arrived, Message, Outcomes, Properties
from flows.job import Job
from flows.messages.commands import is_command
from flows.outcomes.split_messages import SplitMessages
from flows.process.stop import Stop
from flows.spec import Pipeline
from flows.steps.routing import ForShard, is_for_shard
from tests.documents import Block

DAY = datetime(2026, 1, 2, tzinfo=UTC)
"""When all examples happen."""
PROPERTIES = ("correlation_id", "content_type")
"""What of a message's properties an example may say by name; its id is its `message_id`."""
_PRINT = "fingerprint"
"""A field of summaries that an example leaves out, unless it is about it."""

Event = dict[str, Any]


class Example(NamedTuple):
    """One example of a page."""

    title: str
    spec: Block
    module: Block | None
    comes_in: Block
    goes_out: Block

    def __str__(self) -> str:
        return self.title


def examples(blocks: list[Block]) -> Iterator[Example]:
    """The examples among the blocks of a page, each named after the heading it stands below."""
    spec = module = None
    told: list[Block] = []
    for block in blocks:
        if block.language == "yaml":
            spec, told = block, []
        elif block.language == "python":
            module = block
        elif block.language == "json" and spec is not None:
            told.append(block)
            if len(told) == 2:
                yield Example(_title(block), spec, module, *told)
                spec = module = None


def _title(block: Block) -> str:
    above = block.path.read_text(encoding="utf-8").splitlines()[: block.line]
    return next(line for line in reversed(above) if line.startswith("#")).lstrip("# ")


def values(block: Block) -> list[Event]:
    """The JSON values of a block, one after the other."""
    found, at, decoder = [], 0, json.JSONDecoder()
    text = block.text.rstrip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        at = len(text) - len(text[at:].lstrip())
    return found


class Play:
    """A pipeline on a queue and a store in memory, and what has come out of it so far."""

    def __init__(self, spec: Pipeline) -> None:
        assert spec.source.memory
        assert spec.sink.memory
        self.told: list[Event] = []
        self.queue = memory_source.queue(spec.source.memory.name)
        self._store = memory_sink.store(spec.sink.memory.name)
        self._sink = memory_sink.MemoryStoreSink(spec.sink.memory)
        self._source = memory_source.MemoryQueueSource(spec.source.memory, workers=1)
        self._spec = spec
        names = self._source.consumers()
        self._consumers = {name: self._source.consumer(name) for name in names}
        for consumer in self._consumers.values():
            consumer.start()
        self._now = DAY.timestamp()
        self._stop = Stop(3600, lambda: 0)
        self._messages: dict[int, Message] = {}
        self._begin()

    def _begin(self) -> None:
        """What a process has in its memory when it starts."""
        job = Job(self._spec, self._source, self._sink, self._stop, clock=lambda: self._now)
        for name, consumer in self._consumers.items():
            job.accounts.open(name, consumer)
        self._correlate = job.correlate()
        self._aggregates = {name: job.aggregate() for name in job.router.shards}
        self._shards = {name: step._shard for name, step in self._aggregates.items()}
        self._writes = {name: job.write() for name in job.router.shards}
        self._parts = {name: SplitMessages(job.reader.only) for name in self._consumers}

    # What can happen.

    def happen(self, together: list[Event]) -> None:
        """What happens at one time."""
        self.pass_to(seconds(together[0]["at"]))
        for event in together:
            if "signal" in event:
                self._stop.complete()
            elif "killed" in event:
                self._be_killed()
            elif "stopped" in event:
                self._be_stopped()
            else:
                self.queue.publish(_body(event), properties=_properties(event))
        self._deliver()
        for name in self._shards:
            self._leave(name, self._aggregates[name].on_notify()[0])

    def pass_to(self, at: float) -> None:
        """Let time go by, and timers go off in time."""
        while True:
            due = [(s.due_at, name) for name, s in self._shards.items() if s.due_at is not None]
            due_at, name = min(due, default=(at + 1, ""))
            if due_at > at:
                self._now = at
                return
            self._now = max(self._now, due_at)
            self._leave(name, self._aggregates[name].on_notify()[0])

    def _be_stopped(self) -> None:
        """It drains, and another process takes its place."""
        for name, aggregate in self._aggregates.items():
            self._leave(name, aggregate.on_eof()[0])
        self._be_killed()

    def _be_killed(self) -> None:
        """Another process takes its place; only broker and store remember."""
        for consumer in self._consumers.values():
            consumer.lose()
            consumer.connect()
        self._begin()

    def _deliver(self) -> None:
        for consumer in self._consumers.values():
            events = consumer.take()
            for event in events:
                if isinstance(event, Arrived):
                    self._messages.update((m.tag, m) for m in event.messages)
            for name, value in self._correlate([*events]):
                if is_for_shard((name, value)):
                    told: list[ForShard] = [value]  # type: ignore[list-item]
                    self._leave(name, self._aggregates[name].on_batch([*told])[0])
                elif isinstance(value, Outcomes):
                    self._settle(value)

    def _leave(self, name: str, leaving: list[Any]) -> None:
        before = self._store.documents
        outcomes = self._writes[name].on_batch(leaving)[0]
        for stored in self._store.documents:
            if not any(stored is one for one in before):
                self._tell(
                    _index=stored.index,
                    _id=stored.id,
                    _version=stored.version,
                    _source=json.loads(stored.source),
                )
        for one in outcomes:
            self._settle(one)

    def _settle(self, outcomes: Outcomes) -> None:
        whole = self._parts[outcomes.origin.consumer].take(outcomes)
        for rejected in whole.rejected:
            self._tell(parked=_told(rejected.message.body), reason=rejected.rejection.reason)
        for tag in whole.dropped:
            message = self._messages[tag]
            if not is_command(self._source.properties(message)):
                self._tell(dropped=_told(message.body))
        self._consumers[outcomes.origin.consumer].settle(whole)

    def _tell(self, **event: Any) -> None:
        at = datetime.fromtimestamp(self._now, UTC)
        text = at.isoformat(timespec="milliseconds")[11:23].removesuffix(".000")
        self.told.append({"at": text, **event})


def played(spec: Pipeline, comes_in: list[Event], until: str) -> Play:
    """Let all of that happen; what happens at one time happens together."""
    play = Play(spec)
    together: list[Event] = []
    for event in comes_in:
        if together and event["at"] != together[0]["at"]:
            play.happen(together)
            together = []
        together.append(event)
    play.happen(together)
    play.pass_to(seconds(until))
    return play


def seconds(time_of_day: str) -> float:
    """Since 1970."""
    hours, minutes, rest = time_of_day.split(":")
    return DAY.timestamp() + 3600 * int(hours) + 60 * int(minutes) + float(rest)


def _body(event: Event) -> bytes:
    if "lines" in event:
        return b"".join(b"%b\n" % json.dumps(line).encode() for line in event["lines"])
    return json.dumps(event["body"]).encode() if "body" in event else b""


def _properties(event: Event) -> Properties:
    named = {name: event[name] for name in PROPERTIES if name in event}
    return Properties(message_id=event.get("id"), headers=event.get("headers"), **named)


def _told(body: bytes) -> Any:
    lines = [json.loads(line) for line in body.splitlines()]
    return lines[0] if len(lines) == 1 else {"lines": lines}


def shown(event: Event, like: Event) -> str:
    """An event as the page has it; where a document goes only if that one tells it too.

    Likewise its fingerprint.
    """
    told = {
        name: value
        for name, value in event.items()
        if value is not None and (name in like or name not in ("_index", "_id", "_version"))
    }
    for name in ("_source", "parked"):
        if isinstance(told.get(name), dict) and _PRINT not in like.get(name, {}):
            told[name] = {field: value for field, value in told[name].items() if field != _PRINT}
    text = json.dumps(told)
    if len(text) <= 100:
        return text
    text = re.sub(r', (?="_source"|"reason")', ",\n ", text)
    return re.sub(r' (?="window_start"|"count": \d+, "completed_by")', "\n             ", text)
