"""Decides whether a request is refused because of its content, or because of an outage.

Pure. A firewall may refuse each request with a certain text, or a proxy break the connection at it.
Then one document keeps all others of its request from being stored: it must be found and parked.
An outage looks the same, request by request, and must park nothing.

Rule 1: A refusal counts against a request only if another request passed before the next refusal: a
        request with documents or, for most refusals, a probe: an empty request of the same size,
        through the same proxies.
Rule 2: A request with enough counted refusals is halved; a document that is alone in its request is
        rejected, and needs more of them.
Rule 3: When a probe fails, all earlier refusals no longer count. If no probe ever passed, because
        probes are refused too, only other requests with documents count.
Rule 4: A refusal with a cause outside of the request never counts: Elasticsearch's own errors about
        load, credentials and missing shards, 429, and servers that cannot be reached.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from connectors.elasticsearch.bulk_response import Items, Refusal, Retry


class Thresholds(NamedTuple):
    """How many counted refusals of one kind are enough."""

    halve_at: int
    """Refusals after which a request of several documents is halved."""
    reject_at: int
    """Refusals after which a document that is alone is rejected."""
    probes: bool
    """A probe that passes makes a refusal count. Rule 1."""


REFUSED = Thresholds(1, 3, probes=True)
"""For a status that is unrelated to load."""
BROKEN = Thresholds(2, 5, probes=True)
"""For a broken connection, 502 and 503: these also happen by chance, or when a proxy's server is
down while other requests pass."""
LATE = Thresholds(2, 12, probes=False)
"""For an answer that comes too late: a shard that is just moved answers late too, and a probe needs
no shard. With the back-off and the time limit of requests, this takes ten minutes or more."""


class Verdict(Enum):
    """The decision about a request that was refused as a whole."""

    WAIT = auto()
    """No other request is known to pass: it may be an outage."""
    RETRY = auto()
    """Other requests pass: send them, and retry this one later."""
    HALVE = auto()
    """Divide the request: one of its documents is at fault."""
    REJECT = auto()
    """Reject the only document of the request."""
    TOO_LARGE = auto()
    """Halve the request, or reject its only document: its size is at fault (see `size_limit`)."""


class RefusalRecord:
    """The refusals of one request; its halves start without any."""

    __slots__ = ("counted", "passed", "probed", "refusals")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all refusals."""
        self.refusals = 0
        """All refusals of the request."""
        self.counted = 0
        """Refusals that count against it. Rule 1."""
        self.passed = 0
        """Other requests that had passed at the last refusal."""
        self.probed = False
        """A probe passed after the last refusal, and makes it count."""


def thresholds_of(reading: Retry) -> Thresholds | None:
    """Return the thresholds for a refusal; `None`: it never counts. Rule 4."""
    status = reading.status
    if status is None:
        return BROKEN if reading.cut else LATE if reading.late else None
    if status in (401, 407, 429) or (reading.own and status in (403, 502, 503, 504)):
        return None
    if status in (408, 504):
        return LATE
    return BROKEN if status in (502, 503) else REFUSED


def probes_needed(record: RefusalRecord, reading: Retry) -> int:
    """Return how many probes in a row must pass after a refusal; 0: the refusal never counts.

    One more each time: a load balancer that takes its servers in turn could otherwise send all
    probes to healthy servers, and each attempt to the same broken one.
    """
    thresholds = thresholds_of(reading)
    if thresholds is None:
        return 0
    return record.counted + 1 if thresholds.probes else 1


def judge(
    record: RefusalRecord, reading: Retry, documents: int, passed: int, probed: bool | None
) -> Verdict:
    """Record one more refusal, and decide.

    `passed`: number of other requests that have passed so far; `probed`: whether the probes after
    this refusal passed, `None`: unknown.
    """
    thresholds = thresholds_of(reading)
    if thresholds is None:
        return Verdict.WAIT
    if probed is False:
        record.clear()  # Rule 3
        return Verdict.WAIT
    counts = record.refusals > 0 and (passed > record.passed or record.probed)
    record.counted += counts  # Rule 1: the previous refusal counts
    record.refusals += 1
    record.passed, record.probed = passed, bool(probed) and thresholds.probes
    if record.counted >= (thresholds.reject_at if documents == 1 else thresholds.halve_at):
        return Verdict.REJECT if documents == 1 else Verdict.HALVE  # Rule 2
    return Verdict.RETRY if counts or record.probed else Verdict.WAIT


def reject(reading: Retry) -> Items:
    """Reject a document that was alone in its request."""
    said = reading.reason if reading.status is None else f"{reading.status}, {reading.reason}"
    reason = f"refused: alone in a request, each time, while other requests passed: {said}"
    return Items([], rejected=[Refusal(0, reading.status, reason)])
