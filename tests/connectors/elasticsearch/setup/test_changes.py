"""What is changed in a cluster: each state that it may be in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.elasticsearch.setup.changes import changes
from connectors.elasticsearch.setup.found import FoundCluster
from connectors.elasticsearch.setup.wanted import Wanted
from tests.connectors.elasticsearch.setup.wanting import wants

NOTHING = FoundCluster(template=None, rival=None, wanted_mapping={})
LONG = {"properties": {"n": {"type": "long"}}}


def stream(retention: str | None = "30d") -> Wanted:
    return wants(
        {"data_stream": {} if retention is None else {"retention": retention}}, action="create"
    )


def made(wanted: Wanted, found: FoundCluster) -> list[tuple[str, str, bool]]:
    done, conflicts = changes(wanted, found)
    assert conflicts == []
    return [(one.what, one.name, one.creates) for one in done]


def there(wanted: Wanted, **values: Any) -> FoundCluster:
    """A cluster that is as wanted, but for these values."""
    whole = FoundCluster(
        template=wanted.body,
        rival=None,
        wanted_mapping=LONG,
        kind="index" if wanted.kind == "indices" else wanted.kind,
        mapping=LONG,
        has_lifecycle=True,
        retention=wanted.retention,
        aliases={"orders": frozenset(wanted.aliases)},
    )
    return msgspec.structs.replace(whole, **values)


def test_the_template_comes_before_what_it_is_for() -> None:
    assert made(stream(), NOTHING) == [
        ("index template", "orders", True),
        ("data stream", "orders", True),
    ]
    assert made(wants({}), NOTHING)[1] == ("index", "orders", True)


def test_an_alias_begins_with_its_first_index() -> None:
    done, _ = changes(wants({"first_index": "orders-000001"}), NOTHING)

    assert (done[1].what, done[1].name) == ("index", "orders-000001")
    assert done[1].body == {"aliases": {"orders": {"is_write_index": True}}}


def test_of_several_indices_only_the_template_is_prepared() -> None:
    assert made(wants({}, "orders-{a}"), NOTHING) == [("index template", "orders", True)]


@pytest.mark.parametrize("wanted", [stream(), stream(None), wants({}), wants({"aliases": "all"})])
def test_a_cluster_that_is_as_wanted_stays_as_it_is(wanted: Wanted) -> None:
    assert changes(wanted, there(wanted)) == ([], [])


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        ({}, "the index orders keeps its settings: PUT /orders/_settings changes"),
        ({"first_index": "orders-1"}, "POST /orders/_rollover begins a new index"),
    ],
)
def test_settings_that_an_existing_index_does_not_get_warn(
    setup: dict[str, Any], words: str
) -> None:
    """They are in the template only, so the next comparison finds nothing to do."""
    old, new = (wants({**setup, "settings": {"number_of_replicas": n}}) for n in (0, 1))

    [change], _ = changes(new, there(new, template=old.body))

    assert words in change.warning
    assert all(not change.warning for change in changes(new, NOTHING)[0])


@pytest.mark.parametrize(
    ("old", "new", "warns"),
    [("30d", "7d", True), (None, "7d", True), ("7d", "30d", False), ("7d", None, False)],
)
def test_a_shorter_retention_warns(old: str | None, new: str | None, warns: bool) -> None:
    [change], _ = changes(stream(new), there(stream(new), retention=old))

    assert (change.what, change.creates) == ("lifecycle", False)
    assert change.body == ({} if new is None else {"data_retention": new})
    assert bool(change.warning) is warns


def test_the_same_retention_in_other_units_is_no_difference() -> None:
    assert changes(stream("1d"), there(stream("1d"), retention="24h")) == ([], [])


def test_a_stream_without_a_lifecycle_gets_one() -> None:
    assert made(stream(None), there(stream(None), has_lifecycle=False)) == [
        ("lifecycle", "orders", True)
    ]


def test_an_alias_is_added_to_the_indices_without_it() -> None:
    wanted = wants({"aliases": ["all", "more"], "first_index": "orders-1"})
    has = {"orders-1": frozenset({"orders", "all"}), "orders-2": frozenset({"orders"})}

    done, _ = changes(wanted, there(wanted, aliases=has))

    assert [(one.name, one.body["indices"]) for one in done] == [
        ("all", ["orders-2"]),
        ("more", ["orders-1", "orders-2"]),
    ]


@pytest.mark.parametrize(
    ("wanted", "remedy"),
    [
        (wants({}), "copy the documents with POST /_reindex"),
        (stream(), "POST /orders/_rollover begins a new index"),
    ],
)
def test_a_type_that_cannot_change_is_a_conflict_with_its_remedy(
    wanted: Wanted, remedy: str
) -> None:
    text = {"properties": {"n": {"type": "text"}, "m": {"type": "long"}}}

    done, [conflict] = changes(wanted, there(wanted, wanted_mapping=text))

    assert [one.body for one in done] == [{"properties": {"m": {"type": "long"}}}]
    assert 'properties.n.type is "long", and should be "text"' in conflict.text
    assert remedy in conflict.text


def test_what_is_of_another_kind_is_left_alone() -> None:
    done, [conflict] = changes(stream(), there(stream(), template=None, kind="index"))

    assert done == []
    assert conflict.text.startswith("is an index, and should be a data stream: ")


def test_a_template_that_would_not_count_is_not_written() -> None:
    done, [conflict] = changes(wants({}), there(wants({}), template=None, rival=("other", 500)))

    assert done == []
    assert "the index template other is for the same indices, with the priority 500" in (
        conflict.text
    )
    assert conflict.text.endswith("write setup.priority: 501")
