"""Groups in the state with random faults: each message is counted in exactly one summary."""

from __future__ import annotations

import pytest

from connectors.message import Properties
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline
from tests.kept_state import MemoryState
from tests.simulation.kept_world import KeptWorld, RefusingWorld, StreamWorld, finish
from tests.simulation.world import SEEDS


def test_each_document_of_a_message_is_kept_and_dead_lettered_by_itself() -> None:
    """They are in groups that leave hours apart, with a restart between them."""
    spec = {
        "version": 1,
        "name": "several",
        "source": {"memory": {"name": "several", "format": "json"}},
        "aggregate": {"by": "key", "window": {"last": "message.end"}},
        "sink": {"memory": {"name": "several"}},
        "state": {"path": "/in/memory"},
    }
    simulation = Simulation(Pipeline.model_validate(spec), state=MemoryState())
    queue, store = simulation.queue, simulation.store
    store.refuse(b"poison", "it is poison")
    sent = Properties(message_id="three", headers={"from": "shop"})
    queue.publish(
        b'[{"key":1,"n":1},{"key":2,"n":"poison"},{"key":1,"n":3}]',
        properties=sent,
    )
    simulation.pass_to(10.0)
    assert (len(queue.acknowledged), store.documents) == (1, [])

    for key, moment in ((1, 20.0), (2, 30.0)):
        simulation.crash()
        simulation.restart()
        queue.publish(b'{"key":%d,"end":true}' % key)
        simulation.pass_to(moment)

    stored = sorted(document.source for document in store.documents)
    ends = [b'{"key":1,"end":true}', b'{"key":2,"end":true}']
    assert stored == [ends[0], b'{"key":1,"n":1}', b'{"key":1,"n":3}', ends[1]]
    [parked] = queue.parked
    assert parked.message.body == b'[{"key":2,"n":"poison"}]'
    assert simulation.source.properties(parked.message) == sent
    reason = "1 of 3 documents, the first is number 2: it is poison"
    assert parked.rejection.reason == reason


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_is_in_exactly_one_summary(seed: int) -> None:
    """Crashes come between any two steps, and in a commit; no message is acknowledged before."""
    finish(KeptWorld(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_of_a_stream_is_in_exactly_one_summary(seed: int) -> None:
    """By their offsets: no message has an id, and many are delivered again."""
    finish(StreamWorld(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_each_message_of_a_group_that_was_refused_is_in_a_summary(seed: int) -> None:
    """Groups beyond the limit stay in the state until the mapping is corrected."""
    finish(RefusingWorld(seed))
