"""A proxy's limit for the size of requests is learned, and an outage lowers none for good."""

from __future__ import annotations

import itertools
import threading
from contextlib import closing
from math import inf

import hypothesis
import pytest
from hypothesis import strategies as st

from connectors.elasticsearch.bulk_request import BulkBody
from connectors.elasticsearch.bulk_response import Reply
from connectors.elasticsearch.indexer import Indexer
from connectors.elasticsearch.request import Batch, Request, RequestPart
from connectors.elasticsearch.round_trip import ClusterCalls
from connectors.elasticsearch.size_limit import (
    MIN_CUT_BYTES,
    PRECISION,
    SEARCHES,
    SIGNS_TO_HALVE,
    SIGNS_TO_REJECT,
    SizeLimit,
    is_size_at_fault,
)
from connectors.message import Answer, Documents
from tests.waiting import until

MIB = 1024**2

BROKEN = Reply(None, b"ConnectionError: reset", cut=True)
AWAY = Reply(None, b"ConnectionError: refused")
PROXY_ALONE = Reply(502, b"<h1>Bad Gateway</h1>")
NOTHING_TO_DO = Reply(400, b'{"error":{"type":"no requests added"}}')


def request(documents: int) -> Request:
    sources = [b"x" * 1000] * documents
    return Request([RequestPart(Batch(Documents(sources, None, None), None, 0), range(documents))])


@pytest.mark.parametrize(("documents", "signs"), [(2, SIGNS_TO_HALVE), (1, SIGNS_TO_REJECT)])
def test_the_size_is_at_fault_when_only_small_requests_pass_each_time(
    documents: int, signs: int
) -> None:
    some = request(documents)

    assert [is_size_at_fault(some, True) for _ in range(signs)] == [*[False] * (signs - 1), True]


@hypothesis.given(st.lists(st.booleans()))
def test_any_other_result_of_a_request_begins_the_count_anew(results: list[bool]) -> None:
    some = request(2)
    for number, only_small in enumerate(results, start=1):
        last = results[:number][-SIGNS_TO_HALVE:]
        at_fault = is_size_at_fault(some, only_small)
        assert at_fault == (len(last) == SIGNS_TO_HALVE and all(last))


def test_a_limit_that_elasticsearch_names_holds_for_good() -> None:
    for limit in (SizeLimit(1000), SizeLimit(600)):
        limit.limit(800)
        limit.lower(500, too_large=1000, status=413, now=1.0)

        assert limit.max_bytes == 500
        assert not limit.starts_search(now=1e9)


def test_a_limit_from_a_broken_connection_is_tried_again_ever_less_often() -> None:
    limit, now, pauses = SizeLimit(1000), 0.0, list[float]()
    assert limit.lower(500, too_large=1000, status=None, now=now)
    for _ in range(9):
        before = now
        while not limit.starts_search(now):
            now += 60.0
        pauses.append(now - before)
        assert not limit.end_search(limit.search(lambda size: size <= 500), now)

    assert limit.max_bytes == 500
    assert pauses[:3] == [SEARCHES.first, 2 * SEARCHES.first, 4 * SEARCHES.first]
    assert pauses[-1] == SEARCHES.limit


def test_after_a_request_of_that_size_the_next_limit_is_tried_again_soon() -> None:
    limit = SizeLimit(1000)
    for now in (0.0, 1000.0, 2000.0):
        limit.lower(500, too_large=900, status=None, now=now)
        assert not limit.starts_search(now + SEARCHES.first - 1)
        assert limit.starts_search(now + SEARCHES.first)
        assert limit.end_search(limit.search(lambda _: True), now + SEARCHES.first)
        limit.stored(899)
        limit.stored(900)


@hypothesis.given(
    ceiling=st.integers(2, 10**8), allowed=st.integers(1, 10**8), steps=st.integers(1, 20)
)
def test_a_search_finds_the_largest_size_that_passes(
    ceiling: int, allowed: int, steps: int
) -> None:
    limit, asked = SizeLimit(ceiling), list[int]()
    low = max(1, min(allowed, ceiling) >> steps)
    limit.lower(low, too_large=ceiling, status=None, now=0.0)

    def passes(size: int) -> bool:
        asked.append(size)
        return size <= allowed

    limit.end_search(limit.search(passes), now=100.0)

    assert limit.max_bytes <= min(allowed, ceiling)
    assert limit.max_bytes * (PRECISION + 1) >= min(allowed, ceiling) * PRECISION - PRECISION
    assert len(asked) <= (ceiling // low).bit_length() + 5


DOCUMENT = b'{"text":"%s"}' % (b"x" * (128 * 1024))
WINDOW = Documents([DOCUMENT] * 32, None, None)
"""4 MiB: every limit that is tested is smaller or equal."""


class ProxiedCluster:
    """A healthy Elasticsearch behind a proxy with a limit.

    First come faults, one to each request and probe; `None`: it passes.
    """

    def __init__(self, limit: float, faults: list[Reply | None]) -> None:
        self.limit, self.faults = limit, faults
        self._lock = threading.Lock()
        self.sent: list[int] = []
        """Sizes of the requests with documents."""

    def send(self, body: BulkBody) -> Reply:
        documents = body.size // len(DOCUMENT)
        self.sent.append(body.size)
        item = b'{"index":{"status":201}}'
        answer = b'{"errors":false,"items":[%s]}' % b",".join([item] * documents)
        return self._pass(body.size, Reply(200, answer))

    def probe(self, size: int) -> Reply:
        return self._pass(size, NOTHING_TO_DO)

    def read(self, question: bytes) -> Reply:
        raise AssertionError("nothing is claimed here")

    def indexer(self, concurrency: int = 1, max_bytes: int = 4 * MIB) -> Indexer:
        """An indexer whose retries are due at once, with a clock that runs fast."""
        clock = itertools.count()
        return Indexer(
            ClusterCalls(self.send, self.read, self.probe),
            action="index",
            index="events",
            concurrency=concurrency,
            max_bytes=max_bytes,
            clock=lambda: next(clock) * 20.0,
            draw=lambda: 0.0,
        )

    def _pass(self, size: int, answer: Reply) -> Reply:
        with self._lock:
            fault = self.faults.pop(0) if self.faults else None
        return fault or (BROKEN if size > self.limit else answer)


def store(indexer: Indexer, documents: Documents = WINDOW) -> dict[int, str]:
    """Submit documents, wait until each has its answer, and return which are rejected."""
    left, done, rejected = {*range(len(documents.sources))}, threading.Event(), dict[int, str]()

    def answered(answer: Answer) -> None:
        rejected.update((position, why.reason) for position, why in answer.rejected)
        left.difference_update(answer.stored, (position for position, _ in answer.rejected))
        if not left:
            done.set()

    indexer.submit(documents, answered)
    assert done.wait(20)
    return rejected


FAULTS = st.lists(
    st.tuples(st.sampled_from([None, BROKEN, BROKEN, AWAY, PROXY_ALONE]), st.integers(1, 8)),
    max_size=12,
).map(lambda runs: [fault for fault, times in runs for _ in range(times)])
"""Runs of the same fault, or of none."""


@hypothesis.given(
    faults=FAULTS,
    limit=st.one_of(st.just(inf), st.integers(5 * MIB // 4, 4 * MIB)),
    concurrency=st.sampled_from([1, 4]),
)
def test_after_any_outages_requests_are_as_large_as_the_proxy_allows(
    faults: list[Reply | None], limit: float, concurrency: int
) -> None:
    """Exact to an eighth; no document is rejected."""
    cluster = ProxiedCluster(limit, faults)
    ceiling = 4 * MIB + MIB // 2
    allowed = min(limit, ceiling)
    with closing(cluster.indexer(concurrency, ceiling)) as indexer:
        for _ in range(100):
            assert store(indexer) == {}
            reached = indexer.pace().max_bytes
            if not cluster.faults and allowed * 8 / 9 - 8 <= reached <= allowed:
                break
        else:
            pytest.fail(f"{reached} of {allowed}")


@pytest.mark.parametrize("fault", [BROKEN, AWAY, PROXY_ALONE])
def test_an_outage_is_no_limit(fault: Reply) -> None:
    """However long it is, and even if it begins at a large request."""
    for begins_at in range(4):
        cluster = ProxiedCluster(inf, [*[None] * begins_at, BROKEN, *[fault] * 200])
        with closing(cluster.indexer()) as indexer:
            for _ in range(8):
                assert store(indexer) == {}
                assert indexer.pace().max_bytes == 4 * MIB


def test_a_document_that_a_proxy_never_lets_pass_is_rejected_and_all_others_are_stored() -> None:
    cluster = ProxiedCluster(MIB + MIB // 2, [])
    sources = [DOCUMENT] * 8
    sources[3] = b'{"text":"%s"}' % (b"x" * (2 * MIB))
    with closing(cluster.indexer()) as indexer:
        rejected = store(indexer, Documents(sources, None, None))

    assert rejected == {3: "too large: ConnectionError: reset"}


def test_a_request_of_ordinary_size_that_breaks_the_connection_is_no_sign_of_a_limit() -> None:
    cluster = ProxiedCluster(MIN_CUT_BYTES // 2, [])
    answered = threading.Event()
    with closing(cluster.indexer()) as indexer:
        indexer.submit(Documents([DOCUMENT] * 7, None, None), lambda _: answered.set())
        until(lambda: len(cluster.sent) >= 50)

        assert indexer.pace().max_bytes == 4 * MIB
        cluster.limit = inf
        assert answered.wait(20)
