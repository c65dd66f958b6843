"""A simulated job whose port is open, so that a test sees what a reader of the port sees."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from connectors.message import Properties
from flows.audit.health import Health
from flows.process.port import open_port
from flows.process.stop import ProcessStop
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline
from tools.local.ports import free_ports

SPEC: dict[str, Any] = {
    "version": 1,
    "name": "orders",
    "source": {
        "rabbitmq": {
            "url": "amqp://guest:carrot@localhost:5672/",
            "queue": "orders",
            "declare": {"durable": True},
            "prefetch": 500,
        }
    },
    "aggregate": {
        "by": "order",
        "window": {"last": "message.type == 'end'", "time": "10m"},
        "reduce": {"total": {"sum": "amount"}},
    },
    "sink": {
        "elasticsearch": {
            "url": "http://elastic:parsnip@localhost:9200",
            "api_key": "turnip",
            "index": "orders-{@timestamp:%Y.%m}",
        }
    },
    "dead_letter": {"rabbitmq": {"routing_key": "orders.parked"}},
}
SECRETS = ("carrot", "parsnip", "turnip", "radish")


class ServedJob:
    """The job of `SPEC`, on queues and a store in memory."""

    def __init__(self, *addresses: str, **metrics: Any) -> None:
        """`addresses`: of the processes of a cluster, this one first; `metrics`: of the spec."""
        port = {"port": free_ports(1)[0], "token": "radish"} | metrics
        # The ports of earlier tests still answer, and a command finds all processes of a name.
        self.name = f"orders-{port['port']}"
        self.content = SPEC | {"name": self.name, "metrics": port}
        self.spec = Pipeline.model_validate(self.content)
        assert self.spec.metrics
        self.simulation = Simulation(self.spec, now=time.time())
        job = self.simulation.job
        self.health = Health(
            self.name, job.accounts, job.source, job.stop, 30.0, sink=job.sink.state
        )
        stop = ProcessStop(30.0, job.source.unacknowledged, job.accounts)
        self.url = open_port(self.spec, self.spec.metrics, job, self.health, stop, (addresses, 0))

    def publish(self, *messages: dict[str, Any] | bytes) -> None:
        """Publish messages, and let the job process them."""
        bodies = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in messages]
        self.simulation.queue.publish(*bodies, properties=Properties())
        self.run()

    def run(self) -> None:
        """Let the job do what is due now, and check its health."""
        self.simulation.pass_to(time.time())
        for step in self.simulation.steps.aggregates.values():
            step.on_notify()  # as Bytewax does twice a second, while groups are open
        self.health.check(time.monotonic(), time.time())

    def write(self, folder: Path) -> str:
        """Write its `pipeline.yaml`, and return the name of the file."""
        path = folder / "pipeline.yaml"
        path.write_text(json.dumps(self.content))  # JSON is YAML
        return str(path)

    def get(self, path: str) -> Any:
        """Return the JSON at a path."""
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)
