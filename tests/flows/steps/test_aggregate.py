"""The counts of the step; a `Shard` decides."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from prometheus_client import REGISTRY

from connectors.message import Lost
from flows.audit.counters import Account
from flows.audit.reconcile import Accounts
from flows.groups.rules import Rules
from flows.groups.shard import Shard
from flows.process.stop import ProcessStop
from flows.steps.aggregate import Aggregate
from flows.values.columnar import Members
from flows.values.stop import Stop
from tests.flows.members import FIRST, SECOND, WITH_KEYS, member


class OneShardStep:
    """The `aggregate` step of one shard."""

    def __init__(self, **rules: Any) -> None:
        self.account = Account()
        shard = Shard(Rules(**{**WITH_KEYS, **rules}))
        self.step = Aggregate(shard, Stop(), self.account, lambda: 100.0)

    def take(self, *members: Any) -> None:
        self.step.on_batch([Members(members)])


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_redelivered_message_is_held_and_leaves_with_its_first_copy() -> None:
    """It counts in the accounts, and as deduplicated when it leaves."""
    before = counted("hopper_deduplicated_total")
    step = OneShardStep(count=2)
    step.take(member(1, '"a"', message_id="one"))
    step.take(member(7, '"a"', message_id="one", origin=SECOND, redelivered=True))
    assert step.account.counts == (2, 0, 0, 2, 1, 0)

    step.take(member(2, '"a"', message_id="two"))

    assert step.account.counts == (3, 3, 0, 0, 0, 0)
    assert counted("hopper_deduplicated_total") == before + 1


def test_members_of_a_lost_connection_are_forgotten() -> None:
    """But the duplicate of such a message takes its place."""
    step = OneShardStep(count=5)
    step.take(member(1, '"a"', message_id="one"), member(2, '"b"', message_id="two"))
    step.take(member(7, '"a"', message_id="one", origin=SECOND, redelivered=True))

    step.step.on_batch([Lost(FIRST)])

    assert step.account.counts == (3, 0, 2, 1, 1, 0)


@pytest.mark.parametrize(
    ("late", "became"), [("park", "parked"), ("drop", "dropped"), ("new",) * 2]
)
def test_outcomes_of_late_messages_are_counted(late: str, became: str) -> None:
    before = counted("hopper_late_total", became=became)
    step = OneShardStep(count=2, remember=10, late=late)
    step.take(member(1, '"a"', message_id="one"), member(2, '"a"', message_id="two"))

    step.take(member(3, '"a"', message_id="three"))

    assert counted("hopper_late_total", became=became) == before + 1
    assert step.account.counts.difference == 0


def test_groups_that_a_signal_completes_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """For all shards together."""
    caplog.set_level(logging.INFO)
    accounts = Accounts()
    accounts.of_groups().note(open=5, groups=5)
    stop = ProcessStop(3600, lambda: 0, accounts)
    steps = [Aggregate(Shard(Rules(**WITH_KEYS)), stop, clock=lambda: 100.0) for _ in range(3)]

    stop.complete()
    for step in steps:
        step.on_notify()

    assert caplog.messages == ["completing 5 open groups: SIGUSR1"]
