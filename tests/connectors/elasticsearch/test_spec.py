"""The Elasticsearch part of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import certifi
import pytest
from elastic_transport.client_utils import url_to_node_config
from pydantic import ValidationError

from connectors.elasticsearch.spec import DocumentId, ElasticsearchSink


def sink(**keys: Any) -> ElasticsearchSink:
    return ElasticsearchSink(**{"url": "http://host", "index": "events"} | keys)


def test_defaults() -> None:
    spec = sink()

    assert (spec.action, spec.id, spec.concurrency) == ("index", "auto", 4)
    assert (spec.bulk.max_bytes, spec.request_timeout) == (10485760, 60.0)
    assert (spec.api_key, spec.basic_auth, spec.ca_certs, spec.index_fallback) == (None,) * 4


def test_in_code_a_url_may_be_one_or_a_list() -> None:
    assert sink(url="http://a").url == ("http://a",)
    assert sink(url=["http://a", "https://b:9200/c"]).url == ("http://a", "https://b:9200/c")


@pytest.mark.parametrize(
    "url", ["http://host", "https://host:9200", "http://[::1]:9200/", "https://u:p@host/a/b"]
)
def test_the_client_can_read_every_accepted_url(url: str) -> None:
    url_to_node_config(sink(url=url).url[0], use_default_ports_for_scheme=True)


@pytest.mark.parametrize("name", ["events", ".hidden", "a-b_c+1", "é", "e" * 255])
def test_legal_index_names_are_accepted(name: str) -> None:
    assert sink(index=name, index_fallback=name).index == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "-a", "_a", "+a", "A", "a b", "a/b", "a*", "a?", "a,b", "a#", "a:b", "e" * 256],
)
def test_illegal_index_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="the name of an index"):
        sink(index=name)
    with pytest.raises(ValidationError, match="the name of an index"):
        sink(index="events-{a}", index_fallback=name)


def test_a_template_is_kept_as_written() -> None:
    assert sink(index="events-{@timestamp:%Y.%m.%d}").index == "events-{@timestamp:%Y.%m.%d}"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("auto", "auto"),
        ({"field": "order.id"}, DocumentId(field="order.id")),
        ({"hash": "body"}, DocumentId(hash="body")),
    ],
)
def test_the_forms_of_id(written: Any, expected: Any) -> None:
    assert sink(id=written).id == expected


@pytest.mark.parametrize(
    ("keys", "default"),
    [
        ({}, "index"),
        ({"action": "create"}, "create"),
        ({"action": "update"}, "update"),
        ({"action": "update", "upsert": True}, "upsert"),
        ({"action": "delete"}, "delete"),
    ],
)
def test_the_action_of_documents_without_one(keys: dict[str, Any], default: str) -> None:
    assert sink(**keys).default_action == default


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"upsert": True}, "is for action: update"),
        ({"action": "create", "version": {"field": "v"}}, "create has no versions"),
        ({"action": "update", "version": {"field": "v"}}, "update has no versions"),
        ({"action": "update", "pipeline": "p"}, "is for action: index or create"),
        ({"action": "delete", "pipeline": "p"}, "is for action: index or create"),
    ],
)
def test_keys_that_do_not_fit_the_action_are_refused(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        sink(**keys)


@pytest.mark.parametrize(
    "keys", [{"action": "update"}, {"action": "delete"}, {"version": {"field": "v"}}]
)
def test_an_id_field_that_may_be_missing_gives_a_warning(keys: dict[str, Any]) -> None:
    (warning,) = sink(**keys).warnings()

    assert warning.at == ("id",)
    assert "without a message_id" in warning.text
    assert not [*sink(**keys, id={"field": "n"}).warnings()]


def test_credentials_are_not_shown() -> None:
    spec = sink(api_key="a2V5OnNlY3JldA==")

    assert "a2V5" not in repr(spec)
    assert spec.api_key
    assert spec.api_key.get_secret_value() == "a2V5OnNlY3JldA=="
    assert "hidden" not in repr(sink(basic_auth="user:hidden"))


@pytest.mark.parametrize("key", ["", "a b", "key\n", "kéy"])
def test_a_key_that_would_break_the_header_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="must be the encoded key"):
        sink(api_key=key)


@pytest.mark.parametrize("key", ["ca_certs", "client_cert"])
def test_a_certificate_must_be_in_an_existing_file(tmp_path: Path, key: str) -> None:
    path = tmp_path / "some.pem"
    with pytest.raises(ValidationError, match="there is no such file"):
        sink(**{key: str(path)})

    path.touch()
    with pytest.raises(ValidationError, match=r"must hold .* in PEM format"):
        sink(**{key: str(path)})


def test_a_certificate_authority_is_only_read() -> None:
    assert sink(ca_certs=certifi.where()).ca_certs == certifi.where()


def test_a_client_key_needs_a_certificate(tmp_path: Path) -> None:
    path = tmp_path / "some.key"
    path.touch()

    with pytest.raises(ValidationError, match="needs a client_cert too"):
        sink(client_key=str(path))
