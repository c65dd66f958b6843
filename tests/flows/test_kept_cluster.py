"""Jobs with state on Bytewax and memory: with any number of workers a shard finds its state."""

from __future__ import annotations

import json
from pathlib import Path

from connectors.memory import sink, source
from connectors.message import Properties
from flows.config.fixed_keys import fixed_keys
from flows.spec import Pipeline
from flows.state.folder import Owner, StateFolder
from flows.steps.routing import SHARDS
from tests.flows.memory_job import make_job, run_job

KEYS = 20


def kept(name: str, path: Path, on_stop: str) -> Pipeline:
    return Pipeline.model_validate(
        {
            "version": 1,
            "name": name,
            "source": {"memory": {"name": name, "consumers": 2, "prefetch": 1000}},
            "aggregate": {
                "by": "key",
                "window": {"time": "12h"},
                "reduce": {"numbers": {"list": "n"}},
                "on_stop": on_stop,
            },
            "sink": {"memory": {"name": name}},
            "state": {"path": f"{path}", "commit": "50ms"},
        }
    )


def run(name: str, path: Path, workers: int, messages: range, on_stop: str = "keep") -> None:
    """Run a job until it has acknowledged these messages."""
    queue, spec = source.queue(name), kept(name, path, on_stop)
    before = len(queue.acknowledged)
    for n in messages:
        body = json.dumps({"key": n % KEYS, "n": n}).encode()
        queue.publish(body, properties=Properties(message_id=f"m{n}"))
    folder = StateFolder(path, 0.05)
    folder.open(Owner(name, [name]), SHARDS, fixed_keys(spec.aggregate))
    job = make_job(spec, workers, state=folder)
    run_job(job, lambda: len(queue.acknowledged) == before + len(messages), workers)
    folder.close()


def test_another_number_of_workers_finds_all_groups(tmp_path: Path) -> None:
    """Each message is acknowledged before its group is complete, and is in one summary."""
    name, path = "kept-workers", tmp_path / "state"
    run(name, path, 1, range(100))
    run(name, path, 3, range(100, 200))
    assert sink.store(name).documents == []
    run(name, path, 2, range(200, 240), on_stop="write")

    documents = [json.loads(document.source) for document in sink.store(name).documents]
    assert sorted(n for one in documents for n in one["numbers"]) == [*range(240)]
    assert len(documents) == KEYS
