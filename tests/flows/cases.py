"""Runs a case of `tests/cases/` in a simulation, and records what leaves its open groups.

Everything is real but Bytewax, the broker and the store; see `tests/cases/README.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from connectors.message import Origin, Outcomes, Properties
from connectors.units import Duration
from flows.groups.departures import ShardOutput
from flows.simulation.simulation import Left, Simulation
from flows.spec import Pipeline
from flows.summaries.fingerprint import count_in
from flows.values.group import DuplicateOfSent, Group, Unwritten

CASES = Path(__file__).resolve().parents[1] / "cases"
BEGIN = 1767225600.0
"""When each case begins, 2026-01-01T00:00:00Z: windows of whole hours begin there too."""

Event = dict[str, Any]


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each case of each file, with a name."""
    for path in sorted(CASES.glob("*.yaml")):
        for case in yaml.load(path.read_text(), yaml.CSafeLoader):  # seven times as fast
            yield f"{path.stem}: {case['case']}", case


class CaseRun:
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
        self.simulation = Simulation(spec, now=BEGIN)
        self.simulation.run()
        self.origins = {name: Origin(name, 1) for name in self.simulation.source.consumers()}
        self.numbers: dict[Origin, list[int]] = {}
        """By delivery tag, less one."""
        self.number = 0
        self.events: list[Event] = []
        self.groups: dict[tuple[str, int], list[int]] = {}
        self._run(case)
        for event in self.simulation.events:
            if isinstance(event.what, Left):
                self._leave(event.at, event.what.shard, event.what.value)

    @property
    def open(self) -> int:
        """Messages in open groups."""
        return sum(step.shard.open_members for step in self.simulation.steps.aggregates.values())

    def _run(self, case: dict[str, Any]) -> None:
        together: list[dict[str, Any]] = []
        for step in case["steps"]:
            at = step.get("at", self._time())
            if together and (
                seconds(at) != seconds(self._time()) or not _arrive_together(together, step)
            ):
                self._arrive(together)
                together = []
            self.simulation.pass_to(BEGIN + seconds(at))
            if "body" in step or "text" in step:
                together.append(step)
            else:
                self._happen(step)
        self._arrive(together)
        self.simulation.pass_to(BEGIN + seconds(case.get("until", self._time())))

    def _time(self) -> str:
        return _described(self.simulation.now)

    def _happen(self, step: dict[str, Any]) -> None:
        if "lost" in step:
            name = f"queue/{step['lost']:03d}"
            self.simulation.cut(name)
            self.simulation.queue.waiting.clear()  # the case has the redeliveries
            self.origins[name] = Origin(name, self.origins[name].generation + 1)
        elif "stop" in step:
            self.simulation.drain()
        elif "signal" in step:
            self.simulation.complete()
        else:
            assert step.keys() <= {"at"}, f"what is {step}?"
        self.simulation.run()

    def _arrive(self, steps: list[dict[str, Any]]) -> None:
        """Messages of one consumer arrive together."""
        if not steps:
            return
        name = f"queue/{steps[0].get('consumer', 0):03d}"
        for step in steps:
            self.number += 1
            self.numbers.setdefault(self.origins[name], []).append(self.number)
            body = step["text"].encode() if "text" in step else json.dumps(step["body"]).encode()
            redelivered = step.get("redelivered", False)
            properties = _properties(step)
            self.simulation.queue.publish(body, properties=properties, redelivered=redelivered)
        self.simulation.deliver(name)
        self.simulation.run()

    def _leave(self, at: float, shard: str, one: ShardOutput) -> None:
        if isinstance(one, Group):
            self._write(at, shard, one)
        elif isinstance(one, DuplicateOfSent):
            first = self.groups[shard, one.number][one.position]
            self._record(
                at, duplicate=self._number(one.member.origin, one.member.message.tag), of=first
            )
        else:
            self._settle(at, one)

    def _number(self, origin: Origin, tag: int) -> int:
        return self.numbers[origin][tag - 1]

    def _write(self, at: float, shard: str, group: Group) -> None:
        members = [self._number(member.origin, member.message.tag) for member in group.members]
        if group.summary is not None:
            tags, parts = group.summary.tags.items(), group.summary.parts.items()
            whole = [self._number(origin, tag) for origin, tags in tags for tag in tags]
            pieces = [self._number(origin, part.tag) for origin, parts in parts for part in parts]
            members = sorted([*whole, *pieces])
        self.groups[shard, group.number] = members
        documents = self.simulation.job.documents(group)
        if isinstance(documents, Unwritten):
            for number in members:
                self._record(at, parked=number, reason=documents.rejection.reason)
            return
        key = None if group.key is None else json.loads(group.key)
        event = {"key": key, "by": group.completed_by, "members": members}
        if len(documents.sources) == 1:
            event["document"] = json.loads(documents.sources[0])
        claim = documents.claims[0] if documents.claims else None
        # Members have no names: the case itself tells which they are.
        counted = None if claim is None else count_in(claim.fingerprint)
        ids = documents.ids and documents.ids[0]
        window = [round(group.start - BEGIN, 3), round(group.end - BEGIN, 3)]
        self._record(at, **event, window=window, in_window=counted, id=ids)

    def _settle(self, at: float, outcomes: Outcomes) -> None:
        origin = outcomes.origin
        for rejected in outcomes.rejected:
            number = self._number(origin, rejected.message.tag)
            self._record(at, parked=number, reason=rejected.rejection.reason)
        for tag in outcomes.dropped:
            self._record(at, dropped=self._number(origin, tag))
        for part in outcomes.parts:
            number = self._number(origin, part.tag)
            if part.rejected is not None:
                reason = part.rejected.rejection.reason
                self._record(at, parked=number, part=part.position, reason=reason)
            else:
                self._record(at, dropped=number, part=part.position)

    def _record(self, at: float, **event: Any) -> None:
        self.events.append({"at": _described(at), **event})


def _described(now: float) -> str:
    return f"{round((now - BEGIN) * 1000)}ms"


def _properties(step: dict[str, Any]) -> Properties:
    return Properties(
        message_id=step.get("id"),
        headers=step.get("headers"),
        routing_key=step.get("routing_key", ""),
        **step.get("properties", {}),
    )


def matches(expected: Event, event: Event) -> bool:
    """Whether an event has all that is expected; documents may have more fields."""
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


def _arrive_together(together: list[dict[str, Any]], step: dict[str, Any]) -> bool:
    """Whether a step can arrive with these: messages of one consumer, at one time."""
    is_message = "body" in step or "text" in step
    return is_message and step.get("consumer", 0) == together[0].get("consumer", 0)


_NOTHING = object()
seconds = TypeAdapter(Duration).validate_python
