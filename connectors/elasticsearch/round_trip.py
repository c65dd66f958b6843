"""One request and its answer: composes the body, sends it, and reads the answer.

When the claim of a document fails, it reads the stored document, and replaces it if the claim
allows that (see `claims`). It decides nothing, and is thread-safe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from connectors.elasticsearch import claims
from connectors.elasticsearch.bulk_request import BulkBody, BulkLines, replacing
from connectors.elasticsearch.bulk_response import Items, RefusedRequest, Reply, Retry, read
from connectors.elasticsearch.existence import Existence, parts_without
from connectors.elasticsearch.isolate import probes_needed
from connectors.elasticsearch.observer import Observer
from connectors.elasticsearch.request import Request, RequestPart
from connectors.elasticsearch.retry_policy import reject_id_collisions
from connectors.elasticsearch.size_limit import MIN_CUT_BYTES


class ClusterCalls(NamedTuple):
    """The requests that the sink sends while the job runs; each returns the reply."""

    send: Callable[[BulkBody], Reply]
    """Sends a bulk request."""
    read: Callable[[bytes], Reply]
    """Reads stored documents: see `claims`."""
    probe: Callable[[int], Reply] | None = None
    """Sends an empty request of this size in bytes, to find out whether other requests pass;
    `None`: no probes."""
    exists: Callable[[str], bool | Reply] | None = None
    """Returns whether an index exists, or the reply that leaves it unknown; `None`: Elasticsearch
    may create every index. Documents of a missing index are left out of requests."""


class RoundTripResult(NamedTuple):
    """The answer to a request."""

    reading: Items | Retry | RefusedRequest
    size_bytes: int
    """0: nothing was sent."""
    seconds: float
    """From sending the request to its answer."""


class Probes(NamedTuple):
    """What probes have shown after a refusal."""

    passed: bool | None = None
    """Whether those of the request's size passed; `None`: unknown, since none ever passed."""
    only_small: bool = False
    """The request broke the connection, a probe of its size too, and a small one was answered."""


class RoundTrip:
    """Sends requests and reads their answers."""

    def __init__(
        self,
        calls: ClusterCalls,
        lines: BulkLines,
        index: str | None,
        existence: Existence,
        observer: Observer,
        clock: Callable[[], float],
    ) -> None:
        """`index`: for documents that name none."""
        self._send, self._read, self._probe, self._exists = calls
        self._index, self._lines, self._existence = index, lines, existence
        self._observer, self._clock = observer, clock
        self._probes_pass = False  # a probe has passed at some time

    def probe(self, request: Request, reading: Retry) -> Probes:
        """Send probes after a refusal."""
        size, times = request.size, probes_needed(request.record, reading)
        if self._probe is None or not times:
            return Probes()
        for _ in range(times):
            reply = self._probe(size)
            if not _passes(reply):
                break
        else:
            self._probes_pass = True
            return Probes(passed=True)
        broke = reading.cut and size > MIN_CUT_BYTES and reply.status in (None, 413)
        small = self._probe(1) if broke else reply
        self._probes_pass |= _passes(small)
        return Probes(False if self._probes_pass else None, broke and _is_answered(small))

    def lets_pass(self, size: int) -> bool:
        """Return whether a probe of this size is answered; without probes it counts as so."""
        return self._probe is None or _is_answered(self._probe(size))

    def __call__(self, request: Request) -> RoundTripResult:
        """Send a request, and wait for its answer."""
        if self._exists is None:
            return self._send_parts(request.parts)
        for name in self._existence.unknown(request, self._clock()):
            answer = self._exists(name)
            if isinstance(answer, Reply):
                return RoundTripResult(read(answer, request.documents), 0, 0.0)
            self._existence.learn(name, answer, self._clock())
        absent = self._existence.absent(request)
        result = self._send_parts(parts_without(request, absent))
        reading = self._existence.join(result.reading, absent, request.documents)
        return result._replace(reading=reading)

    def _send_parts(self, parts: list[RequestPart]) -> RoundTripResult:
        request = Request(parts)
        if not request.documents:
            return RoundTripResult(Items([]), 0, 0.0)
        columns = [part.batch.columns(part.positions) for part in parts]
        body = BulkBody(self._lines, columns, request.size)
        result = self._send_body(body, request.documents)
        if not isinstance(result.reading, Items):
            return result
        items = reject_id_collisions(parts, result.reading)
        failed = claims.failed_claims(parts, items, self._index)
        return result._replace(reading=self._settle_claims(failed, items) if failed else items)

    def _send_body(self, body: BulkBody, documents: int) -> RoundTripResult:
        started_at = self._clock()
        reply = self._send(body)
        seconds = self._clock() - started_at
        self._observer.requested(documents, body.size, seconds)
        return RoundTripResult(read(reply, documents), body.size, seconds)

    def _settle_claims(self, failed: list[claims.Claimed], items: Items) -> Items:
        """Read the stored documents of failed claims, and replace those that the claims allow.

        The replacement has a condition: the stored document is still the one that was read.
        """
        reply = self._read(claims.question(failed))
        items, replace = claims.resolve(failed, items, reply)
        if not replace:
            return items
        sources, heads = list[bytes](), list[bytes]()
        for one, found in replace:
            [source], head = one.part.batch.columns([one.position])
            assert head is not None, "a claimed document has a head of its own"
            sources.append(source)
            heads.append(replacing(head[0], found.sequence_number, found.primary_term))
        size = sum(len(line) + 1 for line in (*heads, *sources))
        body = BulkBody(self._lines, [(sources, heads)], size)
        reading = self._send_body(body, len(sources)).reading
        return claims.replaced([one for one, _ in replace], items, reading)


def _is_answered(reply: Reply) -> bool:
    """Return whether a probe has reached something that works, and is not too large for it."""
    return reply.status is not None and reply.status < 500 and reply.status not in (413, 429)


def _passes(reply: Reply) -> bool:
    """Return whether a probe has reached Elasticsearch: it answers that the request is empty."""
    reading = read(reply, 0)
    return isinstance(reading, Items) or (
        isinstance(reading, RefusedRequest) and reading.status == 400
    )
