"""What the README files name exists, and the numbers that they tell are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from connectors import metrics
from connectors.elasticsearch import backlog, indexer, trouble
from connectors.rabbitmq import park
from connectors.rabbitmq.source import _FirstLook
from connectors.rabbitmq.spec import CONSUMER_TIMEOUT
from flows import start, stop
from flows.spec import Pipeline
from tests.documents import README, READMES, ROOT, blocks, code, files, prose, table

SHOWN = {
    f"{yaml.safe_load(block.text)['name']}.yaml"
    for block in blocks("yaml")
    if block.text.startswith("version")
}
"""Pipelines that a README shows, as files of the reader."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", READMES, ids=name)
def test_each_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(path)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file) if file else path
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
            assert anchor in slugs, target


@pytest.mark.parametrize("path", READMES, ids=name)
def test_each_path_exists(path: Path) -> None:
    """From the top folder, or from the one of the README."""
    for word in code(path):
        if re.fullmatch(r"[\w.-]+/[\w./-]*|[\w-]+\.(py|yaml|sh|java)", word) and word not in SHOWN:
            in_a_folder = [*path.parent.glob(f"*/{word}")] if "/" not in word else []
            places = [ROOT / word, path.parent / word, *in_a_folder]
            assert any(place.exists() for place in places), word


@pytest.mark.parametrize("folder", ["flows", "connectors", "deploy"])
def test_a_map_has_every_file(folder: str) -> None:
    """Of its folder; files of a folder below may be named by that folder."""
    named = {
        word.rstrip("/").removeprefix(f"{folder}/") for word in code(ROOT / folder / "README.md")
    }
    for path in files():
        if path.is_relative_to(ROOT / folder) and path.name not in ("README.md", "__init__.py"):
            inside = path.relative_to(ROOT / folder)
            assert {inside.as_posix(), inside.parts[0]} & named, name(path)


def test_each_connector_has_the_files_that_are_told() -> None:
    """And no others."""
    connectors = ROOT / "connectors"
    named = set(code(connectors / "README.md"))
    for path in connectors.glob("*/*.py"):
        if path.name != "__init__.py":
            assert path.name in named, name(path)


def test_each_metric_and_each_variable_exists() -> None:
    known = {metric.name for metric in metrics.described()}
    sources = "".join(p.read_text() for p in files() if p.suffix in (".py", ".sh", ".yaml"))
    for path in READMES:
        text = path.read_text()
        assert set(re.findall(r"\bhopper_[a-z_]+", text)) <= known, name(path)
        for variable in re.findall(r"\b(?:[A-Z]+_)+(?:URL|HOME|SEED|LIVE|PIPELINE|LOCAL)\b", text):
            assert f'"{variable}"' in sources or f"${{{variable}" in sources, variable


def test_what_one_sees_of_a_fault_is_in_the_source() -> None:
    """Metrics, and words of the log."""
    sources = "".join(
        path.read_text() for path in files() if path.suffix == ".py" and "tests" not in path.parts
    )
    for _, _, seen in table(README, "What happens"):
        for word in re.findall("`([^`]+)`", seen):
            assert word.partition("{")[0].removesuffix("_total") in sources, word


def test_the_headers_of_a_parked_message_are_all_told() -> None:
    source = Path(park.__file__).read_text()

    told = {header for row in table(README, "Header") for header in re.findall("`(.+?)`", row[0])}

    assert told == set(re.findall(r'"(x-hopper-[a-z-]+)"', source))


def test_the_exit_codes_are_all_told() -> None:
    told = [row[0] for row in table(README, "Exit code")]

    codes = [0, start.EXIT_UNAVAILABLE, start.EXIT_SPEC, stop.EXIT_NOT_DRAINED]
    assert told == [*map(str, codes), "128 + n"]


@pytest.mark.parametrize(
    ("sentence", "number", "is_so"),
    [
        ("at the most five seconds apart", indexer.REQUESTS.limit, 5),
        ("at the most 30 seconds apart", park.AGAIN.limit, 30),
        ("A warning every ten seconds", trouble.EVERY, 10),
        ("is tried five times", _FirstLook.TRIES, 5),
        ("30 seconds if not set", Pipeline.model_fields["drain_timeout"].default, 30),
        ("windows smaller than 64 KiB", backlog.SMALL_BYTES, 64 * 1024),
        ("consumer timeout of 30 minutes", CONSUMER_TIMEOUT, 30 * 60),
    ],
)
def test_a_number_is_that_of_the_code(sentence: str, number: float, is_so: float) -> None:
    assert sentence in README.read_text()
    assert number == is_so


# Words

FORBIDDEN = re.compile(
    r"/work/|/root/|\.\./shared|\bBRIEF\b|\bissues? #?\d|(?<![\w&/])#\d+\b|\bgithub issue\b",
    re.IGNORECASE,
)
"""Numbers of a tracker, and places on somebody's machine: neither means anything to a reader."""


def test_the_project_speaks_of_itself_alone() -> None:
    found = [
        f"{name(path)}: {match[0]}"
        for path in files()
        if path != Path(__file__)
        for match in FORBIDDEN.finditer(path.read_text(errors="replace"))
    ]
    assert found == []


HOSTS = {
    "bytewax.io",
    "json-schema.org",
    "www.elastic.co",
    "www.rabbitmq.com",
    "aws.amazon.com",
    "repo1.maven.org",
    "repo.maven.apache.org",
}
"""Of the world; all others are made up, and have no dot."""


def test_no_url_names_a_host_of_somebody() -> None:
    found = [
        f"{name(path)}: {host}"
        for path in files()
        for host in re.findall(r"https?://([\w-]+(?:\.[\w-]+)+)", path.read_text(errors="replace"))
        if host not in HOSTS and not host.startswith(("127.", "0.0.0.0"))
    ]
    assert found == []
