"""Reads the index and the parked messages, and compares them with the published messages.

`compare`, which compares, is pure. So is `compare_durable`, which allows less.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
Numbers = tuple[int, ...]
"""Those that a summary lists, in its order."""
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
    """In more than one summary, which is allowed where windows are not aligned."""
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
    unconfirmed: Collection[int],
    aggregate: JobKind,
    stored: Sequence[int],
    parked: Mapping[int, Sequence[str]],
) -> RunVerdict:
    """Look for each number; `parked` has the reasons of each copy.

    `unconfirmed`: numbers that the broker may not have.
    """
    times, wrong = Counter(stored), list[str]()
    lost = _lost(published, unconfirmed, times, parked)
    again = [n for n, count in times.items() if count > 1]
    twice = again if aggregate.exact else []
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
    wrong += _impossible(messages, published, times, parked)
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


def compare_durable(
    messages: MessageMaker,
    published: int,
    unconfirmed: Collection[int],
    stored: Sequence[Numbers],
    parked: Mapping[int, Sequence[str]],
    refused: Sequence[tuple[Numbers, str]],
) -> RunVerdict:
    """Look for each number: it must be in exactly one summary, or parked for its own fault.

    `refused`: summaries that Elasticsearch has refused, each copy with its reason. Such a summary
    may also be stored, if the answer to its first request was lost; then it is the same one.
    """
    refused_once = {numbers for numbers, _ in refused}
    parked_only = refused_once.difference(stored)
    times = Counter(number for numbers in [*stored, *parked_only] for number in numbers)
    wrong = [
        f"{number} is parked: {reason}"
        for number, reasons in parked.items()
        for reason in reasons
        if not reason.startswith(messages.rejected(number))
    ]
    wrong += [
        f"a summary is parked: {reason}" for _, reason in refused if not reason.startswith(REPAIRED)
    ]
    wrong += _impossible(messages, published, times, parked)
    again = len(refused) - len(refused_once)
    late = [reason for reasons in parked.values() for reason in reasons if reason.startswith(LATE)]
    twice = [number for number, count in times.items() if count > 1 or number in parked]
    return RunVerdict(
        published,
        _lost(published, unconfirmed, times, parked),
        twice,
        counted_again=0,
        parked=len(parked) + sum(map(len, parked_only)),
        parked_again=again + sum(map(len, parked.values())) - len(parked),
        parked_though_stored=sum(map(len, refused_once.intersection(stored))),
        late=len(late),
        wrong=wrong,
    )


def _lost(
    published: int,
    unconfirmed: Collection[int],
    stored: Collection[int],
    parked: Collection[int],
) -> list[int]:
    found = {*stored, *parked, *unconfirmed}
    return [number for number in range(published) if number not in found]


def _impossible(
    messages: MessageMaker, published: int, stored: Collection[int], parked: Iterable[int]
) -> list[str]:
    return [
        *(f"{n} is stored" for n in stored if messages.rejected(n)),
        *(f"{n} was never published" for n in {*stored, *parked} if not 0 <= n < published),
    ]


def stored_documents(
    world: ChaosWorld, published: int, aggregate: JobKind
) -> Iterator[dict[str, Any]]:
    """Read all documents."""
    world.ask("POST", f"/{world.index}/_refresh")
    field = "lowest" if aggregate.reduced else "n"
    for start in range(0, published, PAGE):
        page = {"range": {field: {"gte": start, "lt": start + PAGE}}}
        question = {"query": page, "size": 2 * PAGE, "track_total_hits": True}
        found = world.ask("POST", f"/{world.index}/_search", question)["hits"]
        assert found["total"]["value"] == len(found["hits"])
        yield from (hit["_source"] for hit in found["hits"])


def _wrong_with(summaries: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        f"a summary does not add up: {summary}"
        for summary in summaries
        if summary["count"] != len(summary["numbers"])
        or summary["total"] != sum(map(amount, summary["numbers"]))
    ]


class ParkedCopies(NamedTuple):
    """The content of the queue with the dead letters."""

    messages: dict[int, list[str]]
    """The reasons for each number, one for each copy."""
    summaries: list[tuple[dict[str, Any], str]]
    """Each copy of a summary with its reason. It stands for its members, which are not kept."""

    def reasons(self) -> dict[int, list[str]]:
        """Return the reasons for each number, also of the summaries with it."""
        found = {number: [*reasons] for number, reasons in self.messages.items()}
        for summary, reason in self.summaries:
            for number in summary["numbers"]:
                found.setdefault(number, []).append(reason)
        return found


def parked_copies(world: ChaosWorld) -> ParkedCopies:
    """Take all dead letters out of their queue."""
    found = ParkedCopies({}, [])

    def take(channel: Any) -> None:
        parking = f"{world.queue}.parked"
        left = channel.queue_declare(parking, durable=True).method.message_count
        if left:
            for _, properties, body in channel.consume(parking, auto_ack=True):
                reason = properties.headers.get("x-hopper-reason", "without a reason")
                if properties.message_id is None:
                    found.summaries.append((json.loads(body), reason))
                else:
                    found.messages.setdefault(int(properties.message_id), []).append(reason)
                left -= 1
                if not left:
                    break

    world.at_broker(take)
    return found


def check(
    world: ChaosWorld,
    messages: MessageMaker,
    published: int,
    unconfirmed: Collection[int],
    aggregate: JobKind,
) -> RunVerdict:
    """Read the index and the parked messages, and compare."""
    documents = [*stored_documents(world, published, aggregate)]
    parked = parked_copies(world)
    if not aggregate.reduced:
        stored = [document["n"] for document in documents]
        return compare(messages, published, unconfirmed, aggregate, stored, parked.reasons())
    if aggregate.durable:
        summaries = [tuple(document["numbers"]) for document in documents]
        refused = [(tuple(summary["numbers"]), reason) for summary, reason in parked.summaries]
        verdict = compare_durable(
            *(messages, published, unconfirmed, summaries, parked.messages, refused)
        )
    else:
        stored = [number for document in documents for number in document["numbers"]]
        verdict = compare(messages, published, unconfirmed, aggregate, stored, parked.reasons())
    wrong = _wrong_with([*documents, *(summary for summary, _ in parked.summaries)])
    return verdict._replace(wrong=verdict.wrong + wrong)
