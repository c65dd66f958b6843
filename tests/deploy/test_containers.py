"""The image has what the job needs and no more; compose.yaml starts the same job on services."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.utils import canonicalize_name

from flows.process import port as port_of_a_process
from tests.deploy.job import ENVIRONMENT, JOB
from tests.deploy.lock import pinned
from tests.documents import ROOT

FOLDER = ROOT / "deploy"
DOCKERFILE = (FOLDER / "Dockerfile").read_text().replace("\\\n", "")
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LOCAL: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "tools/compose.yaml").read_text())[
    "services"
]


def instructions(word: str) -> list[str]:
    return re.findall(rf"^{word} +(.*)$", DOCKERFILE, re.MULTILINE)


# The image


def test_the_base_is_a_release_of_a_python_that_bytewax_has_wheels_for() -> None:
    [base] = instructions("ARG")
    assert re.fullmatch(r"PYTHON=python:3\.(11|12)\.\d+-slim-\w+", base)
    assert instructions("FROM") == ["${PYTHON} AS build", "${PYTHON}"]


def test_the_context_has_what_is_copied_and_nothing_else() -> None:
    copied = [word for line in instructions("COPY") for word in shlex.split(line)[:-1]]
    own = {word for word in copied if not word.startswith(("--", "/"))}
    lines = (ROOT / ".dockerignore").read_text().splitlines()

    assert {line[1:] for line in lines if line.startswith("!")} == own
    assert "*" in lines
    assert all((ROOT / name).exists() for name in own)


def test_the_job_is_the_first_process_and_not_root() -> None:
    """Without a shell that would keep SIGTERM to itself."""
    assert instructions("ENTRYPOINT") == ['["python", "-m", "bytewax.run", "flows.pipeline"]']
    assert instructions("USER") == ["10001:10001"]


def test_the_image_installs_what_tests_run_on() -> None:
    """The lock of the image pins the same versions; its packages are those of pyproject.toml."""
    all_of_them, of_the_image = (
        pinned(ROOT / "requirements.lock"),
        pinned(FOLDER / "requirements.lock"),
    )

    assert of_the_image.items() <= all_of_them.items()
    assert {"bytewax", "pika", "pydantic", "opentelemetry-sdk"} <= of_the_image.keys()
    assert canonicalize_name("pytest") not in of_the_image


@pytest.mark.parametrize("text", [DOCKERFILE, yaml.safe_dump(SERVICES["hopper"], width=1000)])
def test_its_health_is_asked_for_at_a_page_that_is_served(text: str) -> None:
    [(port, page)] = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", text)

    assert JOB.metrics is not None
    assert int(port) == JOB.metrics.port
    assert f'"{page}": health' in Path(port_of_a_process.__file__).read_text()


# compose.yaml


def test_the_whole_chain_is_there() -> None:
    assert {"rabbitmq", "elasticsearch", "kibana", "prometheus", "grafana", "hopper"} <= set(
        SERVICES
    )


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"hopper"}))
def test_an_image_is_pinned_to_a_release(name: str) -> None:
    """And to that of the tests, where they use it."""
    image = SERVICES[name]["image"]

    assert re.search(r":v?\d+\.\d+\.\d+(-management)?$", image)
    assert image == LOCAL.get(name, SERVICES[name])["image"]


def test_no_password_stands_in_the_file() -> None:
    """Each is a variable that must be set; .env.example lists all of them."""
    text = (FOLDER / "compose.yaml").read_text()
    asked = re.findall(r"(?<!\$)\$\{(\w+):\?see \.env\.example\}", text)
    listed = re.findall(r"^(\w+)=$", (FOLDER / ".env.example").read_text(), re.MULTILINE)

    assert sorted(set(asked)) == sorted(listed)
    assert len(re.findall(r"(?<!\$)\$\{", text)) == len(asked)
    assert "deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_it_is_seen_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_it_waits_for_services_that_say_when_they_are_ready(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert wait["condition"] == "service_completed_successfully"
            assert "restart" not in SERVICES[other]


def test_what_is_mounted_exists() -> None:
    volumes = set(COMPOSE["volumes"])
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in volumes or (FOLDER / source).exists(), volume


def test_the_job_gets_all_variables_and_time_to_drain() -> None:
    grace = SERVICES["hopper"]["stop_grace_period"]

    assert SERVICES["hopper"]["environment"].keys() == ENVIRONMENT.keys()
    assert int(grace.removesuffix("s")) > JOB.drain_timeout


def test_the_user_of_the_job_may_write_to_its_index_alone() -> None:
    [script] = SERVICES["users"]["command"]
    [indices] = re.findall(r'"names": \[(.*?)\]', script)

    assert JOB.sink.elasticsearch is not None
    assert indices == f'"{JOB.sink.elasticsearch.index}"'
