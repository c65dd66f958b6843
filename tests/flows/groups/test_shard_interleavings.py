"""Messages, timers, redeliveries and lost connections in any order: one place for each message."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.message import Origin, Outcomes
from flows.groups.departures import ShardOutput
from flows.groups.rules import Rules, Tumbling
from flows.groups.shard import Shard
from flows.summaries.functions.function import Function
from flows.summaries.reducers import Tally
from flows.values.group import (
    ALONE,
    FIRST,
    LAST,
    Amendment,
    DuplicateOfSent,
    FirstRevision,
    Group,
    Member,
    Progress,
)
from tests.effort import EFFORT
from tests.flows.members import member

KEYS = ['"a"', '"b"', '"c"']
ALL = Tally({"all": Function("list", "n")}, {"n": 0})
Delivery = tuple[Origin, int]


class WorldBroker:
    """Delivers messages, never receives an acknowledgement, and loses connections.

    The shard may receive a lost connection late, but before the messages of the next one.
    """

    def __init__(self, rules: Rules) -> None:
        self.shard, self.rules, self.now = Shard(rules), rules, 0.0
        self.generations = [1, 1]
        self.unreported: list[Origin] = []
        self.messages: list[dict[str, Any]] = []
        self.held: dict[Delivery, int] = {}
        """The message of each delivery, while its connection lasts."""
        self.waiting: list[int] = []
        self.delivered: dict[Delivery, int] = {}
        self.purged: set[Delivery] = set()
        self.left: Counter[Delivery] = Counter()
        self.counted: Counter[int] = Counter()
        """How often each message was a member of a group that left."""
        self.written: dict[tuple[str | None, float], list[int]] = {}
        self.positions: dict[tuple[int, int], int] = {}
        self.by_event = bool(rules.tumbling and rules.tumbling.by_event)
        self.has_progress = False
        self.closed: set[tuple[str | None, float]] = set()
        """Windows that the watermark closed: idleness alone closes none."""

    def publish(self, consumer: int, **fields: Any) -> None:
        self.messages.append(fields)
        self._deliver(consumer, [len(self.messages) - 1], redelivered=False)

    def deliver_again(self, consumer: int, count: int) -> None:
        again, self.waiting = self.waiting[:count], self.waiting[count:]
        self._deliver(consumer, again, redelivered=True)

    def cut(self, consumer: int) -> None:
        origin = self._origin(consumer)
        lost = [delivery for delivery in self.held if delivery[0] == origin]
        self.waiting += [self.held.pop(delivery) for delivery in lost]
        self.unreported.append(origin)
        self.generations[consumer] += 1

    def report_loss(self, consumer: int) -> None:
        for origin in [one for one in self.unreported if one.consumer == f"q/{consumer}"]:
            self.unreported.remove(origin)
            self.shard.purge(origin)
            self.purged |= {
                one for one in self.delivered if one[0] == origin and not self.left[one]
            }
            self.check()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.shard.complete_due(self.now))

    def advance_watermark(self, consumer: int, at: float) -> None:
        self.take(self.shard.complete_due(self.now))  # windows that idleness has completed
        self.has_progress = True
        self.take(self.shard.note_progress(Progress(f"q/{consumer}", at), self.now))

    def force(self, key: str | None) -> None:
        self.take(self.shard.complete(key, self.now))

    def stop(self) -> None:
        self.take(self.shard.stop(self.now))
        if self.rules.on_stop != "requeue":
            assert self.shard.open_members == self.shard.open_groups == 0
            assert set(self.left) == set(self.delivered) - self.purged

    def take(self, leaving: list[ShardOutput]) -> None:
        for one in leaving:
            if isinstance(one, Group):
                self._take_group(one)
            elif isinstance(one, DuplicateOfSent):
                self._leave((one.member.origin, one.member.message.tag))
                message = self.delivered[one.member.origin, one.member.message.tag]
                first = self.positions.get((one.number, one.position))
                assert self.rules.reduced or first == message
            else:
                self._take_outcomes(one)
        self.check()

    def check(self) -> None:
        assert set(self.left.values()) <= {1}, "a message left twice"
        assert not self.purged & set(self.left), "a purged message left"
        # No message is a member twice, unless it was settled and then published again.
        assert set(self.counted.values()) <= {1}
        open_ = set(self.delivered) - set(self.left) - self.purged
        duplicates = len(open_) - self.shard.open_members
        assert 0 <= duplicates <= sum(self.messages[self.delivered[d]]["again"] for d in open_)
        assert (self.shard.open_groups == 0) == (self.shard.open_members == 0)

    def _origin(self, consumer: int) -> Origin:
        return Origin(f"q/{consumer}", self.generations[consumer])

    def _deliver(self, consumer: int, numbers: list[int], *, redelivered: bool) -> None:
        self.report_loss(consumer)
        origin, members = self._origin(consumer), list[Member]()
        for number in numbers:
            delivery = origin, len(self.delivered) + 1
            self.held[delivery] = self.delivered[delivery] = number
            fields = dict(self.messages[number])
            self.messages[number]["again"] |= redelivered
            del fields["again"]
            members.append(
                member(
                    delivery[1],
                    origin=origin,
                    redelivered=redelivered,
                    message_id=f"m{number}",
                    values=(number,),
                    **fields,
                )
            )
        self.take(self.shard.add(members, self.now))

    def _take_group(self, group: Group) -> None:
        if group.summary is None:
            for position, one in enumerate(group.members):
                number = self.delivered[one.origin, one.message.tag]
                self.positions[group.number, position] = number
                self._leave((one.origin, one.message.tag))
                self.counted[number] += 1
            return
        deliveries = [(o, tag) for o, tags in group.summary.tags.items() for tag in tags]
        numbers = [self.delivered[delivery] for delivery in deliveries]
        for delivery in deliveries:
            self._leave(delivery)
        self.counted.update(numbers)
        if isinstance(group.of_window, FirstRevision | Amendment):
            amends = isinstance(group.of_window, Amendment) or group.of_window.is_late
            window = group.key, group.start
            assert amends == (group.completed_by == "late")
            assert isinstance(group.of_window, Amendment) == (amends and window in self.written)
            if amends:
                numbers = self.written.get(window, []) + numbers
            else:
                assert window not in self.closed, "it would take the place of what is written"
            if self.has_progress or not self.by_event:
                self.closed.add(window)
            self.written[window] = numbers
        assert sorted(group.summary.values["all"]) == sorted(numbers)
        assert group.summary.count == len(numbers)

    def _take_outcomes(self, outcomes: Outcomes) -> None:
        tags = [*(one.message.tag for one in outcomes.rejected), *outcomes.dropped]
        for tag in tags:
            self._leave((outcomes.origin, tag))

    def _leave(self, delivery: Delivery) -> None:
        assert delivery in self.delivered
        self.left[delivery] += 1


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    by_event = draw(st.booleans())
    tumbling = draw(st.none() | st.just(Tumbling(4.0, by_event, 1.0, 3.0)))
    tally = draw(st.sampled_from([None, ALL]))
    incomplete: Literal["write", "park", "drop"]
    incomplete = draw(st.sampled_from(["write", "park", "drop"]))
    on_stop: Literal["write", "park", "requeue"]
    on_stop = draw(st.sampled_from(["write", "park", "requeue"]))
    late: Literal["park", "drop", "new", "amend"]
    late = draw(st.sampled_from(["park", "drop", "new", "amend"]))
    order = draw(st.sampled_from([None, 0]))
    return Rules(
        count=draw(st.sampled_from([None, 2, 4])),
        bytes=draw(st.sampled_from([None, 60])),
        time=draw(st.sampled_from([None, 5.0])),
        idle=draw(st.sampled_from([None, 2.0])),
        tumbling=tumbling,
        incomplete=incomplete,
        on_stop=on_stop,
        late=late,
        remember=0 if tumbling else draw(st.sampled_from([0, 1])),
        amend_for=5.0,
        max_groups=draw(st.sampled_from([None, 2])),
        order=order,
        tally=tally,
        hold=tally is None or order is not None or "park" in (incomplete, on_stop),
        recognise=True,
        partitions=["q/0", "q/1"],
    )


MOVES = "spppppaaaccthf"
MARKS = [0, 0, 0, 0, FIRST, LAST, FIRST | LAST, ALONE]


class Dice:
    """Choices that one number determines: far cheaper to draw than each choice by itself."""

    def __init__(self, number: int) -> None:
        self._number = number

    def choose(self, *choices: Any) -> Any:
        self._number, place = divmod(self._number, len(choices))
        return choices[place]


@settings(max_examples=5 * EFFORT.examples)  # many combinations to try
@given(rules=rules(), moves=st.lists(st.integers(0, 2**32), min_size=30, max_size=60))
def test_each_message_has_exactly_one_place(rules: Rules, moves: list[int]) -> None:
    """In a group, parked, dropped, open, or gone with its connection until it is redelivered."""
    broker = WorldBroker(rules)
    for number in moves:
        dice = Dice(number)
        move, consumer = dice.choose(*MOVES), dice.choose(0, 1)
        if move == "p":
            marks = dice.choose(*MARKS)
            broker.publish(
                consumer,
                key=None if marks & ALONE else dice.choose(*KEYS),
                marks=marks,
                size=dice.choose(None, None, 3),
                at=broker.now - dice.choose(*range(13)),
                again=False,
            )
        elif move == "a":
            broker.deliver_again(consumer, dice.choose(1, 2, 3, 4))
        elif move == "c":
            broker.cut(consumer)
        elif move == "t":
            broker.report_loss(consumer)
        elif move == "h":
            broker.advance_watermark(consumer, broker.now - dice.choose(0, 1, 2, 3, 4))
        elif move == "f":
            broker.force(dice.choose(None, *KEYS))
        else:
            broker.pass_time(dice.choose(0.5, 1.0, 3.0))
    broker.stop()
