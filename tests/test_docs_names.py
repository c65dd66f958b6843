"""The names in documents exist, and their numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from connectors import metrics
from connectors.elasticsearch import backlog, indexer, outage_log
from connectors.elasticsearch.address import MAX_ID_BYTES
from connectors.rabbitmq import dead_letter, dead_letter_headers, offset_queue
from connectors.rabbitmq.spec import CONSUMER_TIMEOUT
from connectors.rabbitmq.visit import Visit
from flows.config.aggregate import AggregateSpec
from flows.config.window import TumblingSpec
from flows.groups.remembered import RECOGNISED
from flows.process import collector, start, stop
from flows.spec import Pipeline
from flows.steps.routing import SHARDS
from flows.summaries.functions.distinct import MAX_EXACT
from tests.documents import (
    DEAD_LETTERS,
    DELIVERY,
    DOCUMENTS,
    OPERATIONS,
    README,
    ROOT,
    TUTORIAL,
    blocks,
    code,
    files,
    prose,
    table,
)
from tools.local import opensearch
from tools.local.elasticsearch import VERSION, VERSION_FOR_OLD_JAVA

PYPROJECT = ROOT / "pyproject.toml"

SHOWN = {
    f"{yaml.safe_load(block.text)['name']}.yaml"
    for block in blocks("yaml")
    if block.text.startswith("version")
} | {block.file for block in blocks(path=TUTORIAL)}
"""Pipelines that a document shows, as files of the reader, and the files of the tutorial."""


def modules() -> list[Path]:
    """Those of the program, wherever the repository is."""
    return [
        path
        for path in files()
        if path.suffix == ".py" and "tests" not in path.relative_to(ROOT).parts
    ]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
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


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_each_path_exists(path: Path) -> None:
    """From the top folder, or from the folder of the document."""
    for word in code(path):
        if re.fullmatch(r"[\w.-]+/[\w./-]*|[\w-]+\.(py|yaml|sh|java)", word) and word not in SHOWN:
            in_a_folder = [*path.parent.glob(f"*/{word}")] if "/" not in word else []
            places = [ROOT / word, path.parent / word, *in_a_folder]
            assert any(place.exists() for place in places), word


@pytest.mark.parametrize("folder", ["flows", "connectors", "tools"])
def test_a_map_has_every_file(folder: str) -> None:
    """Of its folder; files of a folder below may be named by that folder."""
    named = {
        word.rstrip("/").removeprefix(f"{folder}/") for word in code(ROOT / folder / "README.md")
    }
    for path in files():
        if path.is_relative_to(ROOT / folder) and path.name not in ("README.md", "__init__.py"):
            inside = path.relative_to(ROOT / folder)
            assert {one.as_posix() for one in (inside, *inside.parents)} & named, name(path)


def test_each_connector_has_the_named_files() -> None:
    """And no others."""
    connectors = ROOT / "connectors"
    named = set(code(connectors / "README.md"))
    for path in connectors.glob("*/*.py"):
        if path.name != "__init__.py":
            assert path.name in named, name(path)


def test_each_metric_and_each_variable_exists() -> None:
    described = (*collector.described(), *metrics.described())
    known = {metric.name for metric in described}
    sources = "".join(p.read_text() for p in files() if p.suffix in (".py", ".sh", ".yaml"))
    for path in DOCUMENTS:
        text = path.read_text()
        assert set(re.findall(r"\bhopper_[a-z_]+", text)) <= known, name(path)
        for variable in re.findall(r"\b(?:[A-Z]+_)+(?:URL|HOME|SEED|LIVE|PIPELINE|LOCAL)\b", text):
            assert f'"{variable}"' in sources or f"${{{variable}" in sources, variable


def test_the_signs_of_each_fault_are_in_the_source() -> None:
    """Metrics, and words of the log."""
    sources = "".join(path.read_text() for path in modules())
    for _, _, seen in table(DELIVERY, "What happens"):
        for word in re.findall("`([^`]+)`", seen):
            assert word.partition("{")[0].removesuffix("_total") in sources, word


SHOWN_BY = {
    "The process is killed": "test_a_kill_in_the_middle_loses_no_message",
    "The connection to the broker is cut": "test_a_cut_connection_in_the_middle_loses_no_message",
    "The broker cancels the consumer": "test_a_consumer_that_the_broker_cancels_reconnects",
    "The queue that keeps the offset": "test_an_offset_queue_that_is_deleted_is_declared_again",
    "Elasticsearch is down": "test_a_cluster_that_is_down_is_waited_for",
    "Elasticsearch says 429": "test_only_throttled_documents_are_retried",
    "Something before Elasticsearch": (
        "test_one_refused_message_is_parked_and_six_hundred_are_stored"
    ),
    "A request is too large": "test_a_request_that_is_too_large_is_halved",
    "A proxy breaks the connection": (
        "test_the_size_limit_of_a_proxy_is_learned_and_an_outage_is_none"
    ),
    "The login is wrong": "test_a_refused_login_is_logged_as_an_error",
    "At the start it is clear": (
        "test_a_cluster_that_would_refuse_every_document_is_found_at_the_start"
    ),
    "It answers 404": "test_a_permanent_refusal_is_not_waited_for",
    "Elasticsearch refuses": "test_one_poison_document_is_parked_and_the_others_are_stored",
    "A document that is created": (
        "test_a_document_that_met_another_is_rejected_unless_it_may_be_the_same"
    ),
    "It does not fit, but": "test_a_document_that_does_not_fit_may_be_in_a_failure_store",
    "An ingest processor or a script": (
        "test_a_document_at_which_an_ingest_processor_fails_is_parked_at_once"
    ),
    "Elasticsearch itself fails": (
        "test_a_document_at_which_elasticsearch_fails_is_rejected_in_the_end"
    ),
    "A body cannot be read": "test_a_body_that_cannot_be_read_is_parked",
    "A message waits so long": "test_a_message_that_waits_too_long_is_requeued_in_time",
    "Open groups hold all messages": "test_windows_larger_than_the_prefetch_have_exact_sums",
    "A message kills the job": "test_poison_is_parked_and_no_other_message",
    "More than half of a thousand": "test_a_flood_is_not_parked",
    "A message cannot be parked": "test_a_message_that_cannot_be_parked_stays_unacknowledged",
    "The broker is short of memory": "test_a_broker_short_of_memory_is_waited_for",
    "The broker refuses what the job needs": (
        "test_a_user_without_the_permission_to_read_ends_the_job_at_once"
    ),
    "SIGTERM, Ctrl-C or a [reload]": (
        "test_a_drain_writes_open_windows_and_leaves_nothing_unacknowledged"
    ),
    "That takes longer": "test_a_drain_that_takes_too_long_is_logged",
    "One process of a cluster dies": (
        "test_a_killed_process_ends_the_others_and_no_message_is_lost"
    ),
}
"""The beginning of each row of the table of faults, and the test that checks it."""


def test_each_fault_has_its_test() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    documented = [row[0] for row in table(DELIVERY, "What happens")]

    assert len(documented) == len(SHOWN_BY)
    for fault, (beginning, test) in zip(documented, SHOWN_BY.items(), strict=True):
        assert fault.startswith(beginning)
        assert f"def {test}(" in tests, test


def test_all_headers_of_a_parked_message_are_documented() -> None:
    source = Path(dead_letter_headers.__file__).read_text()

    documented = {
        header for row in table(DEAD_LETTERS, "Header") for header in re.findall("`(.+?)`", row[0])
    }

    assert documented == set(re.findall(r'"(x-hopper-[a-z-]+)"', source))


def test_all_reasons_of_hopper_are_documented() -> None:
    """Each by its first word."""
    sources = "".join(path.read_text() for path in modules())

    documented = {
        word for row in table(DEAD_LETTERS, "Reason") for word in re.findall("`(.+?)`", row[0])
    }

    assert documented == set(
        re.findall(r'(?:Rejection\(\s*|reason = |_REASON = )f?"(\w+): ', sources)
    )


def test_all_exit_codes_are_documented() -> None:
    documented = [row[0] for row in table(OPERATIONS, "Exit code")]

    codes = [0, stop.EXIT_UNAVAILABLE, start.EXIT_SPEC, stop.EXIT_NOT_DRAINED]
    assert documented == [*map(str, codes), "128 + n"]


@pytest.mark.parametrize(
    ("sentence", "number", "is_so"),
    [
        ("at the most five seconds apart", indexer.REQUESTS.limit, 5),
        ("at the most 30 seconds apart", dead_letter.REPUBLISH.limit, 30),
        ("A warning every ten seconds", outage_log.LOG_AFTER, 10),
        ("within ten seconds or at the next change", offset_queue.RENEW_AFTER, 10),
        ("is tried five times", Visit.TRIES, 5),
        ("30 seconds if not set", Pipeline.model_fields["drain_timeout"].default, 30),
        ("windows smaller than 64 KiB", backlog.SMALL_BYTES, 64 * 1024),
        ("consumer timeout of 30 minutes", CONSUMER_TIMEOUT, 30 * 60),
        ("for an hour (`amend_for`)", AggregateSpec.model_fields["amend_for"].default, 3600),
        ("after `idle_after`, 30 seconds", TumblingSpec.model_fields["idle_after"].default, 30),
        ("among the last 20,000 messages of a shard", RECOGNISED, 20_000),
        ("each of the eight shards", len(SHARDS), 8),
        ("above 4096 values", MAX_EXACT, 4096),
        ("more than 512 bytes", MAX_ID_BYTES, 512),
    ],
)
def test_a_number_is_that_of_the_code(sentence: str, number: float, is_so: float) -> None:
    assert any(sentence in path.read_text() for path in DOCUMENTS)
    assert number == is_so


def test_the_documented_versions_are_the_tested_ones() -> None:
    documented = {row[0]: row[1] for row in table(OPERATIONS, "Runs on")}

    least, below = re.findall(r"3\.(\d+)", requirement())
    pythons = ", ".join(f"3.{minor}" for minor in range(int(least), int(below)))
    assert documented["Python"].startswith(f"{pythons}:")
    assert f"{VERSION_FOR_OLD_JAVA} and {VERSION}" in documented["Elasticsearch"]
    assert f"runs on {opensearch.VERSION}" in documented["OpenSearch"]


def requirement() -> str:
    [line] = re.findall("^requires-python = .*$", PYPROJECT.read_text(), re.MULTILINE)
    return str(line)


# Words


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_a_line_is_a_sentence(path: Path) -> None:
    """So a change shows what has changed; generated parts are exempt."""
    written = re.sub(r"(?s)<!-- (\w+) -->.*?<!-- /\1 -->", "", prose(path))
    for line in written.splitlines():
        if not line.startswith("|"):
            assert not re.search(r"[.?!] [A-Z]", line), line


FORBIDDEN = re.compile(
    r"/work/|/root/|\.\./shared|\bBRIEF\b|\bissues? #?\d|(?<![\w&/])#\d+\b|\bgithub issue\b",
    re.IGNORECASE,
)
"""Numbers of a tracker, and paths of one machine: neither means anything to a reader."""


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
    "keepachangelog.com",
    "semver.org",
    "www.apache.org",
    "json-schema.org",
    "www.elastic.co",
    "www.rabbitmq.com",
    "aws.amazon.com",
    "repo1.maven.org",
    "repo.maven.apache.org",
    "www.w3.org",
}
"""Public hosts; all others are invented, and have no dot."""


def test_no_url_names_a_host_of_an_installation() -> None:
    found = [
        f"{name(path)}: {host}"
        for path in files()
        for host in re.findall(r"https?://([\w-]+(?:\.[\w-]+)+)", path.read_text(errors="replace"))
        if host not in HOSTS and not host.startswith(("127.", "0.0.0.0"))
    ]
    assert found == []


def test_the_readme_is_short() -> None:
    assert README.read_text().count("\n") <= 160
