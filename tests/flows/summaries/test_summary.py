"""The document of a reduced group: its fields, its index and its `_id`."""

from __future__ import annotations

import json
import string
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.elasticsearch.address import MAX_ID_BYTES, ElasticsearchAddressing
from connectors.message import Claim, Message, Origin, Properties, Rejection
from flows.messages.keys import canonical
from flows.summaries.fingerprint import count_in, fingerprint, grown
from flows.summaries.summary import Summaries, Summarised
from flows.values.group import (
    FRAGMENT,
    Amendment,
    FirstRevision,
    FullMember,
    Group,
    Member,
    OfWindow,
    Part,
    Summary,
    Unwritten,
    Written,
)
from tests.flows.addressing import ADDRESSING, Address

MINUTE = 1767323040.0  # 2026-01-02T03:04:00Z
ORIGIN = Origin("orders/000", 1)


@dataclass(frozen=True)
class FieldNames:
    key: str | None = "key"
    start: str | None = "window_start"
    end: str | None = "window_end"
    count: str | None = "count"
    completed_by: str | None = "completed_by"
    fingerprint: str | None = "fingerprint"


class NoAddress:
    """Rejects every document."""

    max_id_bytes = MAX_ID_BYTES

    fields, needs_body, leaves_ids = ("id",), True, False

    def address(
        self, document: Mapping[str, Any], properties: Properties, body: bytes, now: float
    ) -> tuple[str | None, str | None] | Rejection:
        raise AssertionError("a summary has its own name")

    def problem_of_index(self, name: str) -> None:
        """Accepts any name."""

    def index_of(
        self, document: Mapping[str, Any], properties: Properties, now: float
    ) -> Rejection:
        return Rejection(f"no_index: at {now}")


def group(
    key: str | None = '"a"',
    *,
    values: dict[str, Any] | None = None,
    count: int = 2,
    name: str | None = "first",
    origin: Origin = ORIGIN,
    completed_by: str = "count",
    start: float = MINUTE + 1.25,
    end: float = MINUTE + 5,
    of_window: OfWindow | None = None,
) -> Group:
    summary = Summary(values=values or {}, tags={origin: array("Q", [1])}, count=count, name=name)
    return Group(7, key, [], completed_by, start, end, summary, of_window=of_window)


def window(key: str | None = '"a"', *, completed_by: str = "window", **details: Any) -> Group:
    of_window = FirstRevision() if completed_by == "window" else FRAGMENT
    given = {"start": MINUTE, "end": MINUTE + 60, "of_window": of_window}
    return group(key, completed_by=completed_by, **{**given, **details})


def summarised(group: Group, names: FieldNames | None = None) -> Summarised:
    made = Summaries(names or FieldNames(), ADDRESSING).summarise(group)
    assert isinstance(made, Summarised)
    return made


def fields(group: Group, names: FieldNames | None = None) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(summarised(group, names).document)
    return document


# The document.


def test_a_summary_describes_the_group() -> None:
    assert summarised(group(values={"total": 5, "order.lines": [1, None]})).document == (
        b'{"key":"a","window_start":"2026-01-02T03:04:01.250Z",'
        b'"window_end":"2026-01-02T03:04:05.000Z","count":2,"completed_by":"count",'
        b'"total":5,"order.lines":[1,null]}'
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ('"1"', "1"),
        ("1", 1),
        ("true", True),
        ('["a",2]', ["a", 2]),
        ('{"a":[1]}', {"a": [1]}),
        (str(2**70), 2**70),
    ],
)
def test_the_key_keeps_its_type(key: str, value: object) -> None:
    assert fields(group(key))["key"] == value


def test_without_a_key_the_summary_has_no_key_field() -> None:
    assert "key" not in fields(group(None))


def test_the_fields_have_the_names_of_the_spec() -> None:
    names = FieldNames(key="order", start="from", end=None, count=None, completed_by="why")

    assert fields(group(values={"total": 5}), names) == {
        "order": "a",
        "from": "2026-01-02T03:04:01.250Z",
        "why": "count",
        "total": 5,
    }


def test_large_integers_keep_all_digits_and_infinity_is_null() -> None:
    document = summarised(group(values={"n": 3**60, "x": [float("inf"), float("nan")]})).document

    assert f'"n":{3**60},"x":[null,null]'.encode() in document


@pytest.mark.parametrize(
    "values",
    [{"a": "\ud800"}, {"\ud800": 1}, {"a": object()}, {"a": {(1, 2): 3}}],
    ids=["half a character", "in a name", "no value", "no name"],
)
def test_a_summary_that_json_cannot_express_is_rejected(values: dict[str, Any]) -> None:
    made = Summaries(FieldNames(), ADDRESSING).summarise(group(values=values))

    assert isinstance(made, Unwritten)
    assert made.rejection.reason.startswith("no_summary: ")


def test_a_rejected_summary_is_parked_as_far_as_json_can_express_it() -> None:
    """Nothing else is left of the messages."""
    made = Summaries(FieldNames(), ADDRESSING).summarise(
        window(start=1e15, values={"half": "\ud800", "total": 5})
    )

    assert isinstance(made, Unwritten)
    assert json.loads(made.summary) == {
        "key": "a",
        "start": 1e15,
        "end": MINUTE + 60,
        "count": 2,
        "completed_by": "window",
        "reduced": {"half": "\ud800", "total": 5},
    }


@pytest.mark.parametrize("start", [1e15, float("nan"), float("inf"), -1e15])
def test_a_time_outside_the_calendar_is_rejected(start: float) -> None:
    made = Summaries(FieldNames(), ADDRESSING).summarise(window(start=start))

    assert isinstance(made, Unwritten)
    assert made.rejection.reason.startswith("no_summary: ")


# Where it goes.


def test_one_index_for_all_is_that_of_the_sink() -> None:
    assert summarised(group()).index is None


def test_an_index_may_contain_fields_of_the_summary_and_the_end_of_the_window() -> None:
    addressing = ElasticsearchAddressing(Address("sums-{key}-{users.first}-{@timestamp:%Y-%m-%d}"))
    made = Summaries(FieldNames(), addressing).summarise(
        group(values={"users": {"first": "ada"}}, end=MINUTE + 86400)
    )

    assert isinstance(made, Summarised)
    assert made.index == "sums-a-ada-2026-01-03"


def test_an_index_may_contain_the_start_of_the_window() -> None:
    """`@timestamp` is its end, which is in another year for the last window of a year."""
    new_year = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    last = group(start=new_year - 60, end=new_year)

    for place, year in (("@timestamp", 2027), ("window_end", 2027), ("window_start", 2026)):
        made = Summaries(
            FieldNames(), ElasticsearchAddressing(Address(f"sums-{{{place}:%Y}}"))
        ).summarise(last)
        assert isinstance(made, Summarised)
        assert made.index == f"sums-{year}"


def test_a_summary_without_an_index_is_rejected() -> None:
    made = Summaries(FieldNames(), NoAddress()).summarise(group())

    assert isinstance(made, Unwritten)
    assert made.rejection == Rejection(f'no_index: at {MINUTE + 5}, key "a"')
    assert made.summary == summarised(group()).document


# Which document it is.


def test_a_whole_window_has_the_id_of_key_and_start_and_claims_it() -> None:
    made = summarised(window(count=3))

    assert made.id == '"a"@2026-01-02T03:04:00.000Z'
    assert made.claim == Claim("fingerprint", fingerprint(3, "first", []))
    assert json.loads(made.document)["fingerprint"] == made.claim.fingerprint


def test_without_a_fingerprint_field_it_claims_its_id_too() -> None:
    made = summarised(window(count=3), FieldNames(fingerprint=None))

    assert made.claim == Claim(None, fingerprint(3, "first", []))
    assert "fingerprint" not in json.loads(made.document)


def test_members_without_ids_have_a_unique_fingerprint() -> None:
    made = [Summaries(FieldNames(), ADDRESSING).summarise(window(name=None)) for _ in range(2)]

    one, other = (each.claim for each in made if isinstance(each, Summarised))
    assert one
    assert other
    assert one.fingerprint != other.fingerprint


def test_an_amendment_replaces_the_former_document() -> None:
    there = Written(fingerprint=fingerprint(3, "first", []), index="index", id="id")
    amendment = Amendment(replaces=there)
    late = window(count=4, completed_by="late", of_window=amendment)
    amended = summarised(late._replace(identities=["late"]))

    assert (amended.index, amended.id) == ("index", "id")
    grew = grown(there.fingerprint, 4, "late")
    assert amended.claim == Claim("fingerprint", grew, replaces=there.fingerprint)


def test_a_part_of_a_window_has_an_id_of_its_own() -> None:
    part = window(of_window=FirstRevision(beside="3:a"))

    assert summarised(part).id == '"a"@2026-01-02T03:04:00.000Z#first'
    nameless = summarised(window(name=None, of_window=FirstRevision(beside="3:a"))).id
    assert nameless
    assert nameless.startswith('"a"@2026-01-02T03:04:00.000Z#')


@pytest.mark.parametrize("completed_by", ["late", "stop", "room", "count", "forced", "last"])
def test_an_incomplete_window_is_another_document(completed_by: str) -> None:
    """With the same `_id` it would replace a document with other members."""
    made = summarised(window(completed_by=completed_by))

    assert (made.id, made.claim) == ('"a"@2026-01-02T03:04:00.000Z#first', None)
    assert summarised(window(completed_by=completed_by, name=None)).id is None


def test_without_keys_each_consumer_has_windows_of_its_own() -> None:
    one, other = (summarised(window(None, origin=Origin(f"q/00{n}", 1))) for n in (0, 1))

    assert one.id == '"q/000"@2026-01-02T03:04:00.000Z'
    assert one.claim == Claim("fingerprint", fingerprint(2, "first", []))
    assert other.id == '"q/001"@2026-01-02T03:04:00.000Z'


def test_a_new_connection_of_a_consumer_has_the_same_windows() -> None:
    ids = {summarised(window(None, origin=Origin("q/000", n))).id for n in (1, 2)}

    assert ids == {'"q/000"@2026-01-02T03:04:00.000Z'}


def test_the_consumer_is_known_if_all_members_are_documents_of_split_messages() -> None:
    parts = Summary(
        values={},
        tags={},
        count=2,
        name=None,
        parts={ORIGIN: [Part(1, 0, 2), Part(1, 1, 2)]},
    )

    assert summarised(window(None)._replace(summary=parts)).id == (
        '"orders/000"@2026-01-02T03:04:00.000Z'
    )


def test_any_other_group_has_the_id_of_its_key_and_its_members() -> None:
    made = summarised(group())

    assert (made.id, made.claim) == ('"a"#first', None)
    assert summarised(group(None)).id == "#first"


def test_without_ids_the_sink_makes_the_id() -> None:
    assert summarised(group(name=None)).id is None
    assert summarised(group(name="")).id is None


NAMES = st.text(string.ascii_lowercase + '@#~"\\é0', min_size=1, max_size=4)
KEYS = NAMES | st.integers(-5, 50) | st.lists(NAMES, max_size=2)
STARTS = st.integers(0, 10_000).map(lambda n: MINUTE + n / 1000)


@given(st.lists(st.tuples(KEYS.map(canonical), STARTS, NAMES), min_size=2))
def test_different_groups_are_different_documents(those: list[tuple[str, float, str]]) -> None:
    """For any keys and ids of members."""
    ids: dict[object, str | None] = {}
    for key, start, name in those:
        ids[key, start] = summarised(window(key, start=start, name=name)).id
        late = window(key, start=start, name=name, completed_by="late")
        ids[key, start, name] = summarised(late).id
        ids[key, name] = summarised(group(key, name=name)).id
        ids[name] = summarised(group(None, name=name, completed_by="alone")).id

    assert len(set(ids.values())) == len(ids)


@given(st.lists(st.tuples(NAMES, STARTS, NAMES), min_size=2))
def test_different_windows_without_keys_are_too(those: list[tuple[str, float, str]]) -> None:
    """For any names of consumers."""
    ids: dict[object, str | None] = {}
    for consumer, start, name in those:
        origin = Origin(consumer, 1)
        whole = window(None, start=start, name=name, origin=origin)
        ids[consumer, start] = summarised(whole).id
        late = whole._replace(completed_by="late", of_window=FRAGMENT)
        ids[consumer, start, name] = summarised(late).id

    assert len(set(ids.values())) == len(ids)


@given(st.lists(st.text("ab@#~", min_size=600, max_size=602), min_size=2, unique=True))
def test_long_ids_are_shortened_and_stay_different(keys: list[str]) -> None:
    ids = [summarised(window(canonical(key))).id or "" for key in keys]

    assert len(set(ids)) == len(keys)
    assert all(len(id.encode()) <= MAX_ID_BYTES for id in ids)


def test_an_id_of_exactly_the_limit_stays_readable() -> None:
    room = MAX_ID_BYTES - len('""@2026-01-02T03:04:00.000Z')

    assert summarised(window(canonical("k" * room))).id == (
        f'"{"k" * room}"@2026-01-02T03:04:00.000Z'
    )
    assert (summarised(window(canonical("k" * (room - 1) + "é"))).id or "").startswith("~")


# A function of the user's own.


def own_group(*documents: object, **details: Any) -> Group:
    members: list[Member] = [
        FullMember(
            ORIGIN,
            Message(tag, False, b"", b"", b""),
            document if isinstance(document, bytes) else msgspec.json.encode(document),
            None,
            None,
            message_id=f"m{tag}",
        )
        for tag, document in enumerate(documents, 1)
    ]
    return group()._replace(members=members, summary=None, **details)


def merge_order(documents: list[dict[str, Any]]) -> Any:
    return {"lines": [document["line"] for document in documents], "n": len(documents)}


def test_a_user_function_gets_the_documents_in_order_and_returns_the_fields() -> None:
    summaries = Summaries(FieldNames(), ADDRESSING, merge_order)
    made = summaries.summarise(own_group({"line": 2}, {"line": 1}))

    assert isinstance(made, Summarised)
    assert json.loads(made.document) == {
        "key": "a",
        "window_start": "2026-01-02T03:04:01.250Z",
        "window_end": "2026-01-02T03:04:05.000Z",
        "count": 2,
        "completed_by": "count",
        "lines": [2, 1],
        "n": 2,
    }
    assert str(made.id).startswith('"a"#m1+1:')
    assert made.claim is None


def test_a_group_of_other_members_has_another_id() -> None:
    """A member may be redelivered after a crash, and meet other messages than before."""
    summaries = Summaries(FieldNames(), ADDRESSING, merge_order)
    made = [
        summaries.summarise(own_group(*({"line": n} for n in range(count)))) for count in (1, 2, 3)
    ]

    names = [one.id for one in made if isinstance(one, Summarised)]
    assert names[0] == '"a"#m1'
    assert len(set(names)) == 3


def test_windows_of_a_user_function_have_the_same_ids_and_fingerprints() -> None:
    made = Summaries(FieldNames(), ADDRESSING, merge_order).summarise(
        own_group(
            {"line": 2},
            {"line": 1},
            key=None,
            completed_by="window",
            of_window=FirstRevision(),
        )
    )

    assert isinstance(made, Summarised)
    assert made.id == '"orders/000"@2026-01-02T03:04:01.250Z'
    assert made.claim is not None
    assert count_in(made.claim.fingerprint) == 2


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (None, "reduce_failed: it returned no dict, but NoneType"),
        ([{}], "reduce_failed: it returned no dict, but list"),
        ({"key": 1, "a": 2, "count": 3}, "reduce_failed: it returned count, key, which every"),
        ({"a": object()}, "no_summary: "),
        ({"a": "\ud800"}, "no_summary: "),
    ],
)
def test_an_invalid_result_is_rejected(returned: object, reason: str) -> None:
    made = Summaries(FieldNames(), ADDRESSING, lambda documents: returned).summarise(own_group({}))

    assert isinstance(made, Unwritten)
    assert made.rejection.reason.startswith(reason)


def test_an_exception_is_a_rejection() -> None:
    made = Summaries(FieldNames(), ADDRESSING, merge_order).summarise(own_group({}))

    assert made == Unwritten(Rejection("reduce_failed: merge_order: KeyError: 'line', key \"a\""))


@pytest.mark.parametrize("document", [b'{"a":"\\ud800"}', b'{"a":1e999}'])
def test_a_document_that_cannot_be_read_whole_is_a_rejection(document: bytes) -> None:
    made = Summaries(FieldNames(), ADDRESSING, merge_order).summarise(own_group(document))

    assert isinstance(made, Unwritten)
    assert made.rejection.reason.startswith("no_summary: ")


def test_a_self_referencing_result_is_rejected() -> None:
    endless: dict[str, Any] = {}
    endless["endless"] = endless

    made = Summaries(FieldNames(), ADDRESSING, lambda documents: endless).summarise(own_group({}))

    assert isinstance(made, Unwritten)
    assert made.rejection.reason.startswith("no_summary: ")
