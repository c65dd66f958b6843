"""Which documents are sent next, and which of them share a request."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.elasticsearch.backlog import LINGER_SECONDS, SMALL_BYTES, Backlog
from connectors.elasticsearch.bulk_request import BulkBody, BulkLines
from connectors.elasticsearch.request import Batch, Request, RequestPart
from connectors.message import Documents

MAX = 10 * SMALL_BYTES
OVERHEAD = 14


def batch(*sizes: int) -> Batch:
    """Documents with these sizes in bytes in a request."""
    sources = [b"x" * (size - OVERHEAD) for size in sizes]
    return Batch(Documents(sources, None, None), None, OVERHEAD)


def backlog(max_bytes: int = MAX, ordered: bool = False) -> Backlog:
    return Backlog(max_bytes, ordered)


def content(request: Request | None) -> list[tuple[Batch, list[int]]] | None:
    if request is None:
        return None
    return [(part.batch, list(part.positions)) for part in request.parts]


def take_all(some: Backlog, now: float, in_flight: int = 0) -> list[list[tuple[Batch, list[int]]]]:
    found = []
    while (request := some.take(now, in_flight)) is not None:
        found.append([(part.batch, list(part.positions)) for part in request.parts])
    return found


def requeue_part(some: Backlog, part: RequestPart, due_at: float, refusals: int = 1) -> None:
    """Put one part of an answered request back, to retry it."""
    part.refusals = refusals
    some.finish(Request([part]), [(part, due_at)])


def test_an_empty_backlog_has_nothing_to_send() -> None:
    some = backlog()

    assert some.take(0.0, in_flight=0) is None
    assert some.due_at(in_flight=0) is None
    assert some.count() == 0


def test_a_large_batch_is_sent_at_once() -> None:
    some, window = backlog(), batch(SMALL_BYTES // 2, SMALL_BYTES // 2)
    some.add(window, 1.0)

    assert some.due_at(in_flight=0) == float("-inf")
    assert content(some.take(1.0, in_flight=0)) == [(window, [0, 1])]


def test_batches_are_sent_in_order_of_arrival() -> None:
    some = backlog()
    windows = [batch(SMALL_BYTES) for _ in range(5)]
    for window in windows:
        some.add(window, 1.0)

    assert take_all(some, 1.0) == [[(window, [0])] for window in windows]


def test_small_batches_wait_and_share_a_request() -> None:
    """They wait only while a request is in flight, and at most ten milliseconds."""
    some, first, second = backlog(), batch(100), batch(100, 100)
    some.add(first, 1.0)
    some.add(second, 1.004)

    assert some.due_at(in_flight=1) == 1.0 + LINGER_SECONDS
    assert some.take(1.004, in_flight=1) is None
    assert some.due_at(in_flight=0) == float("-inf")
    assert content(some.take(1.004, in_flight=0)) == [(first, [0]), (second, [0, 1])]


def test_small_batches_do_not_wait_long_for_a_slow_request() -> None:
    some, first, second = backlog(), batch(100), batch(100, 100)
    some.add(first, 1.0)
    some.add(second, 1.004)

    taken = some.take(1.0 + LINGER_SECONDS, in_flight=1)

    assert content(taken) == [(first, [0]), (second, [0, 1])]


def test_the_first_small_batch_is_sent_at_once() -> None:
    some, first = backlog(), batch(100)
    some.add(first, 1.0)

    assert content(some.take(1.0, in_flight=0)) == [(first, [0])]


def test_small_batches_wait_until_they_are_large_together() -> None:
    some, windows = backlog(), [batch(SMALL_BYTES // 4) for _ in range(4)]
    for window in windows[:3]:
        some.add(window, 1.0)
    assert some.take(1.0, in_flight=1) is None

    some.add(windows[3], 1.0)

    assert take_all(some, 1.0, in_flight=1) == [[(window, [0]) for window in windows]]


def test_small_batches_share_a_request_while_none_may_start() -> None:
    """As many as fit into a request: the wait costs nothing then."""
    some, windows = backlog(max_bytes=SMALL_BYTES), [batch(SMALL_BYTES // 4) for _ in range(6)]
    for window in windows:
        some.add(window, 1.0)

    assert take_all(some, 2.0, in_flight=4) == [
        [(window, [0]) for window in windows[:4]],
        [(window, [0]) for window in windows[4:]],
    ]


def test_a_large_batch_does_not_overtake_a_small_one() -> None:
    some, small, large = backlog(), batch(100), batch(SMALL_BYTES)
    some.add(small, 1.0)
    some.add(large, 1.0)

    assert take_all(some, 1.0) == [[(small, [0])], [(large, [0])]]


def test_flush_ends_the_wait() -> None:
    some, small = backlog(), batch(100)
    some.add(small, 1.0)

    some.flush()

    assert content(some.take(1.0, in_flight=1)) == [(small, [0])]


def test_a_large_batch_is_split_at_the_largest_request_size() -> None:
    some, window = backlog(max_bytes=1000), batch(400, 400, 400, 1000, 5000, 20, 980, 20)
    some.add(window, 1.0)

    cuts = [positions for ((_, positions),) in take_all(some, 1.0)]

    assert cuts == [[0, 1], [2], [3], [4], [5, 6], [7]]


@pytest.mark.parametrize("ids", [None, ["a", "bb", "ccc", "d"], ["a", None, "ü", '"']])
def test_sizes_are_those_in_the_request(ids: list[str | None] | None) -> None:
    lines, documents = BulkLines("create"), Documents([b"{}", b'{"n":1}', b"{}", b"{}"], None, ids)
    window = Batch(documents, lines.heads(documents), lines.overhead)

    for positions in (range(4), range(1, 3), [0, 3], [2]):
        size = window.size(positions)
        assert size == len(b"".join(BulkBody(lines, [window.columns(positions)], size)))


def test_a_retry_waits_until_it_is_due_and_is_sent_first() -> None:
    some, window, next_one = backlog(), batch(*[SMALL_BYTES] * 3), batch(SMALL_BYTES)
    some.add(window, 1.0)
    taken = some.take(1.0, in_flight=0)
    assert taken is not None
    requeue_part(some, taken.parts[0].only([1]), 3.0)
    some.add(next_one, 2.0)
    some.add(next_one, 2.0)

    assert content(some.take(2.9, in_flight=0)) == [(next_one, [0])]
    second = some.take(3.0, in_flight=0)
    assert content(second) == [(window, [1]), (next_one, [0])]
    assert second is not None
    assert second.parts[0].attempts == 2


def test_retries_of_one_kind_share_a_request() -> None:
    some, one, other = backlog(max_bytes=1000), batch(400), batch(400)
    for due_at, part in (
        (3.0, RequestPart(one, [0])),
        (2.0, RequestPart(other, [0])),
        (2.5, RequestPart(one, [0])),
    ):
        requeue_part(some, part, due_at)

    assert some.due_at(in_flight=0) == 2.0
    assert content(some.take(4.0, in_flight=0)) == [(other, [0]), (one, [0])]
    assert content(some.take(4.0, in_flight=0)) == [(one, [0])]


def test_a_retry_joins_the_next_request_if_most_documents_were_accepted() -> None:
    some, window, next_one = backlog(), batch(*[SMALL_BYTES] * 3), batch(SMALL_BYTES)
    requeue_part(some, RequestPart(window, [1]), 3.0, refusals=0)

    assert some.take(1.0, in_flight=1) is None
    some.add(next_one, 1.0)
    assert content(some.take(1.0, in_flight=1)) == [(window, [1]), (next_one, [0])]


def test_a_due_retry_waits_for_no_next_request() -> None:
    some, window = backlog(), batch(*[SMALL_BYTES] * 3)
    requeue_part(some, RequestPart(window, [1]), 3.0, refusals=0)

    assert some.due_at(in_flight=1) == 3.0
    assert content(some.take(3.0, in_flight=1)) == [(window, [1])]


def test_small_batches_join_the_request_of_a_retry() -> None:
    some, window, small = backlog(), batch(SMALL_BYTES), batch(100)
    requeue_part(some, RequestPart(window, [0]), 3.0)
    some.add(small, 3.0)

    assert content(some.take(3.0, in_flight=1)) == [(window, [0]), (small, [0])]


def test_joining_documents_do_not_exceed_the_largest_request_size() -> None:
    some, window, next_one = backlog(max_bytes=1000), batch(600), batch(600)
    requeue_part(some, RequestPart(window, [0]), 3.0, refusals=0)
    some.add(next_one, 1.0)

    assert take_all(some, 1.0) == [[(window, [0])], [(next_one, [0])]]


def test_in_an_ordered_backlog_no_batch_overtakes_or_joins_a_retry() -> None:
    """In one request, each document may be stored without the others."""
    some, window, next_one = backlog(ordered=True), batch(SMALL_BYTES), batch(SMALL_BYTES)
    requeue_part(some, RequestPart(window, [0]), 3.0, refusals=0)
    some.add(next_one, 1.0)

    assert some.take(2.0, in_flight=0) is None
    assert some.due_at(in_flight=0) == 3.0
    assert take_all(some, 3.0) == [[(window, [0])], [(next_one, [0])]]


def test_a_request_that_was_put_back_is_next() -> None:
    some, first, second = backlog(), batch(SMALL_BYTES, SMALL_BYTES), batch(SMALL_BYTES)
    some.add(first, 1.0)
    some.add(second, 1.0)
    request = some.take(1.0, in_flight=0)
    assert request is not None

    some.put_back(*request.halves())

    assert take_all(some, 1.0) == [[(first, [0])], [(first, [1])], [(second, [0])]]


def test_halving_splits_between_parts_first_and_then_within_a_part() -> None:
    one, other = batch(1000, 1000, 1000), batch(1000)

    first, second = Request([RequestPart(one, range(3)), RequestPart(other, range(1))]).halves()

    assert (content(first), content(second)) == ([(one, [0, 1, 2])], [(other, [0])])
    a, b = first.halves()
    assert (content(a), content(b)) == ([(one, [0])], [(one, [1, 2])])


def test_a_part_of_a_part_keeps_its_history() -> None:
    part = RequestPart(batch(100, 100), range(2))
    part.attempts, part.refusals, part.errors = 9, 5, 2

    only = part.only([1])

    assert only.positions == [1]
    assert (only.attempts, only.refusals, only.errors) == (9, 5, 2)


def test_a_withdrawn_retry_blocks_nothing_in_an_ordered_backlog() -> None:
    some, gone, kept = backlog(ordered=True), batch(100), batch(100)
    some.add(gone, 1.0)
    assert take_all(some, 1.0) == [[(gone, [0])]]
    requeue_part(some, RequestPart(gone, [0]), 2.0)
    gone.withdrawn = True
    some.add(kept, 2.0)

    assert take_all(some, 3.0) == [[(kept, [0])]]


def test_a_lower_size_limit_applies_to_waiting_and_new_documents() -> None:
    some, window, next_one = backlog(), batch(*[SMALL_BYTES] * 4), batch(*[SMALL_BYTES] * 2)
    small = batch(*[SMALL_BYTES // 8] * 4)
    some.add(window, 1.0)
    some.add(small, 1.0)

    some.limit(SMALL_BYTES // 4)
    some.add(next_one, 1.0)

    assert take_all(some, 1.0) == [
        *[[(window, [n])] for n in range(4)],
        [(small, [0, 1])],
        [(small, [2, 3])],
        *[[(next_one, [n])] for n in range(2)],
    ]


def test_a_higher_size_limit_applies_to_new_documents() -> None:
    some, window, next_one = backlog(), batch(*[SMALL_BYTES] * 2), batch(*[SMALL_BYTES] * 2)
    some.limit(SMALL_BYTES // 4)
    some.add(window, 1.0)

    some.limit(10 * SMALL_BYTES)
    some.add(next_one, 1.0)

    assert take_all(some, 1.0) == [[(window, [0])], [(window, [1])], [(next_one, [0, 1])]]


def test_withdrawn_documents_are_removed() -> None:
    some, gone, kept = backlog(), batch(100), batch(100)
    large = batch(SMALL_BYTES)
    some.add(gone, 1.0)
    some.add(kept, 1.0)
    some.add(large, 1.0)
    requeue_part(some, RequestPart(gone, [0]), 0.0)
    gone.withdrawn = large.withdrawn = True

    assert some.count() == 1
    assert take_all(some, 2.0) == [[(kept, [0])]]
    assert some.due_at(in_flight=0) is None


class AgainstAModel(RuleBasedStateMachine):
    """With any answers, each document is sent until it is answered, and no longer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.open: set[tuple[Batch, int]] = set()
        self.in_flight: list[Request] = []
        self.batches: list[Batch] = []

    @hypothesis.stateful.initialize(ordered=st.booleans())
    def begin(self, ordered: bool) -> None:
        self.max_bytes, self.ordered = 2 * SMALL_BYTES, ordered
        self.backlog = Backlog(self.max_bytes, ordered)

    @rule(sizes=st.lists(st.sampled_from([100, 20_000, 70_000, 200_000]), min_size=1, max_size=6))
    def add(self, sizes: list[int]) -> None:
        window = batch(*sizes)
        self.backlog.add(window, self.now)
        self.batches.append(window)
        self.open |= {(window, position) for position in range(len(sizes))}

    @rule()
    def flush(self) -> None:
        self.backlog.flush()

    @rule(after=st.sampled_from([0.0, LINGER_SECONDS / 2, LINGER_SECONDS, 5.0]))
    def wait(self, after: float) -> None:
        self.now += after

    @precondition(lambda self: not (self.ordered and self.in_flight))
    @rule()
    def take(self) -> None:
        due_at = self.backlog.due_at(len(self.in_flight))
        request = self.backlog.take(self.now, len(self.in_flight))
        if request is None:
            return
        assert due_at is not None
        assert due_at <= self.now
        assert request.size <= self.max_bytes or request.documents == 1
        first_times = [part for part in request.parts if part.attempts == 1]
        if self.ordered:
            assert not first_times or len(first_times) == len(request.parts)
        assert all(part.attempts >= 1 for part in request.parts)
        if len(first_times) > 1:
            assert all(part.size < SMALL_BYTES for part in first_times)
        self.in_flight.append(request)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        request = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        what = data.draw(st.sampled_from(["stored", "again", "put back", "halves"]))
        if what == "put back" or (what == "halves" and request.documents == 1):
            self.backlog.put_back(request)
        elif what == "halves":
            self.backlog.put_back(*request.halves())
        else:
            kept_parts = []
            for part in request.parts:
                kept = [p for p in part.positions if what == "again" and data.draw(st.booleans())]
                self.open -= {(part.batch, p) for p in part.positions if p not in kept}
                if kept:
                    due_at = self.now + data.draw(st.sampled_from([0.0, 1.0]))
                    kept_parts.append((part.only(kept), due_at))
                    kept_parts[-1][0].refusals = data.draw(st.integers(0, 1))
            self.backlog.finish(request, kept_parts)

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(self.batches))
        gone.withdrawn = True
        self.open = {(window, position) for window, position in self.open if window is not gone}

    @invariant()
    def each_open_document_is_in_exactly_one_place(self) -> None:
        if not hasattr(self, "backlog"):
            return
        in_flight = [
            (part.batch, position)
            for request in self.in_flight
            for part in request.parts
            for position in part.positions
            if not part.batch.withdrawn
        ]
        assert len(in_flight) == len(set(in_flight))
        assert set(in_flight) <= self.open
        assert self.backlog.count() == len(self.open) - len(in_flight)

    def teardown(self) -> None:
        """At the end all documents are sent."""
        if not hasattr(self, "backlog"):
            return
        for request in self.in_flight:
            self.backlog.put_back(request)
        self.now += 100.0
        sent = []
        for request_content in take_all(self.backlog, self.now):
            sent += [(window, p) for window, positions in request_content for p in positions]
        assert len(sent) == len(set(sent))
        assert set(sent) == self.open


TestAgainstAModel = AgainstAModel.TestCase
TestAgainstAModel.settings = hypothesis.settings(stateful_step_count=30)
