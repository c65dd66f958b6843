"""The examples of a document, played by the real steps, with a simulated clock.

An example has three blocks: a part of `pipeline.yaml`, the input and the output. Input and output
are JSON values, each with the time of day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from connectors.memory.delivery import Settled
from connectors.memory.store import Stored
from connectors.message import Properties
from flows.messages.commands import is_command
from flows.simulation.simulation import Event as SimulatedEvent
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline
from tests.documents import Block

DAY = datetime(2026, 1, 2, tzinfo=UTC)
"""The day of all examples."""
PROPERTIES = ("correlation_id", "content_type")
"""Properties of a message that an example may name; its id is its `message_id`."""
_PRINT = "fingerprint"
"""A field of summaries that an example may omit."""

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
    """The examples among the blocks of a page, each named after its heading."""
    spec = module = None
    below: list[Block] = []
    for block in blocks:
        if block.language == "yaml":
            spec, below = block, []
        elif block.language == "python":
            module = block
        elif block.language == "json" and spec is not None:
            below.append(block)
            if len(below) == 2:
                yield Example(_title(block), spec, module, *below)
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
    """A simulated pipeline, and its output so far."""

    def __init__(self, spec: Pipeline) -> None:
        self.simulation = Simulation(spec, now=DAY.timestamp())
        self.queue = self.simulation.queue

    @property
    def outcomes(self) -> list[Event]:
        """What came out: documents as they were written, and messages that became none."""
        outcomes = [_came_out(event) for event in self.simulation.events]
        return [event for event in outcomes if event is not None]

    def happen(self, together: list[Event]) -> None:
        """Play what happens at one time."""
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
        """Let time pass, and fire timers in time."""
        self.simulation.pass_to(at)


def _came_out(event: SimulatedEvent) -> Event | None:
    at = datetime.fromtimestamp(event.at, UTC)
    text = at.isoformat(timespec="milliseconds")[11:23].removesuffix(".000")
    what = event.what
    if isinstance(what, Stored):
        place = {"_index": what.index, "_id": what.id, "_version": what.version}
        return {"at": text, **place, "_source": json.loads(what.source)}
    if not isinstance(what, Settled) or what.how == "stored" or is_command(what.properties):
        return None
    if what.how == "dropped":
        return {"at": text, "dropped": _content(what.body)}
    return {"at": text, "parked": _content(what.body), "reason": what.reason}


def played(spec: Pipeline, comes_in: list[Event], until: str) -> Play:
    """Play all input; events of one time happen together."""
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


def _content(body: bytes) -> Any:
    lines = [json.loads(line) for line in body.splitlines()]
    return lines[0] if len(lines) == 1 else {"lines": lines}


def shown(event: Event, like: Event) -> str:
    """An event as the page shows it; index, id and version only if the page has them too.

    The same holds for its fingerprint.
    """
    kept = {
        name: value
        for name, value in event.items()
        if value is not None and (name in like or name not in ("_index", "_id", "_version"))
    }
    for name in ("_source", "parked"):
        if isinstance(kept.get(name), dict) and _PRINT not in like.get(name, {}):
            kept[name] = {field: value for field, value in kept[name].items() if field != _PRINT}
    text = json.dumps(kept)
    if len(text) <= 100:
        return text
    text = re.sub(r', (?="_source"|"reason")', ",\n ", text)
    return re.sub(r' (?="window_start"|"count": \d+, "completed_by")', "\n             ", text)
