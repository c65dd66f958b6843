"""Messages and faults, each with a time of day, played by the real steps with a simulated clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from connectors.memory.delivery import Settled
from connectors.memory.store import Stored
from connectors.message import Properties
from flows.simulation.simulation import Event as SimulatedEvent
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline

DAY = datetime(2026, 1, 2, tzinfo=UTC)
"""The day of all plays."""

Event = dict[str, Any]
"""What comes in: `at`, and a `body` with an `id`, or `killed`; or what comes out."""


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
        self.pass_to(_seconds(together[0]["at"]))
        for event in together:
            if "killed" in event:
                self.simulation.crash()
                self.simulation.restart()
            else:
                properties = Properties(message_id=event.get("id"))
                self.queue.publish(json.dumps(event["body"]).encode(), properties=properties)
        self.simulation.run()

    def pass_to(self, at: float) -> None:
        """Let time pass, and fire timers in time."""
        self.simulation.pass_to(at)


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
    play.pass_to(_seconds(until))
    return play


def _came_out(event: SimulatedEvent) -> Event | None:
    at = datetime.fromtimestamp(event.at, UTC)
    text = at.isoformat(timespec="milliseconds")[11:23].removesuffix(".000")
    what = event.what
    if isinstance(what, Stored):
        return {"at": text, "_id": what.id, "_source": json.loads(what.source)}
    if not isinstance(what, Settled) or what.how == "stored":
        return None
    if what.how == "dropped":
        return {"at": text, "dropped": json.loads(what.body)}
    return {"at": text, "parked": json.loads(what.body), "reason": what.reason}


def _seconds(time_of_day: str) -> float:
    """Since 1970."""
    hours, minutes, rest = time_of_day.split(":")
    return DAY.timestamp() + 3600 * int(hours) + 60 * int(minutes) + float(rest)
