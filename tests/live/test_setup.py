"""`hopper setup` on real clusters of two major versions, and a job that may only write."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from tests.flows.cli.command import CommandResult, hopper, json_of
from tests.live.job import JobProcess
from tests.live.queues import RabbitMQRig
from tests.live.store import PASSWORD, StoreClient
from tests.live.versions import VERSIONS
from tests.waiting import until
from tools.local import elasticsearch as local

pytestmark = pytest.mark.live


@pytest.fixture(scope="module", params=VERSIONS)
def secured(request: pytest.FixtureRequest) -> Iterator[StoreClient]:
    """A cluster with security, of each version."""
    name = f"setup-{request.param.partition('.')[0]}"
    server = local.ElasticsearchServer(name, version=request.param, password=PASSWORD, fast=True)
    with server.start():
        yield StoreClient(server.url, **urllib3.make_headers(basic_auth=f"elastic:{PASSWORD}"))


class SetupRig:
    """A pipeline with a `setup`, and the command of the operator."""

    def __init__(self, store: StoreClient, folder: Path) -> None:
        self.store, self.folder, self.name = store, folder, f"test-{uuid.uuid4()}"
        self.environment = folder / "admin.env"
        self.environment.write_text(f"LOGIN=elastic:{PASSWORD}\n")

    def write(self, setup: dict[str, Any], url: str = "amqp://nowhere", **sink: Any) -> Path:
        spec: dict[str, Any] = {
            "version": 1,
            "name": self.name,
            "source": {"rabbitmq": {"url": url, "queue": self.name}},
            "aggregate": {"window": {"count": 100, "time": "100ms"}},
            "sink": {
                "elasticsearch": {
                    "url": self.store.url,
                    "index": self.name,
                    "basic_auth": "${LOGIN}",
                    **sink,
                }
            },
            "setup": setup,
        }
        path = self.folder / "pipeline.yaml"
        path.write_text(yaml.safe_dump(spec))
        return path

    def __call__(self, *options: str) -> CommandResult:
        return hopper("setup", "--env", str(self.environment), *options, folder=self.folder)

    def dry(self) -> list[tuple[str, bool]]:
        """What a dry run would change, and whether each is created."""
        result = self("--dry-run", "--json")
        found = json_of(result, "setup")
        assert result.code == (5 if found["changes"] or found["conflicts"] else 0)
        return [(one["what"], one["creates"]) for one in found["changes"]]

    def key(self, *privileges: str) -> str:
        """An API key for these indices only."""
        names = [f"{self.name}*"]
        role = {"writer": {"indices": [{"names": names, "privileges": privileges}]}}
        body = {"name": self.name, "role_descriptors": role}
        return str(self.store.ask("POST", "/_security/api_key", body)["encoded"])

    def mapping(self, index: str) -> dict[str, Any]:
        [found] = self.store.ask("GET", f"/{index}/_mapping").values()
        properties: dict[str, Any] = found["mappings"]["properties"]
        return properties


@pytest.fixture
def setup(secured: StoreClient, tmp_path: Path) -> Iterator[SetupRig]:
    rig = SetupRig(secured, tmp_path)
    yield rig
    secured.ask("DELETE", f"/_data_stream/{rig.name}*")
    secured.ask("DELETE", f"/{rig.name}*?expand_wildcards=all")
    for one in secured.ask("GET", "/_index_template")["index_templates"]:
        if one["name"].startswith(rig.name):
            secured.ask("DELETE", f"/_index_template/{one['name']}")


MAPPING = {
    "dynamic": "strict",
    "properties": {
        "@timestamp": {"type": "date"},
        # Elasticsearch leaves out a default, and writes a text that is a number as a number.
        "n": {"type": "integer", "index": True},
        "text": {"type": "keyword", "ignore_above": "256"},
        "of": {"properties": {"name": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}},
    },
}
STREAM = {
    "mapping": MAPPING,
    "settings": {"number_of_replicas": 0, "index": {"refresh_interval": "1s"}},
    "data_stream": {"retention": "30d"},
    "aliases": ["{name}-all"],
}


def stream(rig: SetupRig, **changed: Any) -> dict[str, Any]:
    return {**STREAM, "aliases": [f"{rig.name}-all"], **changed}


def test_a_dry_run_changes_nothing(setup: SetupRig) -> None:
    setup.write(stream(setup), action="create")

    result = setup("--dry-run")

    assert result.code == 5
    assert f"index template {setup.name}: to be created\n" in result.out
    assert '  + template.lifecycle.data_retention: "30d"\n' in result.out
    assert '  + template.mappings.properties.n.type: "integer"\n' in result.out
    assert f"data stream {setup.name}: to be created\n" in result.out
    assert setup.dry() == [("index template", True), ("data stream", True)]
    assert setup.store.ask("GET", f"/_data_stream/{setup.name}*")["data_streams"] == []


def test_a_second_run_finds_nothing_to_do(setup: SetupRig) -> None:
    """Also with defaults, numbers and nested fields that Elasticsearch writes in another way."""
    setup.write(stream(setup), action="create")

    first, second = setup("--yes"), setup("--yes")

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert f"done: data stream {setup.name}\n" in first.out
    assert second.out == f"Elasticsearch at {setup.store.url} is as the file says\n"
    assert setup.dry() == []
    assert setup.mapping(setup.name)["n"] == {"type": "integer"}
    assert [*setup.store.ask("GET", f"/_alias/{setup.name}-all")] == [setup.name]


def test_a_changed_lifecycle_warns_if_documents_are_deleted(setup: SetupRig) -> None:
    setup.write(stream(setup), action="create")
    assert setup("--yes").code == 0

    setup.write(stream(setup, data_stream={"retention": "720h"}), action="create")
    assert setup.dry() == []
    setup.write(stream(setup, data_stream={"retention": "7d"}), action="create")
    shorter = setup("--yes")
    setup.write(stream(setup, data_stream={}), action="create")
    for_ever = setup("--yes")

    assert (shorter.code, for_ever.code) == (0, 0)
    assert '  - data_retention: "30d"\n  + data_retention: "7d"\n' in shorter.out
    assert "warning: Elasticsearch deletes documents that are older than 7d\n" in shorter.out
    assert '  - data_retention: "7d"\n' in for_ever.out
    assert "warning" not in for_ever.out
    assert setup.dry() == []


def test_a_new_field_is_added_to_what_exists(setup: SetupRig) -> None:
    setup.write({"mapping": {"properties": {"n": {"type": "integer"}}}})
    assert setup("--yes").code == 0
    setup.store.ask("PUT", f"/{setup.name}/_mapping", {"properties": {"own": {"type": "long"}}})

    more = {"n": {"type": "integer", "ignore_malformed": True}, "new": {"type": "keyword"}}
    setup.write({"mapping": {"properties": more}})

    assert setup.dry() == [("index template", False), ("mapping", False)]
    assert setup("--yes").code == 0
    assert setup.mapping(setup.name) == {**more, "own": {"type": "long"}}
    assert setup.dry() == []


def test_a_field_of_another_type_is_a_conflict_with_its_remedy(setup: SetupRig) -> None:
    """A rollover ends it; the fields that fit are added."""
    setup.write(stream(setup), action="create")
    assert setup("--yes").code == 0
    properties = {**MAPPING["properties"], "n": {"type": "keyword"}, "new": {"type": "long"}}  # type: ignore[dict-item]
    setup.write(stream(setup, mapping={**MAPPING, "properties": properties}), action="create")

    result = setup("--yes")

    assert result.code == 5
    assert (
        f'mapping {setup.name}: conflict: properties.n.type is "integer", and should be "keyword", '
        f"which no index can change: POST /{setup.name}/_rollover begins a new index" in result.out
    )
    assert setup.mapping(setup.name)["new"] == {"type": "long"}
    assert setup.dry() == []
    setup.store.ask("POST", f"/{setup.name}/_rollover")
    assert setup("--dry-run").code == 0


def test_an_index_that_should_be_a_data_stream_is_left_alone(setup: SetupRig) -> None:
    setup.write({"mapping": {"properties": {"n": {"type": "integer"}}}})
    assert setup("--yes").code == 0

    setup.write(stream(setup), action="create")
    result = setup("--yes")

    assert result.code == 5
    assert "is an index, and should be a data stream: write the documents" in result.out
    assert setup.mapping(setup.name) == {"n": {"type": "integer"}}


def test_an_alias_writes_to_its_first_index(setup: SetupRig) -> None:
    """And to the next one after a rollover, which has the same mapping."""
    first = f"{setup.name}-000001"
    setup.write({"mapping": MAPPING, "first_index": first}, require_alias=True)

    assert setup("--yes").code == 0
    assert setup.dry() == []
    setup.store.ask("POST", f"/{setup.name}/_rollover")

    assert setup.dry() == []
    assert setup.mapping(f"{setup.name}-000002") == setup.mapping(first)
    changed = {"properties": {**MAPPING["properties"], "new": {"type": "long"}}}  # type: ignore[dict-item]
    setup.write({"mapping": {**MAPPING, **changed}, "first_index": first}, require_alias=True)
    assert setup("--yes").code == 0
    assert "new" in setup.mapping(f"{setup.name}-000002")
    assert "new" not in setup.mapping(first)


def test_a_template_with_more_priority_is_named(setup: SetupRig) -> None:
    body = {"index_patterns": [f"{setup.name}*"], "priority": 300}
    setup.store.ask("PUT", f"/_index_template/{setup.name}-other", body)
    setup.write({"mapping": MAPPING})

    result = setup("--yes")

    assert result.code == 5
    assert f"the index template {setup.name}-other is for the same indices" in result.out
    assert "write setup.priority: 301" in result.out


def test_a_wrong_mapping_is_refused_before_anything_changes(setup: SetupRig) -> None:
    setup.write({"mapping": {"properties": {"n": {"type": "number"}}}})

    result = setup("--dry-run")

    assert result.code == 1
    assert f"refuses the index template {setup.name}: " in result.err
    assert "type [number] declared on field [n]" in result.err


def test_a_key_that_may_only_write_cannot_prepare(setup: SetupRig) -> None:
    setup.write(stream(setup), action="create", basic_auth=None, api_key="${KEY}")
    setup.environment.write_text(f"KEY={setup.key('create_doc')}\n")

    result = setup("--yes")

    assert result.code == 1
    assert "hopper setup needs the privileges manage_index_templates" in result.err


@pytest.mark.parametrize("kind", ["data stream", "index"])
def test_the_job_writes_with_a_key_that_may_only_write(
    setup: SetupRig, rig: RabbitMQRig, kind: str
) -> None:
    privilege, action = ("create_doc", "create") if kind == "data stream" else ("index", "index")
    wanted = stream(setup) if kind == "data stream" else {"mapping": MAPPING}
    path = setup.write(wanted, url=rig.url, action=action)
    assert setup("--yes").code == 0
    written = yaml.safe_load(path.read_text())
    del written["sink"]["elasticsearch"]["basic_auth"]
    written["sink"]["elasticsearch"]["api_key"] = setup.key(privilege)
    written["source"]["rabbitmq"]["queue"] = rig.queue
    path.write_text(json.dumps(written))
    for n in range(20):
        rig.publish(b'{"@timestamp":"2026-01-01T00:00:00Z","n":%d}' % n)

    with JobProcess(path) as job:
        until(lambda: rig.left() == 0 and len(setup.store.documents(setup.name)) == 20)
        assert job.drain() == 0

    assert setup.store.numbers(setup.name) == [*range(20)]
