"""Lives through a case of `tests/cases/`: reads, spreads and gathers its messages by its own clock.

Everything is real but Bytewax, the broker and the store; see `tests/cases/README.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml
from pydantic import TypeAdapter

from connectors.memory.sink import MemoryStoreSink as Sink
from connectors.memory.source import MemoryQueueSource as Source
from connectors.message import Arrived, Message, Origin, Outcomes, Properties
from connectors.units import Duration
from flows.groups.departures import ShardOutput
from flows.groups.event_order import make_shard
from flows.job import Job
from flows.process.stop import Stop
from flows.spec import Pipeline
from flows.summaries.fingerprint import count_in
from flows.values.columnar import Members
from flows.values.group import DuplicateOfSent, Group, Progress, Unwritten

CASES = Path(__file__).resolve().parents[1] / "cases"
BEGIN = 1767225600.0
"""When each case begins, 2026-01-01T00:00:00Z: windows of whole hours begin there too."""
TIMERS_MOST = 1000
"""So many timers go off between two steps at most, or one of them does nothing."""

Event = dict[str, Any]


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each case of each file, with a name."""
    for path in sorted(CASES.glob("*.yaml")):
        for case in yaml.load(path.read_text(), yaml.CSafeLoader):  # seven times as fast
            yield f"{path.stem}: {case['case']}", case


class Life:
    """One case, from its first message to its last timer."""

    def __init__(self, case: dict[str, Any]) -> None:
        memory = {"name": "queue", "consumers": case.get("consumers", 1), "format": "json"}
        spec = Pipeline.model_validate(
            {
                "version": 1,
                "name": "case",
                "source": {"memory": {**memory, **case.get("source", {})}},
                "aggregate": case["aggregate"],
                "sink": {"memory": {}},
            }
        )
        assert spec.source.memory
        assert spec.sink.memory
        source = Source(spec.source.memory, workers=1)
        self.plan = Job(spec, source, Sink(spec.sink.memory), Stop(3600, lambda: 0))
        self.shards = {name: make_shard(self.plan.rules) for name in self.plan.router.shards}
        self.origins = {name: Origin(name, 1) for name in source.consumers()}
        self.now = BEGIN
        self.number = 0
        self.events: list[Event] = []
        self.groups: dict[tuple[str, int], list[int]] = {}
        self._live(case)

    @property
    def open(self) -> int:
        """Messages in open groups."""
        return sum(shard.open_members for shard in self.shards.values())

    def _live(self, case: dict[str, Any]) -> None:
        together: list[dict[str, Any]] = []
        for step in case["steps"]:
            at = step.get("at", self._time())
            if together and (seconds(at) != seconds(self._time()) or not _alike(together, step)):
                self._arrive(together)
                together = []
            self._pass(BEGIN + seconds(at))
            if "body" in step or "text" in step:
                together.append(step)
            else:
                self._happen(step)
        self._arrive(together)
        self._pass(BEGIN + seconds(case.get("until", self._time())))

    def _time(self) -> str:
        return f"{round((self.now - BEGIN) * 1000)}ms"

    def _pass(self, to: float) -> None:
        """Let time go by, and timers go off in time."""
        for _ in range(TIMERS_MOST):
            due = [(s.due_at, name) for name, s in self.shards.items() if s.due_at is not None]
            at, name = min(due, default=(to + 1, ""))
            if at > to:
                self.now = to
                return
            self.now = max(self.now, at)
            self._leave(name, self.shards[name].complete_due(self.now))
        raise AssertionError(f"a timer is due for ever: {due}")

    def _happen(self, step: dict[str, Any]) -> None:
        if "lost" in step:
            name = f"queue/{step['lost']:03d}"
            origin = self.origins[name]
            for shard in self.plan.router.shards_of(origin):
                self.shards[shard].purge(origin)
            self.origins[name] = Origin(name, origin.generation + 1)
        elif "stop" in step:
            for name in self.shards:
                self._leave(name, self.shards[name].stop(self.now))
        elif "signal" in step:
            for name in self.shards:
                self._leave(name, self.shards[name].complete(None, self.now))
        else:
            assert step.keys() <= {"at"}, f"what is {step}?"

    def _arrive(self, steps: list[dict[str, Any]]) -> None:
        """Messages of one consumer arrive together."""
        if not steps:
            return
        origin = self.origins[f"queue/{steps[0].get('consumer', 0):03d}"]
        read = self.plan.reader.read(Arrived(origin, [self._message(s) for s in steps]), self.now)
        if read.outcomes is not None:
            self._leave("", [read.outcomes])
        for name, told in self.plan.router.route(read, self.now):
            shard = self.shards[name]
            if isinstance(told, Members):
                self._leave(name, shard.add(told, self.now))
            elif isinstance(told, Progress):
                self._leave(name, shard.heard(told, self.now))
            else:
                self._leave(name, shard.complete(told.key, self.now))

    def _message(self, step: dict[str, Any]) -> Message:
        self.number += 1
        properties = Properties(
            message_id=step.get("id"),
            headers=step.get("headers"),
            routing_key=step.get("routing_key", ""),
            **step.get("properties", {}),
        )
        body = step["text"].encode() if "text" in step else json.dumps(step["body"]).encode()
        redelivered = step.get("redelivered", False)
        return Message(self.number, redelivered, b"", _encode(properties), body)

    def _leave(self, shard: str, leaving: list[ShardOutput]) -> None:
        for one in leaving:
            if isinstance(one, Group):
                self._write(shard, one)
            elif isinstance(one, DuplicateOfSent):
                first = self.groups[shard, one.number][one.position]
                self._tell(duplicate=one.member.message.tag, of=first)
            else:
                self._go_home(one)

    def _write(self, shard: str, group: Group) -> None:
        members = [member.message.tag for member in group.members]
        if group.summary is not None:
            tags = [tag for tags in group.summary.tags.values() for tag in tags]
            parts = [part.tag for parts in group.summary.parts.values() for part in parts]
            members = sorted([*tags, *parts])
        self.groups[shard, group.number] = members
        documents = self.plan.documents(group)
        if isinstance(documents, Unwritten):
            for tag in members:
                self._tell(parked=tag, reason=documents.rejection.reason)
            return
        key = None if group.key is None else json.loads(group.key)
        event = {"key": key, "by": group.completed_by, "members": members}
        if len(documents.sources) == 1:
            event["document"] = json.loads(documents.sources[0])
        claim = documents.claims[0] if documents.claims else None
        # Who the members are, a case tells by itself.
        counted = None if claim is None else count_in(claim.fingerprint)
        ids = documents.ids and documents.ids[0]
        window = [round(group.start - BEGIN, 3), round(group.end - BEGIN, 3)]
        self._tell(**event, window=window, in_window=counted, id=ids)

    def _go_home(self, outcomes: Outcomes) -> None:
        for rejected in outcomes.rejected:
            self._tell(parked=rejected.message.tag, reason=rejected.rejection.reason)
        for tag in outcomes.dropped:
            self._tell(dropped=tag)
        for part in outcomes.parts:
            if part.rejected is not None:
                reason = part.rejected.rejection.reason
                self._tell(parked=part.tag, part=part.position, reason=reason)
            else:
                self._tell(dropped=part.tag, part=part.position)

    def _tell(self, **event: Any) -> None:
        self.events.append({"at": self._time(), **event})


def matches(expected: Event, event: Event) -> bool:
    """Whether an event is as expected, where anything is expected; documents may have more."""
    for name, value in expected.items():
        found = event.get(name, _NOTHING)
        if name == "at":
            equal = seconds(value) == seconds(found)
        elif name == "window":
            equal = [seconds(one) for one in value] == found
        elif name == "document":
            equal = value.items() <= found.items() if isinstance(found, dict) else False
        else:
            equal = type(found) is type(value) and found == value
        if not equal:
            return False
    return True


def _alike(together: list[dict[str, Any]], step: dict[str, Any]) -> bool:
    """Whether it can arrive together with these: messages of one consumer, not told apart."""
    is_message = "body" in step or "text" in step
    return is_message and step.get("consumer", 0) == together[0].get("consumer", 0)


_NOTHING = object()
seconds = TypeAdapter(Duration).validate_python
_encode = msgspec.msgpack.Encoder().encode
