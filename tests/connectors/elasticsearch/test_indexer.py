"""Documents are sent in the background until each is stored or refused."""

from __future__ import annotations

import itertools
import json
import logging
import random
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.elasticsearch.bulk_request import BulkBody
from connectors.elasticsearch.bulk_response import Reply
from connectors.elasticsearch.indexer import Indexer
from connectors.elasticsearch.isolate import LATE
from connectors.elasticsearch.round_trip import ClusterCalls
from connectors.message import Answer, Documents, SinkPace, SinkState
from tests.effort import EFFORT
from tests.waiting import until

STORED = Reply(200, b"")
"""In a script: store the documents, and answer so."""
NOTHING_TO_DO = Reply(400, b'{"error":{"type":"no requests added"}}')
RESET = Reply(None, b"ConnectionError: reset", cut=True)
SMALL = 100
"""Documents of this size wait for others to share a request."""


class Cluster:
    """Answers bulk requests as scripted, and otherwise as a healthy Elasticsearch."""

    def __init__(self) -> None:
        self.script: list[Callable[[list[Any]], Reply] | Reply] = []
        self.requests: list[list[Any]] = []
        """The documents of each request, in order of arrival."""
        self.stored: Counter[int] = Counter()
        self.open = threading.Event()
        self.open.set()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    def send(self, body: BulkBody) -> Reply:
        documents = [json.loads(line) for line in b"".join(body).split(b"\n")[1::2]]
        with self._lock:
            self.requests.append(documents)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            answer = self.script.pop(0) if self.script else STORED
        self.open.wait(20)
        with self._lock:
            self._at_once -= 1
            reply = answer(documents) if callable(answer) else answer
            return self.store(documents) if reply is STORED else reply

    def read(self, question: bytes) -> Reply:
        raise AssertionError("nothing is claimed here")

    def store(self, documents: list[Any], statuses: dict[int, int] | None = None) -> Reply:
        """Store all documents but those with these numbers, which get another status than 201."""
        items = []
        for document in documents:
            status = (statuses or {}).get(document["n"], 201)
            self.stored[document["n"]] += status == 201
            error = {} if status < 300 else {"error": {"type": f"because_{status}"}}
            items.append({"index": {"status": status, **error}})
        errors = any("error" in item["index"] for item in items)
        return Reply(200, json.dumps({"errors": errors, "items": items}).encode())


class CollectedAnswers:
    """The answers to one submission."""

    def __init__(self) -> None:
        self.stored: list[int] = []
        self.rejected: dict[int, str] = {}

    def __call__(self, answer: Answer) -> None:
        self.stored += answer.stored
        self.rejected |= {position: why.reason for position, why in answer.rejected}

    def __len__(self) -> int:
        return len(self.stored) + len(self.rejected)


def documents(first: int, count: int, size: int = 100_000) -> Documents:
    padding = "x" * (size // count)
    sources = [
        json.dumps({"n": n, "padding": padding}).encode() for n in range(first, first + count)
    ]
    return Documents(sources, None, None)


Build = Callable[..., Indexer]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def build(cluster: Cluster) -> Iterator[Build]:
    """Make an indexer whose retries are due at once."""
    built = []

    def make(
        concurrency: int = 4,
        linger_seconds: float = 60.0,
        probe: Callable[[int], Reply] | None = None,
        exists: Callable[[str], bool | Reply] | None = None,
        **options: Any,
    ) -> Indexer:
        options = {"action": "index", "max_bytes": 10**6, "draw": lambda: 0.0, **options}
        built.append(
            Indexer(
                ClusterCalls(cluster.send, cluster.read, probe, exists),
                index="events",
                concurrency=concurrency,
                linger_seconds=linger_seconds,
                **options,
            )
        )
        return built[-1]

    yield make
    cluster.open.set()
    for indexer in built:
        indexer.close()


def occupy(indexer: Indexer, cluster: Cluster) -> None:
    """Keep a request in flight until the cluster opens."""
    cluster.open.clear()
    indexer.submit(documents(-1, 1), CollectedAnswers())
    until(lambda: len(cluster.requests) == 1)


def test_a_window_is_one_request(cluster: Cluster, build: Build) -> None:
    answers = CollectedAnswers()

    build().submit(documents(0, 1000), answers)

    until(lambda: len(answers) == 1000)
    assert answers.stored == [*range(1000)]
    assert [len(request) for request in cluster.requests] == [1000]


def test_small_windows_share_a_request_and_get_answers_for_their_own_documents(
    cluster: Cluster, build: Build
) -> None:
    indexer, answers = build(), [CollectedAnswers() for _ in range(3)]
    occupy(indexer, cluster)
    for n, each in enumerate(answers):
        indexer.submit(documents(n * 10, n + 1, SMALL), each)

    cluster.open.set()

    until(lambda: all(answers))
    assert [each.stored for each in answers] == [[0], [0, 1], [0, 1, 2]]
    assert [[document["n"] for document in request] for request in cluster.requests[1:]] == [
        [0, 10, 11, 20, 21, 22]
    ]


def test_a_small_window_is_sent_at_once(cluster: Cluster, build: Build) -> None:
    indexer, answers = build(), CollectedAnswers()
    for n in range(5):
        indexer.submit(documents(n, 1, SMALL), answers)
        until(lambda: len(answers) == n + 1)  # noqa: B023  # called before the next turn

    assert len(cluster.requests) == 5


def test_a_small_window_does_not_wait_long_for_a_slow_request(
    cluster: Cluster, build: Build
) -> None:
    indexer = build(linger_seconds=0.01)
    occupy(indexer, cluster)

    indexer.submit(documents(0, 1, SMALL), CollectedAnswers())

    until(lambda: len(cluster.requests) == 2)


def test_flush_ends_the_wait_for_a_shared_request(cluster: Cluster, build: Build) -> None:
    indexer = build()
    occupy(indexer, cluster)
    indexer.submit(documents(0, 1, SMALL), CollectedAnswers())

    indexer.flush()

    until(lambda: len(cluster.requests) == 2)


def test_no_thread_keeps_documents_that_are_stored(cluster: Cluster, build: Build) -> None:
    """With few documents of many megabytes, that would be as much as `memory`."""
    indexer, answers = build(), CollectedAnswers()
    one = documents(0, 1)
    indexer.submit(one, answers)
    until(lambda: len(answers) == 1)

    [source] = one.sources
    del one
    until(lambda: sys.getrefcount(source) == 2)  # this variable and the argument


def test_a_submission_without_documents_sends_nothing(cluster: Cluster, build: Build) -> None:
    indexer, answers = build(), CollectedAnswers()
    indexer.submit(Documents([], None, None), answers)
    indexer.submit(documents(0, 1), answers)

    until(lambda: len(answers) == 1)
    assert len(cluster.requests) == 1


@pytest.mark.parametrize("concurrency", [1, 4])
def test_up_to_concurrency_requests_are_in_flight(
    cluster: Cluster, build: Build, concurrency: int
) -> None:
    indexer, answers = build(concurrency), [CollectedAnswers() for _ in range(10)]
    cluster.open.clear()
    for each in answers:
        indexer.submit(documents(0, 1), each)

    until(lambda: len(cluster.requests) == concurrency)
    cluster.open.set()
    until(lambda: all(answers))
    assert cluster.most_at_once == concurrency


def test_pace_reports_what_may_be_in_flight(cluster: Cluster, build: Build) -> None:
    indexer = build(concurrency=4, max_bytes=1_000_000)
    assert indexer.pace() == SinkPace(0, 4, 1_000_000)

    occupy(indexer, cluster)
    assert indexer.pace().in_flight == 1
    cluster.open.set()
    indexer.limit(500_000)

    assert indexer.pace().max_bytes == 500_000
    until(lambda: indexer.pace().in_flight == 0)


def test_submitting_never_waits(cluster: Cluster, build: Build) -> None:
    indexer = build()
    cluster.open.clear()

    for n in range(1000):
        indexer.submit(documents(n, 1, SMALL), CollectedAnswers())

    assert not cluster.stored


def test_with_one_request_at_a_time_failures_keep_the_order(cluster: Cluster, build: Build) -> None:
    """A document of an earlier window never overwrites one of a later window."""
    indexer, answers = build(concurrency=1), [CollectedAnswers() for _ in range(20)]
    stored: list[int] = []

    def store(documents: list[Any]) -> Reply:
        statuses = {d["n"]: 429 for d in documents if d["n"] % 2 and random.random() < 0.7}
        stored.extend(d["n"] // 2 for d in documents if d["n"] not in statuses)
        return cluster.store(documents, statuses)

    cluster.script = [store if n % 4 else Reply(503, b"") for n in range(400)]
    for n, each in enumerate(answers):
        indexer.submit(documents(2 * n, 2), each)

    until(lambda: all(len(each) == 2 for each in answers))
    assert stored == sorted(stored)


def test_only_throttled_documents_are_retried(cluster: Cluster, build: Build) -> None:
    cluster.script = [lambda documents: cluster.store(documents, {1: 429, 3: 503})] * 3
    answers = CollectedAnswers()

    build().submit(documents(0, 5), answers)

    until(lambda: len(answers) == 5)
    assert sorted(answers.stored) == [0, 1, 2, 3, 4]
    assert [[d["n"] for d in request] for request in cluster.requests] == [
        [0, 1, 2, 3, 4],
        *[[1, 3]] * 3,
    ]


def test_throttled_documents_share_requests(cluster: Cluster, build: Build) -> None:
    """With the longest delays. If each window retried alone, 20 windows would take 140 requests.

    The number of requests depends on the threads: 28 to 42 on a busy machine.
    """
    chance = random.Random(7)

    def store(documents: list[Any]) -> Reply:
        throttled = {d["n"]: 429 for d in documents if chance.random() < 0.2}
        return cluster.store(documents, throttled)

    cluster.script = [store] * 1000
    indexer, answers = build(draw=lambda: 1.0), [CollectedAnswers() for _ in range(20)]
    for n, each in enumerate(answers):
        indexer.submit(documents(n * 1000, 1000), each)

    until(lambda: all(len(each) == 1000 for each in answers), timeout=20)
    assert set(cluster.stored.values()) == {1}
    assert len(cluster.requests) < 3 * 20


def test_one_bad_document_rejects_only_itself(cluster: Cluster, build: Build) -> None:
    cluster.script = [lambda documents: cluster.store(documents, {7: 400})]
    answers = CollectedAnswers()

    build().submit(documents(0, 10), answers)

    until(lambda: len(answers) == 10)
    assert answers.rejected == {7: "because_400"}


def test_a_request_that_is_too_large_is_halved(cluster: Cluster, build: Build) -> None:
    def store(documents: list[Any]) -> Reply:
        size = sum(len(document["padding"]) for document in documents)
        return Reply(413, b"") if size > 30_000 else cluster.store(documents)

    cluster.script = [store] * 1000
    small, large = CollectedAnswers(), CollectedAnswers()
    indexer = build()
    indexer.submit(documents(0, 100), small)
    indexer.submit(documents(100, 2, size=100_000), large)

    until(lambda: len(small) + len(large) == 102)
    assert sorted(small.stored) == [*range(100)]
    assert large.rejected == dict.fromkeys((0, 1), "the request is too large")


def test_a_request_that_is_too_large_is_not_sent_twice(
    cluster: Cluster, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    """The limit is learned from the first answer, and logged."""
    caplog.set_level(logging.INFO)

    def store(documents: list[Any]) -> Reply:
        size = sum(len(document["padding"]) for document in documents)
        return Reply(413, b"") if size > 60_000 else cluster.store(documents)

    cluster.script = [store] * 1000
    indexer = build(concurrency=1)
    answers = [CollectedAnswers() for _ in range(5)]
    for n, each in enumerate(answers, start=1):
        indexer.submit(documents(n * 100, 100), each)

    until(lambda: all(len(each) == 100 for each in answers))
    assert [len(request) for request in cluster.requests] == [100, *[50] * 10]
    assert caplog.messages == [
        "bulk requests are limited to 51 KiB from now on: the request is too large"
    ]


def test_large_requests_that_break_the_connection_become_smaller(
    cluster: Cluster, build: Build
) -> None:
    def store(documents: list[Any]) -> Reply:
        size = sum(len(document["padding"]) for document in documents)
        return RESET if size > 2_000_000 else cluster.store(documents)

    cluster.script = [store] * 1000
    answers = CollectedAnswers()

    indexer = build(
        max_bytes=10**7, probe=lambda size: RESET if size > 2_000_000 else NOTHING_TO_DO
    )
    indexer.submit(documents(0, 100, size=5_000_000), answers)

    until(lambda: len(answers) == 100)
    assert sorted(answers.stored) == [*range(100)]


def test_a_size_limit_that_is_known_is_kept(cluster: Cluster, build: Build) -> None:
    indexer, answers = build(), CollectedAnswers()

    indexer.limit(60_000)
    indexer.submit(documents(0, 100), answers)

    until(lambda: len(answers) == 100)
    assert sorted(len(request) for request in cluster.requests) == [43, 57]


def test_one_document_cannot_keep_the_others_from_being_stored(
    cluster: Cluster, build: Build
) -> None:
    def store(documents: list[Any]) -> Reply:
        if any(document["n"] == 600 for document in documents):
            return Reply(400, b'{"error":{"type":"malformed"}}')
        return cluster.store(documents)

    cluster.script = [store] * 1000
    answers = CollectedAnswers()

    build().submit(documents(0, 1000), answers)

    until(lambda: len(answers) == 1000)
    assert answers.rejected == {600: "malformed"}
    assert set(cluster.stored.values()) == {1}


BLOCKED = Reply(403, b"<h1>Request blocked</h1>", headers={"content-type": "text/html"})


def refusing(cluster: Cluster, culprits: set[int], reply: Reply) -> Callable[[list[Any]], Reply]:
    """A firewall that refuses some of the documents."""

    def answer(documents: list[Any]) -> Reply:
        if culprits.intersection(document["n"] for document in documents):
            return reply
        return cluster.store(documents)

    return answer


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(
    "reply",
    [
        BLOCKED,
        replace(BLOCKED, status=400),
        replace(BLOCKED, status=500),
        replace(BLOCKED, status=200),
        replace(BLOCKED, status=302),
        replace(BLOCKED, status=502),
        Reply(406, b'{"error":"Content-Type","status":406}'),
        RESET,
    ],
)
def test_a_document_that_a_proxy_refuses_is_rejected_alone(
    cluster: Cluster, build: Build, reply: Reply, concurrency: int
) -> None:
    """All other documents are stored, although Elasticsearch never sees this one."""
    cluster.script = [refusing(cluster, {7, 333}, reply)] * 1000
    answers = [CollectedAnswers() for _ in range(5)]
    indexer = build(concurrency, probe=lambda _: NOTHING_TO_DO)
    for n, each in enumerate(answers):
        indexer.submit(documents(n * 100, 100), each)

    until(lambda: all(len(each) == 100 for each in answers))
    parked = {
        n * 100 + at: why for n, each in enumerate(answers) for at, why in each.rejected.items()
    }
    assert sorted(parked) == [7, 333]
    assert all(reason.startswith("refused: alone in a request") for reason in parked.values())
    assert sorted(cluster.stored.elements()) == [n for n in range(500) if n not in (7, 333)]


def test_other_requests_that_pass_are_enough_evidence(cluster: Cluster, build: Build) -> None:
    """Without any probe, or if the probe is refused too."""
    cluster.script = [refusing(cluster, {0}, BLOCKED)] * 10_000
    indexer, first, others = build(probe=lambda _: BLOCKED), CollectedAnswers(), CollectedAnswers()
    indexer.submit(documents(0, 4), first)

    def stored() -> bool:
        indexer.submit(documents(1000, 1), others)
        return len(first) == 4

    until(stored)
    assert [*first.rejected] == [0]


@pytest.mark.parametrize("late", [False, True])
def test_when_everything_is_refused_nothing_is_rejected(
    cluster: Cluster, build: Build, late: bool
) -> None:
    """By a login page, by a proxy without its server, or by a timeout."""
    reply = Reply(None, b"timed out", late=True) if late else BLOCKED
    answers = [CollectedAnswers() for _ in range(5)]
    refusals = len(answers) * 2 * LATE.reject_at
    cluster.script = [reply] * refusals
    indexer = build(probe=lambda _: reply, max_bytes=1000)  # each document is a request
    for n, each in enumerate(answers):
        indexer.submit(documents(n, 1, size=1000), each)

    until(lambda: all(answers))
    assert not any(each.rejected for each in answers)
    assert len(cluster.requests) == refusals + len(answers)


def test_wrong_credentials_reject_no_document(cluster: Cluster, build: Build) -> None:
    """Elasticsearch accepts probes of every user whom it knows."""
    shut_out = Reply(403, b'{"error":{"type":"security_exception"},"status":403}')
    cluster.script = [shut_out] * 100
    answers = CollectedAnswers()

    build(probe=lambda _: NOTHING_TO_DO).submit(documents(0, 4), answers)

    until(lambda: len(answers) == 4)
    assert not answers.rejected
    assert {len(request) for request in cluster.requests} == {4}


def test_an_index_that_may_not_be_looked_up_rejects_no_document(
    cluster: Cluster, build: Build
) -> None:
    """No document was sent."""
    replies = iter([Reply(403, b"")] * 50)
    answers = CollectedAnswers()

    indexer = build(
        probe=lambda _: NOTHING_TO_DO, exists=lambda _: next(replies, True), concurrency=1
    )
    indexer.submit(documents(0, 1), answers)

    until(lambda: len(answers) == 1)
    assert answers.stored == [0]


def test_other_documents_are_sent_while_one_is_refused(cluster: Cluster, build: Build) -> None:
    """The refused one is retried later, and delays no other."""
    clock = itertools.count()
    cluster.script = [refusing(cluster, {0}, BLOCKED)] * 1000
    indexer = build(
        probe=lambda _: NOTHING_TO_DO, draw=lambda: 1.0, clock=lambda: next(clock) * 1e-9
    )
    refused, others = CollectedAnswers(), [CollectedAnswers() for _ in range(50)]
    indexer.submit(documents(0, 1), refused)
    until(lambda: len(cluster.requests) == 1)

    for n, each in enumerate(others, start=1):
        indexer.submit(documents(n, 1), each)

    until(lambda: all(others))
    assert len(refused) == 0
    assert [request[0]["n"] for request in cluster.requests].count(0) == 1


def test_a_document_that_may_be_stored_already_may_conflict_with_itself(
    cluster: Cluster, build: Build
) -> None:
    """Of two documents that conflict and have no `_id` of their own, one was sent before."""
    clash = b'{"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}}'
    conflict = Reply(200, b'{"errors":true,"items":[%s]}' % clash)
    cluster.script = [Reply(None, b"reset", cut=True), conflict, conflict]
    indexer, first, second = (
        build(concurrency=1, action="create"),
        CollectedAnswers(),
        CollectedAnswers(),
    )
    indexer.submit(documents(0, 1), first)
    until(lambda: len(first) == 1)
    indexer.submit(documents(1, 1), second)
    until(lambda: len(second) == 1)

    assert first.stored == [0]
    assert second.rejected[0].startswith("version_conflict: another document has the _id")


def test_state_reports_the_answers_of_elasticsearch(cluster: Cluster, build: Build) -> None:
    indexer, answers = build(concurrency=1), CollectedAnswers()
    assert indexer.state() == SinkState(True, None)
    says = []

    def note(reply: Reply) -> Callable[[list[Any]], Reply]:
        def answer(documents: list[Any]) -> Reply:
            says.append(indexer.state())
            return reply

        return answer

    busy = b'{"index":{"status":429,"error":{"type":"busy"}}}'
    replies = [
        Reply(None, b"refused"),
        Reply(401, b'{"error":{"type":"security_exception"}}'),
        Reply(200, b'{"errors":true,"items":[%s]}' % busy),
    ]
    cluster.script = [*map(note, replies), note(STORED)]
    indexer.submit(documents(0, 1), answers)
    until(lambda: len(says) == 4)

    assert says[1:] == [
        SinkState(False, "refused"),
        SinkState(True, "401 security_exception"),
        SinkState(True, "429 busy"),
    ]


@pytest.mark.parametrize(
    "failure",
    [
        Reply(None, b"ConnectionError: refused"),
        Reply(429, b""),
        Reply(503, b""),
        Reply(404, b""),
        Reply(200, b"<html>"),
        Reply(200, b'{"errors":false,"items":[]}'),
    ],
)
def test_a_cluster_that_is_down_is_waited_for(
    cluster: Cluster, build: Build, failure: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.script = [failure] * 50
    answers = CollectedAnswers()
    with caplog.at_level(logging.INFO, "hopper.elasticsearch"):
        build().submit(documents(0, 10), answers)
        until(lambda: len(answers) == 10)
        until(lambda: len(caplog.messages) == 2)

    assert sorted(answers.stored) == [*range(10)]
    assert "10 wait" in caplog.messages[0]
    assert "accepts documents again" in caplog.messages[1]


def test_a_refused_login_is_logged_as_an_error(
    cluster: Cluster, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.script = [Reply(401, b'{"error":{"type":"security_exception"}}')]
    answers = CollectedAnswers()

    build().submit(documents(0, 1), answers)

    until(lambda: len(answers) == 1)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "security_exception" in caplog.text


def test_while_the_cluster_is_down_one_request_at_a_time_is_sent(
    cluster: Cluster, build: Build
) -> None:
    down = [Reply(503, b"")] * 40
    cluster.script = [*down]
    indexer, answers = build(), [CollectedAnswers() for _ in range(8)]
    cluster.open.clear()
    for n, each in enumerate(answers):
        indexer.submit(documents(n, 1), each)
    until(lambda: len(cluster.requests) == 4)
    cluster.open.set()
    until(lambda: len(cluster.requests) > 8)
    cluster.most_at_once = 0

    until(lambda: all(answers))
    assert len(cluster.requests) == 48
    assert len(cluster.stored) == 8


@pytest.mark.parametrize("action", ["index", "update"])
@pytest.mark.parametrize("seed", range(3))
def test_no_document_overtakes_another_with_its_id(
    cluster: Cluster, build: Build, action: str, seed: int
) -> None:
    """With four requests in flight, of which documents are throttled at random."""
    chance = random.Random(seed)
    seen: dict[str, list[int]] = defaultdict(list)

    def store(lines: list[Any]) -> Reply:
        documents = [line.get("doc", line) for line in lines]
        statuses = {d["n"]: 429 for d in documents if chance.random() < 0.3}
        for document in documents:
            if document["n"] not in statuses:
                seen[document["name"]].append(document["n"])
        return cluster.store(documents, statuses)

    def misbehave(lines: list[Any]) -> Reply:
        what = chance.random()
        if what < 0.2:
            return Reply(503, b"") if what < 0.1 or len(lines) == 1 else Reply(413, b"")
        return store(lines)

    cluster.script = [*[misbehave] * 300, *[store] * 10_000]
    indexer, answers = build(linger_seconds=0.001, action=action), []
    for first in range(0, 1000, 20):
        names = [chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(20)]
        sources = [
            b'{"n":%d,"name":"%s"}' % (first + n, name.encode()) for n, name in enumerate(names)
        ]
        answers.append(CollectedAnswers())
        indexer.submit(Documents(sources, None, [*names]), answers[-1])

    until(lambda: all(len(each) == 20 for each in answers), timeout=60)
    assert not any(each.rejected for each in answers)
    for numbers in seen.values():
        assert numbers == sorted(set(numbers))
    if action == "update":
        assert sorted(n for numbers in seen.values() for n in numbers) == [*range(1000)]


@pytest.mark.parametrize("wait", [False, True])
def test_a_missing_index_is_not_created(cluster: Cluster, build: Build, wait: bool) -> None:
    """Its documents are rejected, or wait until the index exists."""
    there, looks = {"a"}, Counter[str]()

    def exists(name: str) -> bool | Reply:
        looks[name] += 1
        if looks[name] == 1:
            return Reply(503, b"")
        if wait and looks[name] > 3:
            there.add(name)
        return name in there

    clock = itertools.count()  # so that the result of a look-up expires soon
    indexer = build(
        exists=exists, wait_for_index=wait, clock=lambda: next(clock) / 10, concurrency=1
    )
    answers = CollectedAnswers()
    indices: list[str | None] = ["a", "b", "a"]
    indexer.submit(documents(0, 3)._replace(indices=indices), answers)

    until(lambda: len(answers) == 3)
    if wait:
        assert sorted(answers.stored) == [0, 1, 2]
    else:
        assert sorted(answers.stored) == [0, 2]
        assert answers.rejected == {1: "index_not_found_exception: no such index [b]"}
    assert set(cluster.stored.values()) == {1}


def test_if_no_index_exists_nothing_is_sent(cluster: Cluster, build: Build) -> None:
    answers = CollectedAnswers()

    build(exists=lambda _: False).submit(documents(0, 3), answers)

    until(lambda: len(answers) == 3)
    assert list(answers.rejected) == [0, 1, 2]
    assert not cluster.requests


def test_withdrawn_documents_are_not_sent(cluster: Cluster, build: Build) -> None:
    indexer, gone, kept = build(), CollectedAnswers(), CollectedAnswers()
    occupy(indexer, cluster)
    withdraw = indexer.submit(documents(0, 1, SMALL), gone)
    indexer.submit(documents(1, 1, SMALL), kept)

    withdraw()
    cluster.open.set()

    until(lambda: len(kept) == 1)
    assert list(cluster.stored) == [-1, 1]
    assert len(gone) == 0


def test_documents_withdrawn_in_flight_get_no_answer(cluster: Cluster, build: Build) -> None:
    indexer, gone, kept = build(concurrency=1), CollectedAnswers(), CollectedAnswers()
    cluster.open.clear()
    cluster.script = [lambda documents: cluster.store(documents, {1: 429})]
    withdraw = indexer.submit(documents(0, 2), gone)
    indexer.submit(documents(2, 1), kept)
    until(lambda: cluster.requests)

    withdraw()
    cluster.open.set()

    until(lambda: len(kept) == 1)
    assert len(gone) == 0
    assert sorted(cluster.stored.elements()) == [0, 2]


def test_a_reply_may_withdraw_the_other_documents(cluster: Cluster, build: Build) -> None:
    received: list[Answer] = []
    indexer = build(max_bytes=60_000)

    def reply(answer: Answer) -> None:
        received.append(answer)
        withdraw()

    withdraw = indexer.submit(documents(0, 2, 100_000), reply)
    other = CollectedAnswers()
    indexer.submit(documents(2, 1), other)

    until(lambda: len(other) == 1 and received)
    assert len(received) == 1


def test_a_document_of_more_than_one_line_is_refused_at_once(build: Build) -> None:
    with pytest.raises(AssertionError, match="more than one line"):
        build().submit(Documents([b'{"n":\n1}'], None, None), CollectedAnswers())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_ends_the_job(cluster: Cluster, build: Build) -> None:
    def defect(documents: list[Any]) -> Reply:
        raise ZeroDivisionError

    cluster.script = [defect]
    indexer = build(concurrency=1)
    indexer.submit(documents(0, 1), CollectedAnswers())

    def broken() -> bool:
        try:
            indexer.flush()
        except AssertionError:
            return True
        return False

    until(broken)
    with pytest.raises(AssertionError, match="died"):
        indexer.submit(documents(1, 1), CollectedAnswers())


def test_close_ends_the_threads_and_forgets_the_documents(cluster: Cluster, build: Build) -> None:
    indexer, answers = build(), CollectedAnswers()
    before = threading.enumerate()
    occupy(indexer, cluster)
    indexer.submit(documents(0, 1, SMALL), answers)
    assert len(started_since(before)) == 2

    indexer.close()
    cluster.open.set()

    until(lambda: not started_since(before))
    assert len(cluster.requests) == 1
    assert len(answers) == 0


def test_sequential_requests_need_only_one_thread(build: Build) -> None:
    """Each thread takes memory, so the indexer starts one only when it is needed."""
    indexer, answers, before = build(), CollectedAnswers(), threading.enumerate()
    indexer.flush()
    assert not started_since(before)

    for n in range(20):
        indexer.submit(documents(n, 1), answers)
        until(lambda: len(answers) == n + 1)  # noqa: B023  # called before the next turn

    assert len(started_since(before)) == 1


def started_since(before: Sequence[threading.Thread]) -> list[threading.Thread]:
    """The threads that run now and did not then: those of earlier tests may end meanwhile."""
    return [thread for thread in threading.enumerate() if thread not in before]


def test_an_unused_indexer_can_be_closed(build: Build) -> None:
    build().close()


def test_an_observer_sees_each_request_and_its_result(cluster: Cluster, build: Build) -> None:
    received: list[tuple[str, int, int | None]] = []
    ended: list[tuple[Sequence[Any], int, str]] = []

    class HeardObserver:
        def requested(self, documents: int, size_bytes: int, seconds: float) -> None:
            assert size_bytes > 100_000
            assert seconds >= 0
            received.append(("requested", documents, None))

        def retried(self, documents: int, status: int | None) -> None:
            received.append(("retried", documents, status))

        def rejected(self, documents: int, status: int | None) -> None:
            received.append(("rejected", documents, status))

        def in_failure_store(self, documents: int) -> None:
            received.append(("in_failure_store", documents, None))

        def ended(self, about: Sequence[Any], documents: int, seconds: float, failure: str) -> None:
            assert seconds >= 0
            ended.append((about, documents, failure))

    cluster.script = [
        Reply(None, b"refused"),
        lambda documents: cluster.store(documents, {0: 400, 1: 400, 2: 404}),
    ]
    answers = CollectedAnswers()
    some = documents(0, 4)._replace(about="a group")
    build(concurrency=1, observer=HeardObserver()).submit(some, answers)

    until(lambda: len(answers) == 4)
    assert ended == [(["a group"], 4, "no answer: refused"), (["a group"], 4, "")]
    assert received == [
        ("requested", 4, None),
        ("retried", 4, None),
        ("requested", 4, None),
        ("rejected", 2, 400),
        ("rejected", 1, 404),
    ]


@pytest.mark.parametrize("seed", range(EFFORT.seeds))
def test_each_document_is_answered_once_whatever_happens(
    cluster: Cluster, build: Build, seed: int
) -> None:
    """Four threads submit windows of all sizes to a cluster that fails in every way."""
    chance = random.Random(seed)

    def misbehave(documents: list[Any]) -> Reply:
        what = chance.random()
        if what < 0.3:
            return chance.choice([Reply(None, b""), Reply(429, b""), Reply(503, b"")])
        if what < 0.4:
            return chance.choice([Reply(413, b""), Reply(200, b"{")])
        statuses = {d["n"]: 429 for d in documents if chance.random() < 0.2}
        statuses |= {d["n"]: 400 for d in documents if d["n"] % 17 == 0}
        return cluster.store(documents, statuses)

    cluster.script = [misbehave] * 300
    indexer = build(linger_seconds=0.001, max_bytes=200_000)
    submitted: list[tuple[int, int, CollectedAnswers]] = []
    for first in range(0, 2000, 40):
        submitted.append((first, chance.randint(1, 40), CollectedAnswers()))

    def submit(some: list[tuple[int, int, CollectedAnswers]]) -> None:
        for first, count, answers in some:
            size = 100_000 if first % 3 else SMALL
            indexer.submit(documents(first, count, size), answers)

    threads = [threading.Thread(target=submit, args=(submitted[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    until(lambda: all(len(answers) == count for _, count, answers in submitted))
    for first, count, answers in submitted:
        assert sorted([*answers.stored, *answers.rejected]) == [*range(count)]
        assert all(cluster.stored[first + position] == 1 for position in answers.stored)
        for position, reason in answers.rejected.items():
            assert "large" in reason or (reason == "because_400" and (first + position) % 17 == 0)
