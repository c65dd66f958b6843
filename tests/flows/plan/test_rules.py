"""Every key has a rule, and each rule says what becomes of what is open."""

from __future__ import annotations

from typing import Any

import pytest

from flows.plan.answers import AT_STOP
from flows.plan.changed_keys import all_keys, changed_keys
from flows.plan.effect import RESTART, Effect
from flows.plan.rules import RULES
from flows.spec import Pipeline
from tests.flows.plan.pipelines import pipeline

BATCHES: dict[str, Any] = {}
GROUPS: dict[str, Any] = {"aggregate.by": "order.id", "aggregate.window.time": "5m"}
SUMMARIES: dict[str, Any] = {**GROUPS, "aggregate.reduce": {"n": "count"}}


def effects(
    base: dict[str, Any], change: dict[str, Any], before: dict[str, Any] | None = None
) -> dict[str, Effect]:
    """The effects of a change, by the last part of each key; `before`: only in the old spec."""
    old, new = pipeline(**base, **(before or {})), pipeline(**(base | change))
    return {one.path[-1]: RULES[one.path](old, new) for one in changed_keys(old, new)}


def effect(
    base: dict[str, Any], change: dict[str, Any], before: dict[str, Any] | None = None
) -> Effect:
    [found] = effects(base, change, before).values()
    return found


def test_every_key_of_a_pipeline_has_a_rule() -> None:
    """A new key without one fails here: add it to RULES."""
    assert set(all_keys(Pipeline)) == RULES.keys()


@pytest.mark.parametrize(
    "change",
    [
        {"source.rabbitmq.prefetch": 10},
        {"source.rabbitmq.memory": "1GiB"},
        {"source.rabbitmq.consumers": 2},
        {"source.rabbitmq.consumer_timeout": "1h"},
        {"source.rabbitmq.max_deliveries": 5},
        {"source.rabbitmq.consume": {"arguments": {"x-priority": 5}}},
        {"sink.elasticsearch.api_key": "YQ=="},
        {"sink.elasticsearch.concurrency": 8},
        {"sink.elasticsearch.bulk": {"max_bytes": "1MiB"}},
        {"sink.elasticsearch.on_missing_index": "wait"},
        {"dead_letter.rabbitmq.reject_limit": {"rejected": 5, "of": 9}},
        {"metrics": {"port": 9100}},
        {"traces": {"sample": 0.5}},
        {"drain_timeout": "5s"},
        {"aggregate.window.time": "2s"},
        {"aggregate.window.count": 5},
        {"aggregate.on_stop": "requeue"},
    ],
    ids=str,
)
def test_of_batches_these_keys_need_a_restart_only(change: dict[str, Any]) -> None:
    assert effect(BATCHES, change) == RESTART


@pytest.mark.parametrize("base", [GROUPS, SUMMARIES])
@pytest.mark.parametrize(
    "change",
    [{"aggregate.window.time": "6m"}, {"aggregate.window.count": 7}],
    ids=str,
)
def test_rules_that_complete_groups_need_them_requeued(
    base: dict[str, Any], change: dict[str, Any]
) -> None:
    found = effect(base, change)

    assert (found.about, found.requeues, found.together) == ("groups", True, False)
    assert "open groups are requeued whole" in found.text


def test_a_restart_forgets_distinct_values() -> None:
    distinct = {"aggregate.distinct": {"by": "id", "for": "1h"}}
    longer = {"aggregate.distinct": {"by": "id", "for": "2h"}}

    found = effect(BATCHES | distinct, longer)

    assert (found.about, found.together) == ("documents", True)
    assert "copies of messages that are stored count again" in found.text


def test_early_summaries_stay_until_the_final_ones_replace_them() -> None:
    windows = {**SUMMARIES, "aggregate.window": {"tumbling": {"every": "5m"}}}
    early = {"aggregate.window": {"tumbling": {"every": "5m", "emit_every": "1m"}}}

    found = effect(windows, early)

    assert (found.about, found.together) == ("documents", True)
    assert "until the final ones replace them" in found.text


def test_another_event_time_begins_the_watermark_anew() -> None:
    found = effect(GROUPS, {"aggregate.window.event_time": "at"})

    assert (found.about, found.requeues) == ("groups", True)
    assert "the watermark begins anew" in found.text


def test_another_key_gives_summaries_other_ids() -> None:
    assert "_id" not in effect(GROUPS, {"aggregate.by": "customer"}).text
    found = effect(SUMMARIES, {"aggregate.by": "customer"})

    assert (found.requeues, found.together) == (True, False)
    assert "summaries get other _ids" in found.text
    assert effect(GROUPS, {"aggregate.missing_key": "alone"}).requeues


def test_summaries_in_place_of_documents_are_other_documents() -> None:
    found = effect(GROUPS, {"aggregate.reduce": {"n": "count"}})

    assert (found.about, found.together) == ("documents", False)
    assert "another kind of document, with another _id" in found.text
    changed = effect(SUMMARIES, {"aggregate.reduce": {"m": "count"}})
    assert "summaries that are stored keep theirs" in changed.text
    assert changed.requeues


def test_policies_count_for_what_comes_later() -> None:
    for change in ({"aggregate.incomplete": "park"}, {"aggregate.max_groups": 5}):
        found = effect({**GROUPS, "aggregate.window.count": 5}, change)
        assert (found.about, found.requeues, found.together) == ("groups", False, True)


@pytest.mark.parametrize("old", ["write", "requeue", "park"])
def test_a_stop_follows_the_old_policy(old: str) -> None:
    new = "park" if old != "park" else "write"
    found = effect(GROUPS, {"aggregate.on_stop": new}, {"aggregate.on_stop": old})

    assert f"the old value, {old}: open groups are {AT_STOP[old]}" in found.text


def test_a_restart_forgets_what_is_remembered() -> None:
    found = effect(GROUPS, {"aggregate.remember": 10})

    assert (found.about, found.requeues) == ("groups", False)
    assert "a restart forgets keys of complete groups" in found.text


def test_the_order_within_groups_and_requests() -> None:
    assert effect(BATCHES, {"aggregate.order": "n"}).about == "order"
    found = effect(GROUPS, {"aggregate.order": "n"})
    assert (found.about, found.requeues) == ("order", True)


def test_one_request_or_one_consumer_keeps_an_order_that_several_do_not() -> None:
    for change in ({"sink.elasticsearch.concurrency": 1}, {"source.rabbitmq.consumers": 1}):
        found = effect(BATCHES, change)
        assert (found.about, found.together) == ("order", True)


def test_another_id_stores_redelivered_messages_twice() -> None:
    found = effect(BATCHES, {"sink.elasticsearch.id": {"field": "id"}})

    assert (found.about, found.together) == ("documents", False)
    assert "stored a second time, under the new _id" in found.text
    assert effect(SUMMARIES, {"sink.elasticsearch.id": {"field": "id"}}) == RESTART


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sink.elasticsearch.index": "other"}, "stored again in the new index"),
        ({"sink.elasticsearch.routing": {"field": "a"}}, "stay where they are"),
        ({"sink.elasticsearch.url": "http://other"}, "if it is another cluster"),
        ({"sink.elasticsearch.action": "create"}, "is applied by the new action"),
        ({"sink.elasticsearch.pipeline": "p"}, "are read and written by the new value"),
        ({"source.rabbitmq.format": "text"}, "are read and written by the new value"),
    ],
    ids=str,
)
def test_documents_that_are_stored_stay_as_they_are(change: dict[str, Any], words: str) -> None:
    found = effect(BATCHES, change)

    assert (found.about, found.together) == ("documents", False)
    assert words in found.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source.rabbitmq.queue": "other"}, "a queue that is no longer named stay there"),
        ({"source.rabbitmq.url": "amqp://other"}, "if it is another broker"),
        ({"source.rabbitmq.declare": {"durable": False}}, "the broker refuses other ones"),
        ({"source.rabbitmq.consume": {"exclusive": True}}, "waits until the old one has stopped"),
        ({"source.rabbitmq.offset_queue": "other"}, "read again from x-stream-offset"),
    ],
    ids=str,
)
def test_messages_stay_where_they_are(change: dict[str, Any], words: str) -> None:
    found = effect(BATCHES, change)

    assert found.about == "source"
    assert words in found.text


@pytest.mark.parametrize(
    "change",
    [
        {"dead_letter.rabbitmq.routing_key": "other"},
        {"dead_letter.rabbitmq.exchange": "other"},
        {"dead_letter": None},
    ],
    ids=str,
)
def test_dead_letters_stay_in_the_old_place(change: dict[str, Any]) -> None:
    assert effect(BATCHES, change).about == "dead letters"


def test_another_service_takes_nothing_over() -> None:
    change: dict[str, Any] = {"sink.elasticsearch": None, "sink.memory": {}}

    assert {one.about for one in effects(BATCHES, change).values()} == {"documents"}
    change = {"source.rabbitmq": None, "source.memory": {}, "dead_letter": None}
    found = effects(BATCHES, change)
    assert (found["rabbitmq"].about, found["memory"].about) == ("source", "source")


def test_a_new_name_and_a_setup() -> None:
    assert "alerts and dashboards" in effect(BATCHES, {"name": "b"}).text
    assert "run hopper setup" in effect(BATCHES, {"setup": {}}).text


STATE: dict[str, Any] = {**SUMMARIES, "state": {"path": "/s"}}


@pytest.mark.parametrize(
    "change",
    [
        {"aggregate.by": "customer"},
        {"aggregate.reduce": {"m": "count"}},
        {"aggregate.window.until": "group.count > 5"},
        {"aggregate.window.tumbling": {"every": "1h"}},
    ],
    ids=str,
)
def test_what_decides_what_the_state_counts_is_refused(change: dict[str, Any]) -> None:
    found = effect(STATE, change)

    assert (found.requeues, found.together) == (False, False)
    assert "the new version refuses the state of the old one" in found.text


def test_another_name_with_another_queue_is_another_job() -> None:
    both = {"name": "bills", "source.rabbitmq.queue": "bills"}
    assert "refuses the folder of the old one" in effects(STATE, both)["name"].text
    for change in (both | {"state": {"path": "/t"}}, {"name": "bills"}):
        assert "alerts and dashboards" in effects(STATE, change)["name"].text


def test_with_a_state_groups_stay_open_when_other_rules_change() -> None:
    found = effect(STATE, {"aggregate.window.time": "6m"})

    assert (found.requeues, found.together) == (False, False)
    assert found.text == "open groups stay open, and the new value counts for them too"
    assert effect(STATE, {"state": {"path": "/s", "commit": "2s"}}) == RESTART


def test_a_state_remembers_over_the_restart() -> None:
    """But another value tells nothing of messages that were counted by the old one."""
    distinct = {"aggregate.distinct": {"by": "id", "for": "1h"}}
    text = "what the state remembers stays, and the new value counts for it too"

    assert effect(STATE | distinct, {"aggregate.distinct": {"by": "id", "for": "2h"}}).text == text
    assert effect(STATE, {"aggregate.remember": 10}).text == text
    found = effect(STATE | distinct, {"aggregate.distinct": {"by": "no", "for": "1h"}})
    assert "count again" in found.text


def test_another_folder_or_none_leaves_open_groups_behind() -> None:
    assert "move the folder" in effect(STATE, {"state": {"path": "/t"}}).text
    removed = effects(SUMMARIES, {}, {"state": {"path": "/s"}})
    assert "stay in the folder and are not written" in removed["state"].text
    added = effects(SUMMARIES, {"state": {"path": "/s"}})
    assert added["state"].requeues
    assert "are kept in the folder" in added["state"].text
