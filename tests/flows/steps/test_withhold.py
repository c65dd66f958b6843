"""Groups of a state that the sink refuses stay there while it refuses too many."""

from __future__ import annotations

import json
import logging

import pytest

from connectors.message import Properties
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline
from tests.kept_state import MemoryState

SPEC = {
    "version": 1,
    "name": "withheld",
    "source": {"rabbitmq": {"url": "amqp://localhost", "queue": "orders"}},
    "aggregate": {
        "by": "key",
        "window": {"count": 1},
        "reduce": {"numbers": {"list": "n"}},
    },
    "sink": {"elasticsearch": {"url": "http://localhost:9200", "index": "orders"}},
    "dead_letter": {
        "rabbitmq": {"routing_key": "parked", "reject_limit": {"rejected": 3, "of": 10}}
    },
    "state": {"path": "/in/memory"},
}
"""Three of ten groups may be refused; each is one message."""


class Refusing:
    """A job whose sink refuses everything, until `correct`."""

    def __init__(self) -> None:
        self.state = MemoryState()
        self.simulation = Simulation(Pipeline.model_validate(SPEC), state=self.state)
        self.simulation.store.refuse(b"numbers", "no such field")

    def publish(self, *numbers: int) -> None:
        """Publish messages, and let half a second pass."""
        for n in numbers:
            body = json.dumps({"key": "k", "n": n}).encode()
            self.simulation.queue.publish(body, properties=Properties(message_id=f"{n}"))
        self.pass_by(0.5)

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.simulation.pass_to(self.simulation.now + seconds)

    @property
    def stored(self) -> list[int]:
        """The numbers in the store."""
        sources = [json.loads(one.source) for one in self.simulation.store.documents]
        return sorted(n for source in sources for n in source["numbers"])

    @property
    def dead_lettered(self) -> list[int]:
        """The numbers in dead letters."""
        parked = [json.loads(one.message.body) for one in self.simulation.queue.parked]
        return sorted(n for summary in parked for n in summary["numbers"])

    @property
    def because(self) -> list[str]:
        """Why groups are withheld."""
        return self.simulation.job.withheld_because()


@pytest.fixture
def job() -> Refusing:
    return Refusing()


def test_what_is_refused_beyond_the_limit_stays_in_the_state(
    job: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    """Its messages are acknowledged, and none of them is a dead letter."""
    job.publish(*range(10))

    assert len(job.dead_lettered) == 3
    assert len(job.simulation.queue.acknowledged) == 10
    assert job.because == ["too many groups are refused, for example: no such field"]
    assert "refused groups stay in the state from now on" in caplog.text


def test_all_of_it_is_stored_when_a_probe_is(
    job: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    job.publish(*range(10))
    job.simulation.store.accept()
    job.pass_by(1.0)

    assert len(job.dead_lettered) == 3
    assert sorted(job.stored + job.dead_lettered) == [*range(10)]
    assert job.because == []
    assert "sends all refused groups of the state again" in caplog.text


def test_probes_become_rare_and_no_dead_letters(
    job: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    job.publish(*range(10))
    requests = len(job.simulation.store.requests)
    for seconds in (1.0, 2.0, 4.0):
        job.pass_by(seconds)
    job.pass_by(1.0)

    assert len(job.simulation.store.requests) == requests + 3
    assert len(job.dead_lettered) == 3
    assert "the next one is sent in 8 s: no such field" in caplog.text


@pytest.mark.parametrize("crashes", [False, True])
def test_a_restart_finds_it(job: Refusing, *, crashes: bool) -> None:
    """A stop does not wait for what is withheld."""
    job.publish(*range(10))
    before = len(job.dead_lettered)
    if crashes:
        job.simulation.crash()
    else:
        job.simulation.drain()
        job.pass_by(1.0)
    assert job.simulation.ended
    assert [job.simulation.accounts.check(draining=True) for _ in range(2)] == [[], []]
    job.simulation.store.accept()
    job.simulation.restart()
    job.pass_by(1.0)

    assert len(job.dead_lettered) == before
    assert {*job.stored, *job.dead_lettered} == {*range(10)}
    assert crashes or len(job.stored) == 10 - before  # after a crash it may forget dead letters
