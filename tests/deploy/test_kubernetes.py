"""Both ways to run in Kubernetes are the same pods, and fit the job and Bytewax."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import bytewax.run
import pytest
import yaml

from flows.process import port as port_of_a_process
from flows.spec import Pipeline, load
from tests.documents import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
WAYS = ("cluster", "independent")


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


POD: dict[str, Any] = read("pod/pod.yaml")["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
STATEFUL = read("cluster/statefulset.yaml")
DEPLOYMENT = read("independent/deployment.yaml")


@pytest.fixture
def job(tmp_path: Path) -> Pipeline:
    """The job, with the Secret mounted elsewhere."""
    secrets = {
        "rabbitmq_url": "amqps://hopper:secret@rabbitmq/",
        "elasticsearch_url": "https://elasticsearch:9200",
        "elasticsearch_api_key": "a2V5",
    }
    for name, value in secrets.items():
        (tmp_path / name).write_text(value)
    text = (FOLDER / "pod/pipeline.yaml").read_text()
    path = tmp_path / "pipeline.yaml"
    path.write_text(text.replace(mount("secrets"), str(tmp_path)))
    return load(path, {})


def mount(name: str) -> str:
    [path] = [one["mountPath"] for one in CONTAINER["volumeMounts"] if one["name"] == name]
    return str(path)


@pytest.mark.parametrize("folder", ["pod", "durable", *WAYS])
def test_each_file_is_used(folder: str) -> None:
    text = (FOLDER / folder / "kustomization.yaml").read_text()
    for path in (FOLDER / folder).iterdir():
        assert path.name == "kustomization.yaml" or path.name in text, path


@pytest.mark.parametrize("way", [STATEFUL, DEPLOYMENT], ids=WAYS)
def test_labels_lead_the_patch_the_service_and_the_budget_to_the_pods(way: dict[str, Any]) -> None:
    labels = {"app.kubernetes.io/name": "hopper"}
    [patch] = read("pod/kustomization.yaml")["patches"]

    assert patch["target"] == {"labelSelector": "app.kubernetes.io/name=hopper"}
    assert labels.items() <= way["metadata"]["labels"].items()
    assert labels.items() <= way["spec"]["template"]["metadata"]["labels"].items()
    assert way["spec"]["selector"]["matchLabels"] == labels
    assert read("cluster/service.yaml")["spec"]["selector"] == labels
    for name in ("cluster/disruption", "independent/disruption", "pod/podmonitor"):
        assert read(f"{name}.yaml")["spec"]["selector"]["matchLabels"] == labels


def test_the_job_has_time_to_drain(job: Pipeline) -> None:
    assert POD["terminationGracePeriodSeconds"] > job.drain_timeout


def test_probes_ask_for_pages_that_are_served(job: Pipeline) -> None:
    """A restart for /livez alone; traffic does not matter, but a rollout waits for /readyz."""
    assert CONTAINER["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
    assert CONTAINER["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert job.metrics is not None
    assert job.metrics.host == "0.0.0.0"
    assert {"name": "metrics", "containerPort": job.metrics.port} in CONTAINER["ports"]
    served = Path(port_of_a_process.__file__).read_text()
    assert '"/livez": health.live' in served
    assert '"/readyz": health.ready' in served


def test_secrets_are_files_of_a_secret(job: Pipeline) -> None:
    """Which Kubernetes replaces when the Secret changes; none is in the ConfigMap."""
    text = (FOLDER / "pod/pipeline.yaml").read_text()

    assert len(re.findall(rf"\$\{{file:{mount('secrets')}/\w+\}}", text)) == 3
    assert job.sink.elasticsearch is not None


def test_the_memory_has_room_for_what_the_job_holds(job: Pipeline) -> None:
    """60 MiB of Python and 32 MiB for what is under way beside it: docs/operations.md."""
    needed = job.source.chosen.memory / 2**20 + 60 + 32

    assert int(CONTAINER["resources"]["requests"]["memory"].removesuffix("Mi")) >= needed
    assert CONTAINER["resources"]["limits"]["memory"] == "256Mi"


def test_a_pod_may_do_nothing_but_its_job() -> None:
    assert POD["securityContext"]["runAsNonRoot"]
    assert POD["automountServiceAccountToken"] is False
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


# A cluster


def test_each_pod_has_its_address() -> None:
    """The name that Kubernetes gives it, in the order of their numbers."""
    lines = (FOLDER / "cluster/addresses.txt").read_text().splitlines()
    name, service = STATEFUL["metadata"]["name"], STATEFUL["spec"]["serviceName"]
    [port] = [one["port"] for one in read("cluster/service.yaml")["spec"]["ports"]][:1]

    assert service == read("cluster/service.yaml")["metadata"]["name"]
    assert lines == [
        f"{name}-{number}.{service}.default.svc.cluster.local:{port}"
        for number in range(STATEFUL["spec"]["replicas"])
    ]


def test_bytewax_finds_number_and_addresses_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of each pod: the code of Bytewax itself reads them."""
    [container] = STATEFUL["spec"]["template"]["spec"]["containers"]
    values = {one["name"]: one.get("value") for one in container["env"]}
    [directory] = [one["mountPath"] for one in container["volumeMounts"]]
    assert values["BYTEWAX_HOSTFILE_PATH"] == f"{directory}/addresses.txt"
    monkeypatch.setattr(sys, "argv", ["bytewax.run", "flows.pipeline"])
    monkeypatch.setenv("BYTEWAX_POD_NAME", "hopper-1")
    monkeypatch.setenv("BYTEWAX_STATEFULSET_NAME", values["BYTEWAX_STATEFULSET_NAME"])
    monkeypatch.setenv("BYTEWAX_HOSTFILE_PATH", str(FOLDER / "cluster/addresses.txt"))

    options = bytewax.run._parse_args()  # type: ignore[no-untyped-call]

    assert options.process_id == 1
    assert len(options.addresses.split(";")) == STATEFUL["spec"]["replicas"]


def test_the_processes_of_a_cluster_start_and_change_together() -> None:
    """None is ready before all are there; old and new ones are never one cluster."""
    assert STATEFUL["spec"]["podManagementPolicy"] == "Parallel"
    assert STATEFUL["spec"]["updateStrategy"] == {"type": "OnDelete"}
    assert read("cluster/service.yaml")["spec"]["publishNotReadyAddresses"]


def test_each_process_has_a_volume_that_is_never_deleted() -> None:
    """The patch names the cluster's own set and container; the volume takes the place of none."""
    claims = read("durable/claims.yaml")
    spec = claims["spec"]
    [claim], [container] = spec["volumeClaimTemplates"], spec["template"]["spec"]["containers"]
    [mounted] = container["volumeMounts"]
    volumes = [*POD["volumes"], *STATEFUL["spec"]["template"]["spec"]["volumes"]]

    assert (claims["kind"], claims["metadata"]["name"]) == (
        *(STATEFUL["kind"], STATEFUL["metadata"]["name"]),
    )
    assert container["name"] == CONTAINER["name"]
    assert mounted["name"] == claim["metadata"]["name"]
    assert mounted["name"] not in [one["name"] for one in volumes]
    assert {*spec["persistentVolumeClaimRetentionPolicy"].values()} == {"Retain"}


# Independent processes


def test_keda_alone_decides_how_many_there_are_by_the_queues_of_the_job(job: Pipeline) -> None:
    login, scaled = yaml.safe_load_all((FOLDER / "independent/scaling.yaml").read_text())
    triggers = scaled["spec"]["triggers"]

    assert "replicas" not in DEPLOYMENT["spec"]
    assert scaled["spec"]["scaleTargetRef"] == {"name": DEPLOYMENT["metadata"]["name"]}
    assert scaled["spec"]["minReplicaCount"] >= 1
    assert [one["metadata"]["queueName"] for one in triggers] == list(job.source.chosen.queue)
    assert {one["authenticationRef"]["name"] for one in triggers} == {login["metadata"]["name"]}


def test_independent_processes_have_no_groups_by_key(job: Pipeline) -> None:
    """Each would write its own part of a group."""
    assert job.aggregate.by is None
