"""How to go from one version to the next."""

from __future__ import annotations

from typing import Any

from flows.plan.plan import MigrationPlan, plan
from tests.flows.plan.pipelines import pipeline

GROUPS: dict[str, Any] = {"aggregate.by": "order.id", "aggregate.window.time": "5m"}
WRITING = {**GROUPS, "aggregate.on_stop": "write"}


def planned(base: dict[str, Any], **change: Any) -> MigrationPlan:
    return plan(pipeline(**base), pipeline(**(base | change)))


def test_equal_specs_need_nothing() -> None:
    assert planned(GROUPS) == MigrationPlan([], False, False, True, [])


def test_a_restart_of_batches_may_roll() -> None:
    found = planned({}, **{"source.rabbitmq.prefetch": 5})

    assert (found.needs_attention, found.together) == (False, True)
    assert found.steps == [
        "replace the processes one by one, or all at once: both versions may run"
    ]


def test_groups_that_are_requeued_survive_a_restart() -> None:
    """Two versions at the same time would split them."""
    found = planned(GROUPS, **{"source.rabbitmq.prefetch": 5})

    assert (found.needs_attention, found.requeue_first, found.together) == (False, False, False)
    assert found.steps[-1] == "open groups are requeued whole at the stop"


def test_a_state_that_the_new_version_refuses_is_written_and_discarded_before() -> None:
    kept = GROUPS | {"aggregate.on_stop": "keep", "state": {"path": "/s"}}
    assert planned(kept, **{"aggregate.by": "customer"}).steps == [
        "stop all processes of the old version with SIGTERM, and wait for their end",
        "with the old file, run `hopper state --flush`",
        "with the old file, run `hopper state --discard`",
        "start the new version",
        "open groups are kept in the state, and stay open at the stop",
    ]


def test_groups_that_a_stop_writes_are_split_by_any_restart() -> None:
    found = planned(WRITING, **{"source.rabbitmq.prefetch": 5})

    assert (found.needs_attention, found.requeue_first) == (True, False)
    assert found.steps[-1].startswith("open groups are written incomplete")


def test_new_rules_need_a_stop_that_requeues() -> None:
    found = planned(WRITING, **{"aggregate.window.time": "6m"})

    assert (found.needs_attention, found.requeue_first) == (True, True)
    assert "aggregate.on_stop: requeue" in found.steps[0]
    assert found.steps[-1] == "open groups are requeued whole at the stop"
    assert not planned(GROUPS, **{"aggregate.window.time": "6m"}).requeue_first


def test_documents_of_other_ids_do_not_run_beside_the_old_ones() -> None:
    found = planned({}, **{"sink.elasticsearch.index": "other"})

    assert (found.needs_attention, found.together) == (True, False)
    [change] = found.changes
    assert (change.path, change.old, change.new) == (
        ("sink", "elasticsearch", "index"),
        "orders",
        "other",
    )
