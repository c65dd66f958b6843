"""What can be wrong with a job: for each kind, what it means for the messages, and what helps.

Pure. `health.py` finds them; `docs/operations.md` has a section for each runbook named here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple


class SymptomKind(NamedTuple):
    """One kind of symptom, for the person on call."""

    name: str
    data: str
    """What it means for the messages."""
    remedy: str
    """What helps."""
    runbook: str
    """Its section of `docs/operations.md`."""


ACCOUNTS = SymptomKind(
    "accounting_mismatch",
    "Unknown: a message may be lost or counted twice. The broker redelivers what is not "
    "acknowledged.",
    "Keep the log, restart the job, and report it: this is a bug in Hopper.",
    "the-accounts-do-not-balance",
)
STATE = SymptomKind(
    "state_not_durable",
    "Nothing is lost: messages stay unacknowledged until the disk has what counts them.",
    "See `cause`: make room on the disk, mount it writable, or restore the file. The job retries "
    "for ever.",
    "the-disk-of-the-state-is-full",
)
REJECT_LIMIT = SymptomKind(
    "reject_limit",
    "Nothing is lost: rejected messages are dead letters, the others are requeued, or stay in the "
    "state.",
    "Correct what the reason names: the spec, the mapping or a privilege. The job goes on by "
    "itself as soon as a probe is stored; then `hopper dead-letters replay`.",
    "everything-is-rejected",
)
CLUSTER = SymptomKind(
    "cluster_incomplete",
    "Nothing is lost: no process consumes before all are there.",
    "Start the missing processes, or look at the addresses and the network between them.",
    "one-process-dies",
)
NOT_CONNECTED = SymptomKind(
    "broker_not_connected",
    "Nothing is lost: the broker redelivers what is not acknowledged.",
    "Look at the broker, the network and the credentials. The job reconnects by itself.",
    "the-broker-is-away",
)
DATAFLOW = SymptomKind(
    "dataflow_stalled",
    "Nothing is lost: messages in flight stay unacknowledged, and the broker redelivers them.",
    "Restart the job. A function of your own that does not return is the usual cause.",
    "the-dataflow-stalls",
)
BLOCKED = SymptomKind(
    "consumer_blocked",
    "Nothing is lost: messages wait in the broker.",
    "See `cause`: it names what holds the messages.",
    "the-queue-grows",
)
SINK_SILENT = SymptomKind(
    "sink_silent",
    "Nothing is lost: messages stay unacknowledged until Elasticsearch answers.",
    "Look at Elasticsearch and the network. The job retries for ever.",
    "elasticsearch-does-not-answer",
)
SINK_REFUSES = SymptomKind(
    "sink_refuses",
    "Nothing is lost: messages stay unacknowledged until Elasticsearch takes them.",
    "See `cause`: 429 asks for more nodes or fewer writers. The job retries for ever.",
    "elasticsearch-is-overloaded",
)
SINK_REFUSES_LOGIN = SymptomKind(
    "sink_refuses_login",
    "Nothing is lost: messages stay unacknowledged until Elasticsearch lets the job in.",
    "Correct the key or the password, or its privileges. The job reads files with secrets again.",
    "a-password-is-refused-after-its-rotation",
)
SINK_IS_FULL = SymptomKind(
    "sink_is_full",
    "Nothing is lost: messages stay unacknowledged until there is room.",
    "Delete old indices or add disks. The job retries for ever.",
    "the-disk-of-elasticsearch-is-full",
)
SHARED = SymptomKind(
    "queue_shared",
    "Nothing is lost, but groups are split between the jobs.",
    "Let one job of several processes consume the queue, or sum over the parts.",
    "the-queue-grows",
)
PAUSED = SymptomKind(
    "paused",
    "Nothing is lost: messages wait in the broker; groups complete, and documents are written.",
    "`hopper resume`.",
    "pausing",
)
DRAINING = SymptomKind(
    "draining",
    "Nothing is lost: the job writes what it holds, and ends.",
    "None is needed.",
    "starting-and-stopping",
)
RELOADING = SymptomKind(
    "reloading",
    "Nothing is lost: the job writes what it holds, and starts anew with the changed spec.",
    "None is needed.",
    "reloading",
)
SPEC_REFUSED = SymptomKind(
    "spec_refused",
    "Nothing is lost: the job goes on with the spec that it has started with.",
    "Correct the file: the job checks it again when it changes (`reload: true`), or at SIGHUP.",
    "reloading",
)
STARTING = SymptomKind(
    "starting",
    "Nothing is lost: no message is consumed yet.",
    "Wait; if it lasts, look at the log.",
    "starting-and-stopping",
)
KINDS = (
    ACCOUNTS,
    STATE,
    REJECT_LIMIT,
    CLUSTER,
    NOT_CONNECTED,
    DATAFLOW,
    BLOCKED,
    SINK_SILENT,
    SINK_REFUSES,
    SINK_REFUSES_LOGIN,
    SINK_IS_FULL,
    SHARED,
    PAUSED,
    DRAINING,
    RELOADING,
    SPEC_REFUSED,
    STARTING,
)


def of_refusal(refusal: str) -> SymptomKind:
    """Return the kind of a refusal by the sink, which begins with its HTTP status."""
    if "flood-stage" in refusal:
        return SINK_IS_FULL
    return SINK_REFUSES_LOGIN if refusal.startswith(("401", "403")) else SINK_REFUSES


class Symptom(NamedTuple):
    """One thing that is wrong now, or asks for attention."""

    kind: SymptomKind
    cause: str
    """With the numbers, and the words of the service."""
    seconds: float | None = None
    """For how long; `None`: it is not measured."""

    def record(self, at: float) -> dict[str, Any]:
        """Return it for a page as JSON; `at`: the time of the check, in seconds since 1970."""
        since = None if self.seconds is None else timestamp(at - self.seconds)
        return {
            "kind": self.kind.name,
            "cause": self.cause,
            "since": since,
            "data": self.kind.data,
            "remedy": self.kind.remedy,
            "runbook": f"docs/operations.md#{self.kind.runbook}",
        }


def timestamp(at: float) -> str:
    """Return a time in seconds since 1970 as ISO 8601, in UTC, in whole seconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
