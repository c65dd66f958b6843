"""Reads the index and the parked messages, and compares them with the published messages.

`compare`, which compares, is pure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.chaos.aggregates import JobKind
from tests.chaos.messages import MessageMaker, amount
from tests.chaos.world import ChaosWorld

REPAIRED = ("cluster_block_exception",)
"""Reasons that are temporary: a message that was parked for one may have been stored before, and
redelivered because its acknowledgement was lost; or it is stored later, because the confirmation
of its copy was lost."""
FAILED = ("fail_processor_exception",)
"""The same for messages at which the ingest processor fails."""
LATE = ("late",)
AMBIGUOUS = ("ambiguous_window",)
"""A redelivered message for a window that is already written may be parked although it is
counted."""
PAGE = 5000
"""Numbers in one search: Elasticsearch returns twice as many documents at most."""
SHOWN = 10


class RunVerdict(NamedTuple):
    """The outcomes of the messages of a run."""

    published: int
    lost: list[int]
    """Neither stored nor parked."""
    twice: list[int]
    """In more than one document, without an allowed reason."""
    counted_again: int
    """In more than one summary, which is allowed where windows are not aligned, or where the
    producer has published twice."""
    parked: int
    parked_again: int
    """Additional copies of parked messages."""
    parked_though_stored: int
    """Parked for a temporary reason, and stored."""
    late: int
    """Parked as late for their window."""
    wrong: list[str]
    """Other violations."""
    ambiguous: int = 0
    """Parked because their window may already count them."""

    @property
    def good(self) -> bool:
        """No message is lost or stored twice, and none has a wrong outcome."""
        return not (self.lost or self.twice or self.wrong)


def compare(
    messages: MessageMaker,
    published: int,
    republished: Collection[int],
    aggregate: JobKind,
    stored: Sequence[int],
    parked: Mapping[int, Sequence[str]],
) -> RunVerdict:
    """Look for each number; `parked` has the reasons of each copy."""
    times, wrong = Counter(stored), list[str]()
    lost = [n for n in range(published) if n not in times and n not in parked]
    again = [n for n, count in times.items() if count > 1]
    twice = [n for n in again if aggregate.exact and n not in republished]
    both, late, ambiguous = 0, 0, 0
    for number, reasons in parked.items():
        expected = messages.rejected(number)
        temporary = (*REPAIRED, *LATE, *AMBIGUOUS) if aggregate.reduced else REPAIRED
        if messages.may_fail(number) and not aggregate.reduced:
            temporary = (*temporary, *FAILED)
        if not all(reason.startswith((*expected, *temporary)) for reason in reasons):
            wrong.append(f"{number} is parked: {reasons[0]}")
        late += any(reason.startswith(LATE) for reason in reasons)
        ambiguous += any(reason.startswith(AMBIGUOUS) for reason in reasons)
        both += number in times
    wrong += [f"{n} is stored" for n in times if messages.rejected(n)]
    wrong += [f"{n} was never published" for n in {*times, *parked} if not 0 <= n < published]
    copies = sum(map(len, parked.values()))
    return RunVerdict(
        published,
        lost,
        twice,
        counted_again=len(again) - len(twice),
        parked=len(parked),
        parked_again=copies - len(parked),
        parked_though_stored=both,
        late=late,
        ambiguous=ambiguous,
        wrong=wrong,
    )


def stored_numbers(world: ChaosWorld, published: int, aggregate: JobKind) -> Iterator[int | str]:
    """Each number, as often as it is stored; and a text for each summary that is wrong."""
    world.ask("POST", f"/{world.index}/_refresh")
    field = "lowest" if aggregate.reduced else "n"
    for start in range(0, published, PAGE):
        page = {"range": {field: {"gte": start, "lt": start + PAGE}}}
        question = {"query": page, "size": 2 * PAGE, "track_total_hits": True}
        found = world.ask("POST", f"/{world.index}/_search", question)["hits"]
        assert found["total"]["value"] == len(found["hits"])
        for hit in found["hits"]:
            document = hit["_source"]
            if aggregate.reduced:
                yield from document["numbers"]
                yield from _wrong_with(document)
            else:
                yield document["n"]


def _wrong_with(summary: dict[str, Any]) -> Iterator[str]:
    numbers = summary["numbers"]
    if summary["count"] != len(numbers) or summary["total"] != sum(map(amount, numbers)):
        yield f"a summary does not add up: {summary}"


def parked_reasons(world: ChaosWorld) -> dict[int, list[str]]:
    """The reasons for each number; takes the messages out of their queue."""
    found: dict[int, list[str]] = {}

    def take(channel: Any) -> None:
        parking = f"{world.queue}.parked"
        left = channel.queue_declare(parking, durable=True).method.message_count
        if left:
            for _, properties, body in channel.consume(parking, auto_ack=True):
                reason = properties.headers.get("x-hopper-reason", "without a reason")
                # A parked summary stands for its members, which are not kept.
                name = properties.message_id
                for number in json.loads(body)["numbers"] if name is None else [int(name)]:
                    found.setdefault(number, []).append(reason)
                left -= 1
                if not left:
                    break

    world.at_broker(take)
    return found


def check(
    world: ChaosWorld,
    messages: MessageMaker,
    published: int,
    republished: Collection[int],
    aggregate: JobKind,
) -> RunVerdict:
    """Read the index and the parked messages, and compare."""
    numbers, wrong = list[int](), list[str]()
    for found in stored_numbers(world, published, aggregate):
        if isinstance(found, str):
            wrong.append(found)
        else:
            numbers.append(found)
    verdict = compare(messages, published, republished, aggregate, numbers, parked_reasons(world))
    return verdict._replace(wrong=verdict.wrong + wrong)
