"""The contract of every source. A connector subclasses `SourceContract` and gives it a `rig`."""

from __future__ import annotations

import time
from functools import partial
from typing import Protocol

from connectors.connector import Consumer, ConsumerEvent, Load, Source
from connectors.message import Arrived, Lost, Message, Opened, Origin, Outcomes, Rejected, Rejection
from connectors.prefetch import FIRST_PREFETCH
from connectors.spec import DEFAULT_MEMORY
from tests.waiting import until


class SourceRig(Protocol):
    """An empty queue, and what a test does to it without the connector."""

    def source(
        self, consumers: int = 1, prefetch: int | None = 100, memory: int = DEFAULT_MEMORY
    ) -> Source:
        """`None`: the spec gives no number."""

    def several(self, queues: int) -> Source:
        """Return a source of so many queues, other ones."""

    def publish(self, *bodies: bytes) -> None: ...

    def publish_to(self, queue: str, body: bytes) -> None: ...

    def left(self) -> int:
        """Messages in the queue that no consumer holds."""

    def parked(self) -> list[tuple[bytes, str]]:
        """Body and reason of each parked message."""

    def cut(self) -> None:
        """Break all connections."""


class Receiver:
    """A consumer, and the messages that it has handed over."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.events: list[ConsumerEvent] = []
        consumer.start()

    def wait_for_more(self, than: int) -> None:
        """Take until more messages than `than` have arrived."""
        until(lambda: self.take() is not None and len(self.messages()) > than)

    def take(self) -> list[ConsumerEvent]:
        self.events += self.consumer.take()
        return self.events

    def messages(self) -> list[tuple[Origin, Message]]:
        return [(e.origin, m) for e in self.take() if isinstance(e, Arrived) for m in e.messages]

    def bodies(self) -> list[bytes]:
        return [message.body for _, message in self.messages()]

    def wait_for(self, count: int) -> list[tuple[Origin, Message]]:
        until(lambda: len(self.messages()) >= count)
        return self.messages()

    def is_settled(self) -> bool:
        return self.consumer.unacknowledged == 0

    def store(self, messages: list[tuple[Origin, Message]]) -> None:
        for origin, message in messages:
            self.consumer.settle(Outcomes(origin, [message.tag], []))


def bodies(count: int, start: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(start, start + count)]


class SourceContract:
    """Subclasses define the fixture `rig`."""

    def receiver(self, rig: SourceRig, **options: int) -> Receiver:
        source = rig.source(**options)
        return Receiver(source.consumer(source.consumers()[0]))

    def test_delivers_each_message_in_order(self, rig: SourceRig) -> None:
        rig.publish(*bodies(250))
        receiver = self.receiver(rig, prefetch=1000)

        receiver.wait_for(250)

        assert receiver.bodies() == bodies(250)
        receiver.consumer.close()

    def test_opened_comes_first(self, rig: SourceRig) -> None:
        """With the origin of all following messages."""
        rig.publish(b"1")
        receiver = self.receiver(rig)

        [(origin, _)] = receiver.wait_for(1)

        assert receiver.events[0] == Opened(origin)
        receiver.consumer.close()

    def test_consumers_of_other_jobs_are_counted(self, rig: SourceRig) -> None:
        """But not those of the job itself."""
        source, other = rig.source(consumers=2), rig.source()
        own = [source.consumer(name) for name in source.consumers()]
        other_job = other.consumer(other.consumers()[0])
        for consumer in own:
            consumer.start()
        assert source.other_consumers() == {}

        other_job.start()

        queue = source.queue_of(source.consumers()[0])
        until(
            lambda: source.other_consumers() == {queue: 1} and other.other_consumers() == {queue: 2}
        )
        for consumer in (*own, other_job):
            consumer.close()

    def test_each_of_several_queues_has_a_consumer(self, rig: SourceRig) -> None:
        """It takes the messages of its queue, and of no other, and settles them there."""
        source = rig.several(queues=3)
        receivers = {
            source.queue_of(name): Receiver(source.consumer(name)) for name in source.consumers()
        }
        assert len(receivers) == 3
        for queue in receivers:
            rig.publish_to(queue, queue.encode())

        for queue, receiver in receivers.items():
            receiver.store(receiver.wait_for(1))
            until(receiver.is_settled)
            assert receiver.bodies() == [queue.encode()]

        names = [receiver.messages()[0][0].consumer for receiver in receivers.values()]
        assert names == source.consumers()
        for receiver in receivers.values():
            receiver.consumer.close()

    def test_taking_never_waits(self, rig: SourceRig) -> None:
        """An empty queue returns an empty list at once."""
        receiver = self.receiver(rig)
        until(receiver.take)

        before = time.monotonic()
        events = receiver.consumer.take()

        assert events == []
        assert time.monotonic() - before < 0.1
        receiver.consumer.close()

    def test_never_holds_more_than_prefetch(self, rig: SourceRig) -> None:
        """Each settled message makes room for one."""
        rig.publish(*bodies(30))
        receiver = self.receiver(rig, prefetch=10)
        first = receiver.wait_for(10)
        until(lambda: rig.left() == 20)
        assert len(receiver.messages()) == 10

        receiver.store(first[:4])

        receiver.wait_for(14)
        until(lambda: rig.left() == 16)
        assert len(receiver.messages()) == 14
        receiver.consumer.close()

    def test_parked_messages_make_room_too(self, rig: SourceRig) -> None:
        """Otherwise a few bad messages would fill the prefetch for ever."""
        rig.publish(*bodies(50))
        receiver = self.receiver(rig, prefetch=10)

        for number in range(50):
            origin, bad = receiver.wait_for(number + 1)[number]
            receiver.consumer.settle(Outcomes(origin, [], [Rejected(bad, Rejection("bad"))]))

        until(lambda: len(rig.parked()) == 50)
        receiver.consumer.close()
        assert rig.left() == 0

    def test_settled_messages_are_not_redelivered_and_all_others_are(self, rig: SourceRig) -> None:
        """In any order, and with gaps."""
        rig.publish(*bodies(10))
        receiver = self.receiver(rig)
        messages = receiver.wait_for(10)
        receiver.store([messages[position] for position in (9, 0, 1, 5)])
        receiver.consumer.close()
        until(lambda: rig.left() == 6)

        again = self.receiver(rig)
        again.wait_for(6)

        assert sorted(again.bodies()) == [b"2", b"3", b"4", b"6", b"7", b"8"]
        assert all(message.redelivered for _, message in again.messages())
        again.consumer.close()

    def test_settling_twice_is_settling_once(self, rig: SourceRig) -> None:
        rig.publish(*bodies(3))
        receiver = self.receiver(rig)
        messages = receiver.wait_for(3)

        receiver.store(messages[:2])
        receiver.store(messages[:2])
        receiver.consumer.close()

        until(lambda: rig.left() == 1)

    def test_a_cut_connection_comes_back_as_a_new_generation(self, rig: SourceRig) -> None:
        """`Lost` names the old one; its unsettled messages are redelivered."""
        rig.publish(*bodies(7))
        receiver = self.receiver(rig, prefetch=5)
        old = receiver.wait_for(5)
        receiver.store(old[:2])
        receiver.wait_for(
            7
        )  # the broker has received two acknowledgements, since it delivers two more

        rig.cut()
        until(lambda: any(isinstance(event, Lost) for event in receiver.take()))
        receiver.wait_for(12)

        new = receiver.messages()[7:]
        assert sorted(message.body for _, message in new) == bodies(5, start=2)
        assert {origin.generation for origin, _ in new} == {old[0][0].generation + 1}
        assert receiver.consumer.is_stale(old[0][0])
        assert not receiver.consumer.is_stale(new[0][0])
        receiver.store(new)
        receiver.consumer.close()
        until(lambda: rig.left() == 0)

    def test_outcomes_of_an_older_connection_are_ignored(self, rig: SourceRig) -> None:
        """Their tags mean other messages now."""
        rig.publish(*bodies(3))
        receiver = self.receiver(rig)
        old = receiver.wait_for(3)
        rig.cut()
        receiver.wait_for(6)

        receiver.store(old)
        receiver.consumer.close()

        until(lambda: rig.left() == 3)

    def test_dropped_messages_are_acknowledged(self, rig: SourceRig) -> None:
        """Like stored ones, beside them and alone, and not parked."""
        rig.publish(*bodies(6))
        receiver = self.receiver(rig)
        messages = receiver.wait_for(6)
        origin, tags = messages[0][0], [message.tag for _, message in messages]

        receiver.consumer.settle(Outcomes(origin, tags[:2], [], dropped=tags[2:4]))
        receiver.consumer.settle(Outcomes(origin, [], [], dropped=tags[4:5]))
        receiver.consumer.settle(Outcomes(origin, [], [], dropped=tags[4:5]))
        receiver.consumer.close()

        until(lambda: rig.left() == 1)
        assert rig.parked() == []

    def test_rejected_messages_are_parked_with_their_reason(self, rig: SourceRig) -> None:
        """Only they are parked; then they are gone from the queue."""
        rig.publish(*bodies(5))
        receiver = self.receiver(rig)
        messages = receiver.wait_for(5)
        origin, poison = messages[2]

        receiver.consumer.settle(
            Outcomes(origin, [], [Rejected(poison, Rejection("no such field", 400))])
        )

        assert until(rig.parked) == [(b"2", "no such field")]
        receiver.store([messages[position] for position in (0, 1, 3, 4)])
        receiver.consumer.close()
        until(lambda: rig.left() == 0)

    def test_kept_messages_are_acknowledged(self, rig: SourceRig) -> None:
        """Like stored ones: the job's durable state counts them."""
        rig.publish(*bodies(4))
        receiver = self.receiver(rig)
        messages = receiver.wait_for(4)
        origin, tags = messages[0][0], [message.tag for _, message in messages]
        receiver.consumer.settle(Outcomes(origin, tags[:1], [], kept=tags[1:]))

        until(receiver.is_settled)
        receiver.consumer.close()
        assert rig.left() == 0
        assert rig.parked() == []

    def test_a_message_of_the_jobs_own_is_parked_and_confirmed(self, rig: SourceRig) -> None:
        """It needs no consumer, and a lost connection does not matter: none has delivered it."""
        source, confirmed = rig.source(), list[int]()

        def park(number: int, consumer: str | None = None) -> None:
            message = Message(0, False, b"", b"", b'{"n":%d}' % number)
            rejected = Rejected(message, Rejection("bad"))
            source.park(rejected, consumer, partial(confirmed.append, number))

        park(0)
        receiver = Receiver(source.consumer(source.consumers()[0]))
        until(receiver.take)
        park(1)
        rig.cut()
        park(2, source.consumers()[0])

        until(lambda: sorted(confirmed) == [0, 1, 2])
        # The cut may come before the confirmation: then the message is published again.
        assert {*rig.parked()} == {(b'{"n":%d}' % number, "bad") for number in range(3)}
        assert {letter.reason for letter in source.latest_dead_letters()} == {"bad"}
        assert receiver.consumer.counts.parked == 0
        receiver.consumer.close()
        source.close()

    def test_the_latest_dead_letters_are_known(self, rig: SourceRig) -> None:
        rig.publish(*bodies(3))
        source = rig.source()
        receiver = Receiver(source.consumer(source.consumers()[0]))
        messages = receiver.wait_for(3)
        rejected = [
            Outcomes(origin, [], [Rejected(message, Rejection(f"bad: {message.tag}"))])
            for origin, message in messages[:2]
        ]

        for outcomes in rejected:
            receiver.consumer.settle(outcomes)

        until(lambda: len(source.latest_dead_letters()) == 2)
        latest = source.latest_dead_letters()
        assert {(one.reason, one.body, one.messages) for one in latest} == {
            ("bad: 1", b"0", 1),
            ("bad: 2", b"1", 1),
        }
        assert latest[0].at >= latest[1].at
        receiver.store(messages[2:])
        receiver.consumer.close()

    def test_a_parked_message_may_stand_for_others(self, rig: SourceRig) -> None:
        """A summary is parked, a message from no queue, and settles all messages that it counts."""
        rig.publish(*bodies(5))
        receiver = self.receiver(rig)
        messages = receiver.wait_for(5)
        origin, tags = messages[0][0], [message.tag for _, message in messages]
        summary = Message(tags[0], False, b"", b"", b'{"n":4}')

        receiver.consumer.settle(
            Outcomes(origin, [], [Rejected(summary, Rejection("bad"), others=tags[1:4])])
        )

        assert until(rig.parked) == [(b'{"n":4}', "bad")]
        receiver.consumer.close()
        until(lambda: rig.left() == 1)

    def test_closing_waits_for_the_outcomes_handed_in(self, rig: SourceRig) -> None:
        """When `close` returns, the broker has every outcome, and the rest is requeued."""
        rig.publish(*bodies(50))
        receiver = self.receiver(rig)
        messages = receiver.wait_for(50)
        receiver.store(messages[:20])
        origin, poison = messages[20]
        receiver.consumer.settle(Outcomes(origin, [], [Rejected(poison, Rejection("bad"))]))

        receiver.consumer.close()

        assert rig.left() == 29
        assert rig.parked() == [(b"20", "bad")]

    def test_messages_that_wait_in_the_queue_are_counted(self, rig: SourceRig) -> None:
        rig.publish(*bodies(50))
        source = rig.source(prefetch=10)
        [name] = source.consumers()
        receiver = Receiver(source.consumer(name))
        receiver.wait_for(10)

        until(lambda: source.waiting() == {source.queue_of(name): 40})
        receiver.consumer.close()

    def test_a_drained_consumer_receives_nothing_more(self, rig: SourceRig) -> None:
        """It still settles its messages."""
        rig.publish(*bodies(3))
        receiver = self.receiver(rig)
        messages = receiver.wait_for(3)

        receiver.consumer.drain()
        receiver.consumer.drain()
        until(lambda: receiver.take() and receiver.consumer.drained)
        rig.publish(b"late")

        until(lambda: rig.left() == 1)
        assert len(receiver.messages()) == 3
        receiver.store(messages)
        receiver.consumer.close()
        assert rig.left() == 1

    def test_a_paused_consumer_receives_nothing_until_it_resumes(self, rig: SourceRig) -> None:
        """It still settles what it has, and keeps its place; also if it is paused twice."""
        rig.publish(*bodies(3))
        receiver = self.receiver(rig)
        messages = receiver.wait_for(3)

        receiver.consumer.pause()
        receiver.consumer.pause()
        until(lambda: receiver.consumer.paused)
        rig.publish(b"later", b"last")
        receiver.store(messages)

        until(lambda: rig.left() == 2)
        assert len(receiver.messages()) == 3
        receiver.consumer.resume()
        receiver.consumer.resume()
        assert [message.body for _, message in receiver.wait_for(5)][3:] == [b"later", b"last"]
        assert not receiver.consumer.paused
        receiver.store(receiver.messages()[3:])
        receiver.consumer.close()
        assert rig.left() == 0

    def test_a_paused_consumer_can_be_drained(self, rig: SourceRig) -> None:
        rig.publish(*bodies(3))
        receiver = self.receiver(rig)
        messages = receiver.wait_for(3)
        receiver.consumer.pause()
        until(lambda: receiver.consumer.paused)

        receiver.consumer.drain()

        until(lambda: receiver.take() or receiver.consumer.drained)
        receiver.store(messages)
        receiver.consumer.close()
        assert rig.left() == 0

    def test_each_message_goes_to_one_consumer(self, rig: SourceRig) -> None:
        """With several consumers on one queue; each settles its own messages."""
        rig.publish(*bodies(200))
        source = rig.source(consumers=2, prefetch=20)
        both = [Receiver(source.consumer(name)) for name in source.consumers()]
        done: list[bytes] = []

        def settle_all() -> bool:
            for receiver in both:
                new = receiver.messages()
                receiver.events = []
                done.extend(message.body for _, message in new)
                receiver.store(new)
            return len(done) >= 200

        until(settle_all)

        assert sorted(done) == sorted(bodies(200))
        for receiver in both:
            receiver.consumer.close()
        assert rig.left() == 0

    def test_a_full_consumer_reports_it(self, rig: SourceRig) -> None:
        """Nothing arrives until a message is settled, and a given prefetch stays."""
        rig.publish(*bodies(30))
        receiver = self.receiver(rig, prefetch=10)
        messages = receiver.wait_for(10)
        until(lambda: receiver.consumer.load[:4] == Load(10, 10, is_full=True, may_grow=False)[:4])

        receiver.consumer.grow(1.0)
        receiver.store(messages[:5])
        receiver.wait_for(15)
        until(lambda: rig.left() == 15)
        until(lambda: receiver.consumer.is_full)

        assert len(receiver.messages()) == 15
        receiver.store(receiver.messages()[5:])
        until(lambda: len(receiver.messages()) == 25)
        receiver.store(receiver.messages()[15:])
        until(lambda: len(receiver.messages()) == 30)
        assert not receiver.consumer.is_full
        receiver.consumer.close()

    def test_the_prefetch_grows_if_no_number_is_given(self, rig: SourceRig) -> None:
        """In order, without redelivery; held messages can be settled as before."""
        rig.publish(*bodies(4100))
        source = rig.source(prefetch=None)
        receiver = Receiver(source.consumer(source.consumers()[0]))
        receiver.wait_for(FIRST_PREFETCH)
        until(lambda: receiver.consumer.load.is_full)
        assert receiver.consumer.load.may_grow
        assert len(receiver.messages()) == receiver.consumer.load.prefetch < 1100

        def grown() -> bool:
            receiver.consumer.grow(1.0)
            receiver.take()
            return len(receiver.messages()) == 4100

        until(grown)

        messages = receiver.messages()
        assert [message.body for _, message in messages] == bodies(4100)
        assert not any(message.redelivered for _, message in messages)
        load = receiver.consumer.load
        assert (load.held, load.is_full) == (4100, False)
        assert load.prefetch >= 5 * FIRST_PREFETCH
        until(lambda: not any(source.waiting().values()))
        assert source.other_consumers() == {}  # a replaced consumer is none of another job
        receiver.store(messages)
        receiver.consumer.close()
        assert rig.left() == 0

    def test_it_holds_no_more_than_its_memory(self, rig: SourceRig) -> None:
        """With messages that become larger; it continues as they are settled."""
        small, large = [b"%d" % n for n in range(500)], [b"%030000d" % n for n in range(200)]
        rig.publish(*small, *large)
        source = rig.source(prefetch=None, memory=1024**2)
        receiver = Receiver(source.consumer(source.consumers()[0]))
        until(lambda: receiver.take() is not None and receiver.consumer.load.is_full)

        settled = 0
        while settled < 700:
            receiver.wait_for_more(than=settled)
            held = receiver.messages()[settled:]
            # The socket is read in pieces of 128 KiB.
            assert sum(len(message.body) + 600 for _, message in held) < 1024**2 + 160_000
            receiver.store(held)
            settled += len(held)

        assert {message.body for _, message in receiver.messages()} == {*small, *large}
        receiver.consumer.close()
        assert rig.left() == 0

    def test_a_message_larger_than_its_memory_passes(self, rig: SourceRig) -> None:
        rig.publish(b"first", bytes(100_000), b"last")
        source = rig.source(prefetch=None, memory=2000)
        receiver = Receiver(source.consumer(source.consumers()[0]))

        stored = 0
        while stored < 3:
            receiver.wait_for_more(than=stored)
            held = receiver.messages()[stored:]
            receiver.store(held)
            stored += len(held)

        assert [len(message.body) for _, message in receiver.messages()] == [5, 100_000, 4]
        receiver.consumer.close()
        assert rig.left() == 0
