"""Documents with the same `_id` do not overtake each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.elasticsearch.backlog import SMALL_BYTES, Backlog
from connectors.elasticsearch.bulk_response import Items, Refusal
from connectors.elasticsearch.per_id_order import (
    PerIdOrder,
    count_replaced_as_stored,
    document_names,
)
from connectors.elasticsearch.request import Batch, DocumentNames, Name, Request, RequestPart
from connectors.elasticsearch.retry_policy import settle
from connectors.message import Documents
from tests.effort import EFFORT

MAX_BYTES = 2 * SMALL_BYTES


def batch(number: int, *names: str | None, replacing: bool = True, size: int = 100) -> Batch:
    sources = [b"x" * size] * len(names)
    some = Batch(Documents(sources, None, None), None, 0, DocumentNames([*names], replacing))
    some.number = number
    return some


def whole(some: Batch) -> list[RequestPart]:
    return [RequestPart(some, range(len(some.documents.sources)))]


def places(parts: Sequence[RequestPart]) -> list[tuple[int, int]]:
    return [(part.batch.number, position) for part in parts for position in part.positions]


def test_different_ids_do_not_affect_each_other() -> None:
    order = PerIdOrder(MAX_BYTES)
    first, second = whole(batch(0, "a", "b", None)), whole(batch(1, "c", None))

    assert order.take_names(first) == (first, {"a", "b"})
    assert order.take_names(second) == (second, {"c"})
    assert order.held == []


def test_a_document_waits_for_an_earlier_one_with_its_id() -> None:
    order = PerIdOrder(MAX_BYTES)
    order.take_names(whole(batch(0, "a", "b")))

    parts, names = order.take_names(whole(batch(1, "b", "c", None)))

    assert (places(parts), names) == ([(1, 1), (1, 2)], {"c"})
    assert places(order.held) == [(1, 0)]
    (freed,) = order.release({"a", "b"})
    assert (places(freed.parts), freed.names) == ([(1, 0)], {"b"})
    assert order.release({"b"}) == []
    assert order.take_names(whole(batch(2, "b")))[1] == {"b"}


def test_waiting_documents_are_sent_together_in_order_of_arrival() -> None:
    order = PerIdOrder(MAX_BYTES)
    order.take_names(whole(batch(0, "a", "b")))
    for number in (1, 2):
        order.take_names(whole(batch(number, "b", "a", "b")))

    (freed,) = order.release({"a", "b"})

    assert places(freed.parts) == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]


def test_waiting_documents_do_not_exceed_the_largest_request_size() -> None:
    order = PerIdOrder(MAX_BYTES)
    order.take_names(whole(batch(0, "a")))
    order.take_names(whole(batch(1, "a", "a", "a", "a", "a", size=MAX_BYTES // 2)))

    sent = []
    while freed := order.release({"a"}):
        sent.append([places(request.parts) for request in freed])

    assert sent == [[[(1, 0), (1, 1)]], [[(1, 2), (1, 3)]], [[(1, 4)]]]


def test_documents_that_replace_each_other_share_a_request() -> None:
    order, parts = PerIdOrder(MAX_BYTES), whole(batch(0, "a", "a"))

    assert order.take_names(parts) == (parts, {"a"})


def test_documents_that_do_not_replace_each_other_wait() -> None:
    order = PerIdOrder(MAX_BYTES)

    parts, _ = order.take_names(whole(batch(0, "a", "b", "a", "a", replacing=False)))

    assert places(parts) == [(0, 0), (0, 1)]
    for position in (2, 3):
        (freed,) = order.release({"a"})
        assert places(freed.parts) == [(0, position)]
    assert order.release({"a"}) == []


def test_a_document_waits_for_an_earlier_one_that_waits() -> None:
    order, update = PerIdOrder(MAX_BYTES), batch(1, "a", replacing=False)

    parts, _ = order.take_names([*whole(batch(0, "a")), *whole(update), *whole(batch(2, "a"))])

    assert places(parts) == [(0, 0)]
    assert places(order.held) == [(1, 0), (2, 0)]


def test_a_withdrawn_document_delays_no_other() -> None:
    order, gone = PerIdOrder(MAX_BYTES), batch(1, "a", "b")
    order.take_names(whole(batch(0, "a", "b")))
    order.take_names(whole(gone))
    order.take_names(whole(batch(2, "a")))
    gone.withdrawn = True

    (freed,) = order.release({"a", "b"})

    assert places(freed.parts) == [(2, 0)]
    assert order.take_names(whole(batch(3, "b")))[1] == {"b"}


def test_halves_of_a_request_do_not_share_an_id() -> None:
    """Both halves may be in flight at the same time."""
    order = PerIdOrder(MAX_BYTES)
    parts, names = order.take_names(whole(batch(0, "a", "b", "b", "c", "a", None)))

    first, second = order.share(Request(parts, names).halves())

    assert (places(first.parts), first.names) == ([(0, 0), (0, 1), (0, 2)], {"a", "b"})
    assert (places(second.parts), second.names) == ([(0, 3), (0, 5)], {"c"})
    assert places(order.held) == [(0, 4)]


def request(*names: str | None) -> Request:
    order = PerIdOrder(MAX_BYTES)
    return Request(*order.take_names(whole(batch(0, *names))))


def test_a_document_that_a_later_one_has_replaced_is_not_retried() -> None:
    """Otherwise the older one would overwrite the newer one."""
    items = Items(
        [2, 3], [Refusal(0, 429, "busy")], [Refusal(1, 500, "")], [Refusal(4, 400, "bad")]
    )

    replaced = count_replaced_as_stored(request("a", "b", "b", "a", "c"), items)

    assert replaced == Items([0, 1, 2, 3], [], [], [Refusal(4, 400, "bad")])


@pytest.mark.parametrize(
    "items",
    [
        Items([0], throttled=[Refusal(1, 429, "")]),
        Items([], throttled=[Refusal(0, 429, "")], rejected=[Refusal(1, 400, "")]),
        Items([], throttled=[Refusal(0, 429, ""), Refusal(1, 429, "")]),
    ],
)
def test_only_a_stored_document_replaces_an_earlier_one(items: Items) -> None:
    assert count_replaced_as_stored(request("a", "a"), items) == items
    assert count_replaced_as_stored(request("a", "b"), items) == items
    assert count_replaced_as_stored(request(None, None), items) == items


@pytest.mark.parametrize(
    ("documents", "action", "names"),
    [
        (Documents([b""] * 2, None, None), "index", None),
        (Documents([b""] * 2, None, ["a", "b"]), "create", None),
        (Documents([b""] * 2, None, ["a", None]), "index", (["a", None], True)),
        (Documents([b""] * 2, None, ["a", "b"]), "delete", (["a", "b"], True)),
        (Documents([b""] * 2, None, ["a", "b"]), "update", (["a", "b"], False)),
        (Documents([b""] * 2, ["x", None], ["a", "b"]), "index", ([("x", "a"), "b"], True)),
        (Documents([b""] * 2, ["here", "x"], ["a", None]), "index", (["a", None], True)),
        (Documents([b""] * 2, None, ["a", "b"], [1, 2]), "index", (["a", "b"], False)),
        (
            Documents([b""] * 2, None, ["a", "b"], None, ["delete", None]),
            "index",
            (["a", "b"], True),
        ),
        (
            Documents([b""] * 2, None, ["a", "b"], None, ["create", None]),
            "index",
            (["a", "b"], False),
        ),
    ],
)
def test_which_documents_have_the_same_id(
    documents: Documents, action: str, names: tuple[list[Name | None], bool] | None
) -> None:
    assert document_names(documents, action, "here") == names


class AgainstAnIndex(RuleBasedStateMachine):
    """With all faults, an index gets the documents of each `_id` in order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.backlog = Backlog(MAX_BYTES, ordered=False)
        self.in_flight: list[Request] = []
        self.batches: list[Batch] = []
        self.applied: dict[Name, list[tuple[int, int]]] = defaultdict(list)
        self.rejected: set[tuple[int, int]] = set()
        self.answered: set[tuple[int, int]] = set()

    @rule(
        names=st.lists(st.sampled_from(["a", "a", "b", None]), min_size=1, max_size=4),
        replacing=st.sampled_from([True, True, False]),
        size=st.sampled_from([100, 100, SMALL_BYTES]),
    )
    def add(self, names: list[str | None], replacing: bool, size: int) -> None:
        some = batch(0, *names, replacing=replacing, size=size)
        self.backlog.add(some, self.now)
        self.batches.append(some)

    @rule(flush=st.booleans())
    def take(self, flush: bool) -> None:
        if flush:
            self.backlog.flush()
        request = self.backlog.take(self.now, len(self.in_flight))
        if request is not None:
            self.in_flight.append(request)

    @rule(after=st.sampled_from([0.0, 1.0]))
    def wait(self, after: float) -> None:
        self.now += after

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.batches)).withdrawn = True

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        request = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        what = data.draw(st.sampled_from(["items", "items", "down", "large"]))
        if what == "down" or (what == "large" and request.documents == 1):
            self.backlog.put_back(request)
        elif what == "large":
            self.backlog.put_back(*request.halves())
        else:
            statuses = [
                data.draw(st.sampled_from([201, 201, 201, 429, 429, 500, 500, 400]))
                for _ in range(request.documents)
            ]
            self.settle(request, statuses)

    def settle(self, request: Request, statuses: list[int]) -> None:
        where = places(request.parts)
        names = [part.batch.names.column[p] for part in request.parts for p in part.positions]  # type: ignore[union-attr]
        for part in request.parts:
            assert part.batch.names is not None
            if not part.batch.names.replacing:
                for position in part.positions:
                    self.nothing_is_open_before(part.batch, position)
        for place, name, status in zip(where, names, statuses, strict=True):
            if status == 201 and name is not None:
                self.applied[name].append(place)
            if status == 400:
                self.rejected.add(place)

        def those(*wanted: int) -> list[Refusal]:
            return [Refusal(p, s, "") for p, s in enumerate(statuses) if s in wanted]

        stored = [position for position, status in enumerate(statuses) if status == 201]
        items = Items(stored, those(429), those(500), those(400))
        settlement = settle(request, count_replaced_as_stored(request, items), None)
        for some, answer in settlement.answers:
            for position in [*answer.stored, *(position for position, _ in answer.rejected)]:
                assert (some.number, position) not in self.answered
                self.answered.add((some.number, position))
        waits = [0.0, 1.0, 0.5]
        retries = [(part, self.now + waits[n % 3]) for n, part in enumerate(settlement.retries)]
        self.backlog.finish(request, retries)

    def nothing_is_open_before(self, some: Batch, position: int) -> None:
        """A document that does not replace the stored one depends on it."""
        assert some.names is not None
        name = some.names.column[position]
        for earlier in self.batches:
            assert earlier.names is not None
            for place, other in enumerate(earlier.names.column):
                if name is not None and name == other and not earlier.withdrawn:
                    before = earlier.number, place
                    assert before >= (some.number, position) or before in self.answered

    @invariant()
    def a_name_is_in_one_request_at_a_time(self) -> None:
        names = [name for request in self.in_flight for name in request.names or ()]
        assert len(names) == len(set(names))
        for request in self.in_flight:
            assert set(request.names or ()) >= {
                name for part in request.parts for name in part.names if name is not None
            }

    @invariant()
    def none_has_overtaken_another(self) -> None:
        for seen in self.applied.values():
            assert seen == sorted(set(seen))

    def teardown(self) -> None:
        """At the end each document is answered, and the index has the last one of each `_id`."""
        for request in self.in_flight:
            self.settle(request, [201] * request.documents)
        while True:
            self.now += 1.0
            request_now = self.backlog.take(self.now, in_flight=0)
            if request_now is None:
                break
            self.settle(request_now, [201] * request_now.documents)
        assert self.backlog.due_at(in_flight=0) is None
        assert self.backlog.count() == 0
        last: dict[Name, tuple[int, int]] = {}
        for some in self.batches:
            assert some.names is not None
            for position, name in enumerate(some.names.column):
                place = some.number, position
                assert some.withdrawn or place in self.answered
                if name is not None and not some.withdrawn and place not in self.rejected:
                    last[name] = place
                    # A document that does not replace must itself be seen.
                    assert some.names.replacing or place in self.applied[name]
        for name, place in last.items():
            assert self.applied[name][-1] >= place


TestAgainstAnIndex = AgainstAnIndex.TestCase
TestAgainstAnIndex.settings = hypothesis.settings(
    max_examples=3 * EFFORT.examples, stateful_step_count=40
)
