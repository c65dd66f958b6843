"""A simulated store gets exactly what Elasticsearch would get."""

from __future__ import annotations

import json
from typing import Any

from connectors.memory.request import BulkRequest, InjectedAnswer
from connectors.message import Properties
from flows.simulation.in_memory import StoreForElasticsearch
from flows.simulation.simulation import Simulation
from flows.spec import Pipeline


def simulation(**sink: Any) -> Simulation:
    return Simulation(
        Pipeline.model_validate(
            {
                "version": 1,
                "name": "a",
                "source": {"memory": {}},
                "aggregate": {"window": {"count": 2}},
                "sink": {"elasticsearch": {"url": "http://h", "index": "a", **sink}},
            }
        )
    )


def publish(some: Simulation, *values: dict[str, Any]) -> None:
    for value in values:
        some.queue.publish(json.dumps(value).encode(), properties=Properties(message_id="m"))
    some.run()


def lines(some: Simulation) -> list[list[str]]:
    """Of each request."""
    sink = some.sink
    assert isinstance(sink, StoreForElasticsearch)
    requests = [event.what for event in some.events if isinstance(event.what, BulkRequest)]
    assert requests == some.store.requests
    return [[line.decode() for line in sink.lines(request)] for request in requests]


def test_the_lines_are_those_of_the_request() -> None:
    some = simulation(index="a-{k}", id={"field": "n"})
    publish(some, {"n": 1, "k": "x"}, {"n": 2, "k": "y"})

    assert lines(some) == [
        [
            '{"index":{"_index":"a-x","_id":"1"}}',
            '{"n": 1, "k": "x"}',
            '{"index":{"_index":"a-y","_id":"2"}}',
            '{"n": 2, "k": "y"}',
        ]
    ]


def test_versions_routings_and_actions_are_in_them() -> None:
    some = simulation(
        id={"field": "n"}, version={"field": "v"}, routing={"field": "r"}, action="index"
    )
    publish(some, {"n": 1, "v": 7, "r": "x"}, {"n": 2, "r": "x"})

    [[head, _]] = lines(some)
    assert head == (
        '{"index":{"_index":null,"_id":"1","routing":"x","version":7,'
        '"version_type":"external_gte"}}'
    )
    [parked] = some.queue.parked
    assert parked.rejection.reason.startswith("missing_version: ")


def test_an_update_changes_the_document_that_is_there() -> None:
    some = simulation(id={"field": "n"}, action="update", upsert=True)
    publish(some, {"n": 1, "a": 1}, {"n": 1, "b": 2})

    assert [len(each) for each in lines(some)] == [2, 2]  # two requests
    [document] = some.store.documents
    assert (document.index, json.loads(document.source)) == ("a", {"n": 1, "a": 1, "b": 2})


def test_what_is_sent_again_is_a_request_too() -> None:
    some = simulation(id={"field": "n"})
    some.store.answer(InjectedAnswer(429, item=2))
    publish(some, {"n": 1}, {"n": 2})
    some.pass_to(1.0)

    first, second = lines(some)
    assert (len(first), second) == (4, ['{"index":{"_id":"2"}}', '{"n": 2}'])


def test_a_request_to_a_store_that_is_down_has_no_answer() -> None:
    some = simulation(id={"field": "n"})
    some.go_down(5.0)
    publish(some, {"n": 1}, {"n": 2})
    some.pass_to(6.0)

    first, second = some.store.requests
    assert (first.answer, first.positions) == (None, second.positions)
    assert second.answer is not None
    assert list(second.answer.stored) == [0, 1]


def test_messages_keep_their_numbers() -> None:
    """Through a lost connection; so a report can name the acknowledged ones."""
    some = simulation()
    publish(some, {"n": 1})
    some.cut()
    publish(some, {"n": 2}, {"n": 3})

    settled = [number for each in some.queue.settled for number in each.numbers]
    assert (settled, some.queue.unsettled) == ([1, 2], [3])
