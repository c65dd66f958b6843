"""A metric that has no number of its own: it belongs to the accounts of the process."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily


class Account:
    """A counter whose number belongs to the accounts, where it is read at each request.

    So all that tell it tell the same: this, the log, and the pages about the job's health.
    """

    def __init__(self, name: str, help: str) -> None:
        self._name, self._help = name, help
        self.read: Callable[[], int] = lambda: 0
        REGISTRY.register(self)

    def describe(self) -> list[CounterMetricFamily]:
        """What it is, for Prometheus."""
        return [CounterMetricFamily(self._name, self._help)]

    def collect(self) -> list[CounterMetricFamily]:
        """What it is, with its number."""
        return [CounterMetricFamily(self._name, self._help, value=self.read())]
