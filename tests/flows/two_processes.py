"""A job in memory for two processes: each has 500 messages, and only one gets the request to drain.

Bytewax chooses the process that aggregates and stores a consumer's messages; its own process
acknowledges them.
"""

from __future__ import annotations

import atexit
import sys
import threading

from bytewax.dataflow import Dataflow

from connectors.memory import sink, source
from flows.pipeline import build_flow
from flows.process.start import workers
from tests.flows.memory_job import make_job, pipeline, publish
from tests.waiting import until


def flow(drains: bool) -> Dataflow:
    queue, store = source.queue("cluster"), sink.store("cluster")
    publish(queue, 500)
    spec = pipeline("cluster")
    assert spec.source.memory
    consumers = spec.source.memory.model_copy(update={"consumers": "auto"})
    source_spec = spec.source.model_copy(update={"memory": consumers})
    job = make_job(spec.model_copy(update={"source": source_spec}), workers())

    def drain() -> None:
        until(lambda: len(queue.acknowledged) == 500)
        job.stop.request("the first process is done")

    if drains:
        threading.Thread(target=drain, daemon=True).start()
    atexit.register(
        lambda: sys.stdout.write(
            f"{len(store.documents)} {len(queue.acknowledged)} {queue.unacknowledged}\n"
        )
    )
    return build_flow(job)
