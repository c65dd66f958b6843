"""Decides whether a request is refused for what is in it, or because Elasticsearch is away.

Pure. A firewall refuses each request in which a certain text is, a proxy breaks off at it: then one
document keeps its neighbours from being stored, and itself. It has to be found, and parked. But an
outage looks the same, request by request, and must park nothing.

Rule 1: A refusal speaks against a request only when something else passed before the next one:
        another request with documents or, for most refusals, a probe: an empty request of the same
        size, which takes the same way.
Rule 2: A request against which enough refusals speak is halved; a document that is alone in one is
        rejected, and needs more of them.
Rule 3: When a probe does not pass, nothing of what was refused before counts any more. Where no
        probe ever passed, since it is refused too, other requests alone tell.
Rule 4: What has its reason outside of the request never speaks against it: Elasticsearch's own
        words about load, credentials and missing shards, 429, and servers that cannot be reached.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from connectors.elasticsearch.bulk_response import Items, Refusal, Retry


class Grade(NamedTuple):
    """How much a kind of refusal says."""

    halve_at: int
    """Refusals that have to speak against a request of several documents."""
    reject_at: int
    """And against a document that is alone."""
    probes: bool
    """A probe that passes is enough. Rule 1."""


REFUSED = Grade(1, 3, probes=True)
"""With a status that has nothing to do with load."""
BROKEN = Grade(2, 5, probes=True)
"""Connections break also by chance, and 502 and 503 are what a proxy says of a server that is away:
with some luck in between for all others."""
LATE = Grade(2, 12, probes=False)
"""A shard that is just being moved answers late too, while a probe needs no shard. With the
indexer's back-off, and as long as a request may take, this is ten minutes and more."""


class Verdict(Enum):
    """What becomes of a request that was refused as a whole."""

    WAIT = auto()
    """Nothing else passes, so far as is known."""
    RETRY = auto()
    """Others pass: they go on, and this one is tried again."""
    HALVE = auto()
    REJECT = auto()


class Record:
    """What speaks against one request, as it is: its halves begin anew."""

    __slots__ = ("against", "passed", "probed", "refusals")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing does."""
        self.refusals = 0
        """How often it was refused."""
        self.against = 0
        """How many of these speak against it. Rule 1."""
        self.passed = 0
        """How many others had passed at the last refusal."""
        self.probed = False
        """A probe that counts passed after the last refusal."""


def grade_of(reading: Retry) -> Grade | None:
    """How much a refusal says; `None`: nothing. Rule 4."""
    status = reading.status
    if status is None:
        return BROKEN if reading.cut else LATE if reading.late else None
    if status in (401, 407, 429) or (reading.own and status in (403, 502, 503, 504)):
        return None
    if status in (408, 504):
        return LATE
    return BROKEN if status in (502, 503) else REFUSED


def probes(record: Record, reading: Retry) -> int:
    """How many probes have to pass after a refusal, one after the other; 0: it says nothing.

    One more each time: a load balancer that gives requests to its servers by turns would else send
    all probes to those that are well, and each try to the same one that is not.
    """
    grade = grade_of(reading)
    if grade is None:
        return 0
    return record.against + 1 if grade.probes else 1


def judge(
    record: Record, reading: Retry, documents: int, passed: int, probed: bool | None
) -> Verdict:
    """Take note of one more refusal, and decide.

    `passed` counts all other requests that passed so far; `probed`: whether the probes after this
    refusal passed, `None`: that is not known.
    """
    grade = grade_of(reading)
    if grade is None:
        return Verdict.WAIT
    if probed is False:
        record.clear()  # Rule 3
        return Verdict.WAIT
    spoke = record.refusals > 0 and (passed > record.passed or record.probed)
    record.against += spoke  # Rule 1: the refusal before this one does
    record.refusals += 1
    record.passed, record.probed = passed, bool(probed) and grade.probes
    if record.against >= (grade.reject_at if documents == 1 else grade.halve_at):
        return Verdict.REJECT if documents == 1 else Verdict.HALVE  # Rule 2
    return Verdict.RETRY if spoke or record.probed else Verdict.WAIT


def rejected(reading: Retry) -> Items:
    """The verdict on a document that was alone."""
    said = reading.reason if reading.status is None else f"{reading.status}, {reading.reason}"
    reason = f"refused: alone in a request, again and again, while others passed: {said}"
    return Items([], rejected=[Refusal(0, reading.status, reason)])
