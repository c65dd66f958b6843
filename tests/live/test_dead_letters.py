"""`hopper dead-letters` on a real broker, as an operator calls it: no message is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.flows.cli.command import TOP, CommandResult, hopper, json_of
from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until

pytestmark = pytest.mark.live

PARSING = "document_parsing_exception: failed to parse field [n] in document with id 'id-"
UNREADABLE = "unreadable: the body is no JSON object"

SPEC = """
version: 1
name: test
source: {{rabbitmq: {{url: "{url}", queue: {queue}}}}}
aggregate: {{window: {{count: 10, time: 1s}}}}
sink:
  elasticsearch:
    url: ${{NOT_SET}}
    index: orders
dead_letter: {{rabbitmq: {{routing_key: {queue}.parked}}}}
"""


class DeadLetterRig:
    """A pipeline, its queue of dead letters, and the command of the operator."""

    def __init__(self, rig: RabbitMQRig, folder: Path, kind: str) -> None:
        self.rig, self.folder, self.kind = rig, folder, kind
        (folder / "pipeline.yaml").write_text(SPEC.format(url=rig.url, queue=rig.queue))
        rig.channel.queue_declare(rig.parking, durable=True, arguments={"x-queue-type": kind})

    def dead_letters(self, count: int, **headers: Any) -> None:
        """Publish them: every second one unreadable, each an hour older than the next one."""
        for number in range(count):
            reason = f"{PARSING}{number}'" if number % 2 else UNREADABLE
            time = datetime.now(UTC) - timedelta(hours=count - number)
            added = {
                "x-hopper-reason": reason,
                "x-hopper-queue": self.rig.queue,
                "x-hopper-exchange": "",
                "x-hopper-routing-key": self.rig.queue,
                "x-hopper-time": time.isoformat(),
                "x-hopper-index": f"orders-{number % 2}",
                "x-hopper-number": number,
                "tenant": "a",
                **headers,
            }
            properties = pika.BasicProperties(
                headers=added, message_id=f"id-{number}", delivery_mode=2, priority=1
            )
            self.rig.channel.basic_publish("", self.rig.parking, b"%d" % number, properties)

    def __call__(self, command: str, *arguments: str) -> CommandResult:
        return hopper("dead-letters", command, *arguments, folder=self.folder)

    def json(self, command: str, *arguments: str) -> Any:
        return json_of(self(command, "--json", *arguments), "dead-letters", command)

    def in_queue(self, queue: str) -> list[tuple[bytes, pika.BasicProperties]]:
        """Take all messages out of a queue."""
        found: list[tuple[bytes, pika.BasicProperties]] = []
        while True:
            method, properties, body = self.rig.channel.basic_get(queue, auto_ack=True)
            if method is None:
                return found
            found.append((body, properties))

    def bodies(self, queue: str) -> list[int]:
        return [int(body) for body, _ in self.in_queue(queue)]


@pytest.fixture(params=["classic", "quorum"])
def letters(
    request: pytest.FixtureRequest, rabbitmq_url: str, tmp_path: Path
) -> Iterator[DeadLetterRig]:
    with rabbitmq_rig(rabbitmq_url) as rig:
        yield DeadLetterRig(rig, tmp_path, request.param)


@pytest.fixture
def stream(rabbitmq_url: str, tmp_path: Path) -> Iterator[DeadLetterRig]:
    with rabbitmq_rig(rabbitmq_url) as rig:
        yield DeadLetterRig(rig, tmp_path, "stream")


def test_a_list_groups_by_kind_and_leaves_all_in_order(letters: DeadLetterRig) -> None:
    """It needs no secret of Elasticsearch."""
    letters.dead_letters(6)

    listed = letters.json("list")

    assert [(one["kind"], one["count"], one["indices"]) for one in listed["kinds"]] == [
        (UNREADABLE, 3, ["orders-0"]),
        (
            "document_parsing_exception: failed to parse field [n] in document with id",
            3,
            ["orders-1"],
        ),
    ]
    assert (listed["ready"], listed["browsed"]) == (6, 6)
    result = letters("list", "--older-than", "4h")
    assert result.code == 0
    assert f"queue {letters.rig.parking}: 3 dead letters\n" in result.out
    assert letters.bodies(letters.rig.parking) == [0, 1, 2, 3, 4, 5]


def test_looking_at_a_few_leaves_the_others_untouched(letters: DeadLetterRig) -> None:
    """A quorum queue without a delivery limit puts those few behind the others."""
    letters.dead_letters(6)

    limited = letters("list", "--limit", "2")

    assert "browsed 2 of 6 messages: --limit browses more" in limited.out
    left = [letters.rig.channel.basic_get(letters.rig.parking, auto_ack=True) for _ in range(6)]
    behind = letters.kind == "quorum"
    assert [int(body) for _, _, body in left] == ([2, 3, 4, 5, 0, 1] if behind else [*range(6)])
    assert [int(body) for method, _, body in left if method.redelivered] == [0, 1]


def test_messages_are_shown_and_stay(letters: DeadLetterRig) -> None:
    letters.dead_letters(4)

    shown = letters.json("show", "--kind", "document_parsing", "--limit", "1")["letters"]

    [letter] = shown
    assert (letter["body"], letter["reason"]) == ("1", f"{PARSING}1'")
    assert letter["headers"] == {"tenant": "a"}
    assert letter["properties"]["message_id"] == "id-1"
    text = letters("show", "--limit", "1").out
    assert f"1  {UNREADABLE}\n" in text
    assert f'from queue {letters.rig.queue}, published to exchange ""' in text
    assert sorted(letters.bodies(letters.rig.parking)) == [0, 1, 2, 3]


def test_a_replay_publishes_the_original_messages(letters: DeadLetterRig) -> None:
    """In their order, without our headers, except one that counts."""
    letters.dead_letters(4)

    dry = letters("replay", "--dry-run")
    assert f"queue {letters.rig.parking}: would replay 4 of 4 dead letters\n" in dry.out
    assert letters.json("list")["ready"] == 4

    result = letters("replay")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        f"queue {letters.rig.parking}: replayed 4 of 4 dead letters",
        f"       4  sent to queue {letters.rig.queue}",
    ]
    replayed = letters.in_queue(letters.rig.queue)
    assert [int(body) for body, _ in replayed] == [0, 1, 2, 3]
    for number, (_, properties) in enumerate(replayed):
        assert properties.message_id == f"id-{number}"
        assert (properties.delivery_mode, properties.priority) == (2, 1)
        assert properties.headers.pop("x-hopper-number") == number + 1
        assert properties.headers == {"tenant": "a", "x-hopper-replays": 1}
    assert letters.bodies(letters.rig.parking) == []


@pytest.mark.parametrize(
    ("selection", "replayed"),
    [
        (["--kind", "unreadable"], [0, 2, 4]),
        (["--reason", "id-3"], [3]),
        (["--reason", "id-3", "--reason", "id-5"], [3, 5]),
        (["--index", "orders-1", "--limit", "2"], [1, 3]),
        (["--older-than", "210m"], [0, 1, 2]),
        (["--newer-than", "90m"], [5]),
        (["--limit", "2"], [0, 1]),
    ],
    ids=lambda words: " ".join(words) if words and isinstance(words[0], str) else None,
)
def test_only_selected_messages_are_replayed(
    rabbitmq_url: str, tmp_path: Path, selection: list[str], replayed: list[int]
) -> None:
    with rabbitmq_rig(rabbitmq_url) as rig:
        letters = DeadLetterRig(rig, tmp_path, "classic")
        letters.dead_letters(6)

        assert letters("replay", *selection).code == 0

        assert letters.bodies(rig.queue) == replayed
        assert letters.bodies(rig.parking) == [n for n in range(6) if n not in replayed]


def test_a_message_that_no_queue_takes_stays(letters: DeadLetterRig) -> None:
    """Other messages are replayed; and it can be sent directly to its queue."""
    letters.dead_letters(1, **{"x-hopper-routing-key": "nowhere"})
    letters.dead_letters(2)

    result = letters("replay")
    assert result.code == 3
    assert result.out.splitlines() == [
        f"queue {letters.rig.parking}: replayed 2 of 3 dead letters",
        f"       2  sent to queue {letters.rig.queue}",
        "       1  stay: no queue takes it: there is no queue nowhere",
    ]
    assert letters.json("list")["ready"] == 1

    assert letters("replay", "--to-queue").code == 0
    assert letters.bodies(letters.rig.queue) == [0, 1, 0]


def test_a_message_that_a_full_queue_refuses_stays(letters: DeadLetterRig) -> None:
    full = f"{letters.rig.queue}.full"
    bounds = {"x-max-length": 1, "x-overflow": "reject-publish"}
    letters.rig.channel.queue_declare(full, exclusive=True, arguments=bounds)
    letters.dead_letters(2, **{"x-hopper-routing-key": full})

    result = letters("replay")

    assert result.code == 3
    assert result.out.splitlines()[1:] == [
        f"       1  sent to queue {full}",
        f"       1  stay: queue {full} refuses it: it may be full",
    ]
    assert letters.json("list")["ready"] == 1


def test_a_missing_exchange_ends_the_replay_and_loses_nothing(letters: DeadLetterRig) -> None:
    letters.dead_letters(2, **{"x-hopper-exchange": "nowhere"})

    result = letters("replay")

    assert result.code == 1
    assert "create the exchange, or replay straight to the queue: --to-queue" in result.err
    assert letters.bodies(letters.rig.parking) == [0, 1]


def test_a_message_that_was_rejected_again_is_not_replayed_again(letters: DeadLetterRig) -> None:
    """Unless the option asks for it."""
    letters.dead_letters(1, **{"x-hopper-replays": 1})
    letters.dead_letters(1)

    result = letters("replay")
    assert result.code == 3
    assert "stay: replayed before and rejected again (--max-replays 1)" in result.out
    [(_, properties)] = letters.in_queue(letters.rig.queue)
    assert properties.headers["x-hopper-replays"] == 1

    assert letters("replay", "--max-replays", "2").code == 0
    [(_, properties)] = letters.in_queue(letters.rig.queue)
    assert properties.headers["x-hopper-replays"] == 2


def test_a_replay_ends_although_a_job_rejects_all_messages_again(
    rig: RabbitMQRig, events: Index, tmp_path: Path
) -> None:
    """With a real job on the queue, whose mapping is still wrong."""
    events.create({"n": {"type": "integer"}})
    rig.channel.queue_declare(rig.parking, durable=True)
    path = spec(tmp_path, rig, events)
    bad = [b'{"n":"bad %d"}' % number for number in range(20)]
    with JobProcess(path) as job:
        rig.publish(*bad)
        until(lambda: rig.left_in(rig.parking) == 20)
        result = hopper("dead-letters", "replay", folder=tmp_path)
        assert "replayed 20 of 20 dead letters" in result.out
        until(lambda: rig.left_in(rig.parking) == 20 and rig.left() == 0)
        again = hopper("dead-letters", "replay", folder=tmp_path)
        assert again.code == 3
        assert "replayed 0 of 20 dead letters" in again.out
        assert job.drain() == 0

    assert sorted(body for body, _ in rig.parked()) == sorted(bad)


def test_a_replay_that_is_killed_loses_nothing(letters: DeadLetterRig) -> None:
    """At any moment; it repeats no more than the messages in flight.

    Of a quorum queue, also messages whose acknowledgements RabbitMQ has received but not applied:
    it forgets these with the channel. Up to 100 more each time is generous: 97 were seen in three
    kills.
    """
    letters.dead_letters(3000)
    for _ in range(3):
        kill_in_the_middle(letters)
    replayed: list[int] = []

    def all_replayed() -> bool:
        """RabbitMQ returns the messages of a killed replay, sent ones too, when it sees the end."""
        assert letters("replay", "--to-queue").code == 0
        replayed.extend(letters.bodies(letters.rig.queue))
        return set(replayed) == set(range(3000)) and letters.rig.left_in(letters.rig.parking) == 0

    until(all_replayed)
    repeated = 3 * {"classic": 100, "quorum": 200}[letters.kind]
    assert len(replayed) <= 3000 + repeated


def kill_in_the_middle(letters: DeadLetterRig) -> None:
    command = [sys.executable, "-m", "flows", "dead-letters", "replay", "--to-queue"]
    replay = subprocess.Popen(command, cwd=letters.folder, env={"PYTHONPATH": str(TOP)})
    sent = letters.rig.left()
    until(lambda: letters.rig.left() > sent or replay.poll() is not None)
    replay.send_signal(signal.SIGKILL)
    replay.wait()


def test_discarded_messages_are_kept_in_a_file_first(letters: DeadLetterRig) -> None:
    letters.dead_letters(5)

    unconfirmed = letters("discard")
    assert unconfirmed.code == 2
    assert "there is no terminal for the question: --yes discards without it" in unconfirmed.err
    result = letters("discard", "--yes", "--kind", "unreadable", "--to", "gone.ndjson")

    assert (
        result.out
        == f"queue {letters.rig.parking}: discarded 3 dead letters, kept in gone.ndjson\n"
    )
    lines = (letters.folder / "gone.ndjson").read_text().splitlines()
    assert [json.loads(line)["body"] for line in lines] == ["0", "2", "4"]
    nowhere = letters("discard", "--yes", "--to", "no/such/folder")
    assert nowhere.code == 2
    assert "--to no/such/folder: cannot be written: No such file or directory" in nowhere.err
    assert letters.bodies(letters.rig.parking) == [1, 3]


def test_a_stream_keeps_its_messages_after_a_look_and_a_replay(stream: DeadLetterRig) -> None:
    stream.dead_letters(4)

    listed = stream.json("list")
    assert (listed["ready"], listed["browsed"]) == (None, 4)
    result = stream("replay", "--kind", "unreadable")
    assert result.code == 0
    assert "is a stream, which keeps replayed messages" in result.err
    assert stream.bodies(stream.rig.queue) == [0, 2]
    kept = stream("discard", "--yes")
    assert kept.code == 1
    assert "is a stream, which removes only by its retention" in kept.err
    assert stream.json("list")["browsed"] == 4


def test_dead_letters_of_a_stream_may_be_in_a_queue(letters: DeadLetterRig) -> None:
    """Their headers name the stream that they came from."""
    letters.dead_letters(2, **{"x-stream-offset": 7})

    assert letters("replay").code == 0

    headers = [properties.headers for _, properties in letters.in_queue(letters.rig.queue)]
    assert ["x-stream-offset" in one for one in headers] == [False, False]
    assert letters.bodies(letters.rig.parking) == []


def test_dead_letters_may_be_on_another_broker(letters: DeadLetterRig) -> None:
    """The replay goes to the broker of the source."""
    letters.dead_letters(2)
    path = letters.folder / "pipeline.yaml"
    text = path.read_text()
    own = f'{{url: "{letters.rig.direct_url}", routing_key: '
    path.write_text(text.replace("{routing_key: ", own))

    assert letters("replay").code == 0

    assert letters.bodies(letters.rig.queue) == [0, 1]


def test_an_impossible_command_gives_one_sentence(letters: DeadLetterRig) -> None:
    empty = letters("list")
    assert (empty.code, empty.out) == (0, f"queue {letters.rig.parking}: no dead letters\n")
    letters.dead_letters(2)

    unknown = letters("replay", "--reason", "nothing like it")
    assert unknown.code == 2
    assert "no dead letter has such a reason; the kinds of reasons are:" in unknown.err
    assert UNREADABLE in unknown.err
    assert "must be a number and a unit" in letters("list", "--older-than", "old").err
    assert "no such" in letters("list", "--queue", "no such").err.lower()
    assert letters("show", "--limit", "0").code == 2
    assert letters("list", "nowhere.yaml").code == 2
    for result in (letters("list", "--queue", "no such"), letters("list", "nowhere.yaml")):
        assert "Traceback" not in result.err

    path = letters.folder / "pipeline.yaml"
    text = path.read_text()
    path.write_text(text.replace("{routing_key: ", "{exchange: dead, routing_key: "))
    result = letters("list")
    assert result.code == 2
    assert "they go to the exchange dead; name the queue with --queue" in " ".join(
        result.err.split()
    )
    assert letters("list", "--queue", letters.rig.parking).code == 0
    path.write_text(text.replace(letters.rig.url, "${BROKER}"))
    assert "source.rabbitmq.url: BROKER has no value: set it" in letters("list").err
    path.write_text(text.replace(letters.rig.url, "amqp://guest:s3cret@127.0.0.1:1/"))
    result = letters("list")
    assert (result.code, result.out) == (1, "")
    assert "Connection refused" in result.err
    assert "s3cret" not in result.err
