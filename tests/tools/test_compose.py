"""The services for Docker are the same two, on the same ports of loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.local.elasticsearch import VERSION
from tools.services import ADVICE

FILE = Path(__file__).parents[2] / "tools" / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]


def test_it_has_both_services() -> None:
    assert sorted(SERVICES) == ["elasticsearch", "rabbitmq"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_an_image_is_pinned_to_a_release(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    numbers = tag.removesuffix("-management").split(".")

    assert len(numbers) == 3
    assert all(number.isdecimal() for number in numbers)


def test_elasticsearch_is_the_version_that_runs_without_docker() -> None:
    assert SERVICES["elasticsearch"]["image"].endswith(f":{VERSION}")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_it_listens_on_loopback_only(name: str) -> None:
    """Both accept every client, so no other machine may reach them."""
    for port in SERVICES[name]["ports"]:
        address, outside, inside = port.split(":")
        assert address == "127.0.0.1"
        assert outside == inside


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_it_has_a_health_check(name: str) -> None:
    """So that `up --wait` works, with time for a slow first start."""
    check = SERVICES[name]["healthcheck"]

    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert int(check["interval"].removesuffix("s")) * check["retries"] >= 120


def test_the_advice_has_its_ports() -> None:
    """The exported URLs are those that the file publishes."""
    for service, port in [("rabbitmq", "127.0.0.1:5672"), ("elasticsearch", "127.0.0.1:9200")]:
        assert any(each.startswith(port) for each in SERVICES[service]["ports"])
        assert port in ADVICE
