"""Describes what a process does now, in one snapshot: `/status`, and each event of `/events`.

Pure: the times are arguments. It has counters and no rates: a reader makes a rate from two
snapshots, with `at`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors import metrics
from connectors.latest_dead_letters import LatestDeadLetter
from flows.audit.health import Health
from flows.audit.limit import Limit, Situation, limit
from flows.audit.symptoms import timestamp
from flows.config.without_secrets import without_secrets
from flows.job import Job
from flows.process.cluster_links import ClusterLink
from flows.spec import Pipeline
from flows.version import VERSION

KEY_SHOWN = 200
"""Characters that are shown of the key of a group."""


class Status:
    """Makes the snapshots of one process."""

    def __init__(
        self,
        job: Job,
        health: Health,
        spec: Pipeline,
        process: str,
        processes: Sequence[ClusterLink],
    ) -> None:
        """`process`: names this process; `processes`: all processes of the cluster."""
        self._job, self._health, self._process = job, health, process
        self._shows_bodies = spec.metrics is not None and spec.metrics.show_bodies
        self._processes = [one._asdict() for one in processes]
        self._spec = without_secrets(spec)
        self._measured: tuple[float, float] | None = None

    def snapshot(self, now: float, at: float, cpu_seconds: float) -> dict[str, Any]:
        """Return the snapshot, as JSON; one thread at a time.

        `now`: in seconds of a clock that only goes forward; `at`: in seconds since 1970;
        `cpu_seconds`: the CPU time of this process so far.
        """
        job, cores = self._job, self._cores(now, cpu_seconds)
        groups, sink = job.accounts.groups, job.accounts.sink
        decided = self._limit(cores)
        return {
            "job": job.name,
            "process": self._process,
            "version": VERSION,
            "at": at,
            "limit": decided._asdict(),
            "paused": job.stop.paused,
            "draining": job.stop.reason,
            "messages": {
                **job.accounts.messages._asdict(),
                "unacknowledged": job.source.unacknowledged(),
            },
            "queues": dict(job.source.waiting()),
            "consumers": self._consumers(),
            "oldest_unacknowledged_seconds": job.backpressure.oldest,
            "groups": {
                "open": groups.groups,
                "members": groups.open,
                "entered": groups.entered,
                "left": groups.left,
                "duplicates": metrics.total(metrics.DUPLICATES),
                "oldest": self._oldest_groups(at),
            },
            "sink": {
                **job.sink.state()._asdict(),
                **job.sink.pace()._asdict(),
                "documents": sink.open,
                "entered": sink.entered,
                "left": sink.left,
            },
            "retries": metrics.by_label(metrics.RETRIES),
            "dead_letters": {
                "by_kind": metrics.by_label(metrics.DEAD_LETTERS),
                "latest": [self._dead_letter(one) for one in job.source.latest_dead_letters()],
            },
            "cpu": {"seconds": cpu_seconds, "cores": cores},
            "health": self._healthy(),
            "spec": self._spec,
            "processes": self._processes,
        }

    def _cores(self, now: float, cpu_seconds: float) -> float | None:
        """Return how many cores the process kept busy since the last snapshot."""
        before, self._measured = self._measured, (now, cpu_seconds)
        if before is None or now <= before[0]:
            return None
        return (cpu_seconds - before[1]) / (now - before[0])

    def _limit(self, cores: float | None) -> Limit:
        job, causes = self._job, self._job.source.disconnected_because()
        consumers = job.accounts.consumers.items()
        away = {name: causes.get(name, "") for name, one in consumers if not one.connected}
        return limit(
            Situation(
                draining=job.stop.reason,
                paused=job.stop.paused,
                disconnected=away,
                stopped=[*job.source.stopped_because(), *job.withheld_because()],
                refused_commits=self._health.refused_commits(),
                sink=job.sink.state(),
                pace=job.sink.pace(),
                documents=job.accounts.sink.open,
                members=job.accounts.groups.open,
                loads=[*job.backpressure.loads.values()],
                cores=cores,
                waiting=job.source.waiting(),
            )
        )

    def _consumers(self) -> dict[str, Any]:
        loads = self._job.backpressure.loads
        return {
            name: {
                "queue": self._job.source.queue_of(name),
                "connected": account.connected,
                "held": load.held,
                "prefetch": load.prefetch,
                "bytes": load.bytes,
                "memory": load.memory,
            }
            for name, account in self._job.accounts.consumers.items()
            if (load := loads.get(name)) is not None
        }

    def _oldest_groups(self, at: float) -> list[dict[str, Any]]:
        return [
            {
                "key": None if one.key is None else one.key[:KEY_SHOWN],
                "seconds": max(0.0, at - one.opened_at),
                "members": one.members,
            }
            for one in self._job.oldest_groups()
        ]

    def _dead_letter(self, one: LatestDeadLetter) -> dict[str, Any]:
        body = {"body": one.body.decode(errors="replace")} if self._shows_bodies else {}
        return {**one._asdict(), "at": timestamp(one.at), **({"body": None} | body)}

    def _healthy(self) -> dict[str, Any]:
        found = self._health.health()[1]
        keys = ("healthy", "reasons", "warnings", "last_errors", "rejected_share")
        return {"ready": self._health.ready()[0], **{key: found[key] for key in keys}}
