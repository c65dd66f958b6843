"""Windows of the state that are written early, with random faults.

At every moment a document counts only what is durable; in the end each message is in one final one.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.kept_world import EVENT_TIME, REDUCE, KeptWorld, finish
from tests.simulation.window_world import replaced_by_early
from tests.simulation.world import SEEDS, fields, is_early


class KeptWindowWorld(KeptWorld):
    """Aligned windows, of values or of messages; each message has a name."""

    def _aggregate(self) -> dict[str, Any]:
        chance = self.random
        on_stop = chance.choice(["keep", "keep", "park"])
        tumbling: dict[str, Any] = {"every": chance.choice(["2s", "4s"]), "emit_every": "1s"}
        if chance.random() < 0.7:
            tumbling |= EVENT_TIME
        more: dict[str, Any] = {"late": "park", "on_stop": on_stop}
        if "event_time" in tumbling:
            more["late"] = chance.choice(["park", "new", "amend", "amend"])
        if more["late"] == "amend":
            self.poison = 0.0  # a refused revision has the members of the stored one too
            more["amend_for"] = chance.choice(["2s", "1h"])
        window: dict[str, Any] = {"tumbling": tumbling}
        if chance.random() < 0.3:
            window["count"] = 5
        if chance.random() < 0.6:
            more["order"] = "n"
        if chance.random() < 0.2:
            window["time"], more["incomplete"] = "1s", "park"
        return {"window": window, **REDUCE, **more}

    def early(self) -> list[set[int]]:
        """The numbers in each early summary."""
        documents = [fields(document.source) for document in self.store.documents]
        return [{*one["numbers"]} for one in documents if is_early(one)]

    def check(self) -> None:
        super().check()
        durable = {*self.numbers(), *self.parked_numbers()} | self.kept_numbers()
        assert set().union(*self.early()) <= durable, "an early summary is ahead of the state"
        reasons = [rejected.rejection.reason for rejected in self.queue.parked]
        assert not any("ambiguous" in reason for reason in reasons), "a window is in doubt"
        assert not replaced_by_early(self.store), "an early summary replaced a final one"


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_is_in_exactly_one_final_summary(seed: int) -> None:
    """Crashes come between any two steps, and in a commit."""
    world = KeptWindowWorld(seed)
    finish(world)
    # If Elasticsearch refuses the final summary, the early one stays.
    twice = set().union(*world.early()).intersection(world.numbers())
    assert not twice, "an early summary counts what another document counts"
