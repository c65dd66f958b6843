"""Aligned windows with random faults: each message is counted once, or parked.

Messages are late, and the process crashes while it holds them: the next process finds documents of
another writer in the store. `HOPPER_SEED=7 pytest tests/simulation/test_windows.py` repeats one
simulation.
"""

from __future__ import annotations

import itertools
from collections import Counter

from connectors.memory.store import MemoryStore
from connectors.message import Properties
from flows.spec import Pipeline
from tests.simulation.events import event
from tests.simulation.world import SimulatedWorld, fields, is_early

_worlds = itertools.count()


def replaced_by_early(store: MemoryStore) -> set[str]:
    """Return the `_id`s of early summaries that were written after a final one."""
    final, found = set[str | None](), set[str]()
    for one in store.written:
        if not is_early(fields(one.source)):
            final.add(one.id)
        elif one.id is not None and one.id in final:
            found.add(one.id)
    return found


class WindowWorld(SimulatedWorld):
    """Windows of two seconds by event time; one message in five is late."""

    count = 0
    """Windows have no size."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.simulation.now = 1000.0

    def _spec(self, name: str) -> Pipeline:
        chance, self.reduced, self.on_stop = self.random, True, "requeue"
        tumbling = {"every": "2s", "event_time": "at", "lateness": "1s", "ahead": "1s"}
        if chance.random() < 0.5:
            tumbling["emit_every"] = "1s"
        source = {"consumers": chance.randint(1, 3), "prefetch": chance.choice([20, 100])}
        name = f"windows-{next(_worlds)}"
        aggregate = {
            "by": "key",
            "window": {"tumbling": {**tumbling, "idle_after": chance.choice(["3s", "30s"])}},
            "late": chance.choice(["park", "new", "amend"]),
            "on_stop": self.on_stop,
            "reduce": {"numbers": {"list": "n"}},
        }
        return Pipeline.model_validate(
            {
                "version": 1,
                "name": name,
                "source": {"memory": {"name": name, "format": "json", **source}},
                "aggregate": aggregate,
                "sink": {"memory": {"name": name}},
            }
        )

    def publish(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            self.published += 1
            body = event(self.random, self.published, self.simulation.now)
            self.queue.publish(body, properties=Properties(message_id=str(self.published)))

    def complete(self) -> None:
        """No command completes a window: a part of a window has no id to find it again."""

    def crash(self) -> None:
        super().crash()
        self.simulation.now += self.random.choice([0, 5])

    def check(self) -> None:
        counted, parked = Counter(self.numbers()), self.parked_numbers()
        # A late message that opens a new group is a part of a window too.
        again = self.crashes and self.spec.aggregate.late == "new"
        assert again or set(counted.values()) <= {1}, "counted twice"
        gone = {fields(body)["n"] for body in self.queue.acknowledged}
        assert gone <= set(counted) | parked, "acknowledged before it was stored or parked"
        assert not replaced_by_early(self.store), "an early summary replaced a final one"
        self.check_accounts()

    def parked_numbers(self) -> set[int]:
        """Numbers of parked messages, and of the members of parked summaries."""
        bodies = [fields(rejected.message.body) for rejected in self.queue.parked]
        return {
            n for body in bodies for n in (body["numbers"] if "numbers" in body else [body["n"]])
        }
