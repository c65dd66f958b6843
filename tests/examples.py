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

from connectors.memory.store import Stored
from connectors.message import Properties
from flows.messages.commands import is_command
from flows.simulation.simulation import Event as SimulatedEvent
from flows.simulation.simulation import Left, Simulation
from flows.spec import Pipeline
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
    """A pipeline that is simulated, and what has come out of it so far."""

    def __init__(self, spec: Pipeline) -> None:
        self.simulation = Simulation(spec, now=DAY.timestamp())
        self.queue = self.simulation.queue

    @property
    def told(self) -> list[Event]:
        """What came out: documents as they were written, and messages that became none."""
        told = [_came_out(event) for event in self.simulation.events]
        return [event for event in told if event is not None]

    def happen(self, together: list[Event]) -> None:
        """What happens at one time."""
        self.pass_to(seconds(together[0]["at"]))
        for event in together:
            if "signal" in event:
                self.simulation.complete()
            elif "killed" in event:
                self.simulation.crash()
                self.simulation.restart()
            elif "stopped" in event:
                self.simulation.drain()
                self.simulation.run()
                self.simulation.restart()
            else:
                self.queue.publish(_body(event), properties=_properties(event))
        self.simulation.run()

    def pass_to(self, at: float) -> None:
        """Let time go by, and timers go off in time."""
        self.simulation.pass_to(at)


def _came_out(event: SimulatedEvent) -> Event | None:
    at = datetime.fromtimestamp(event.at, UTC)
    text = at.isoformat(timespec="milliseconds")[11:23].removesuffix(".000")
    what = event.what
    if isinstance(what, Stored):
        place = {"_index": what.index, "_id": what.id, "_version": what.version}
        return {"at": text, **place, "_source": json.loads(what.source)}
    if isinstance(what, Left) or what.how == "stored" or is_command(what.properties):
        return None
    if what.how == "dropped":
        return {"at": text, "dropped": _told(what.body)}
    return {"at": text, "parked": _told(what.body), "reason": what.reason}


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
