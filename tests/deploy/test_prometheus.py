"""The alerts read metrics that exist, and each has its runbook; and the other way round."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.deploy import promql
from tests.documents import OPERATIONS, ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
NAMES = [rule["alert"] for rule in RULES]


def runbooks() -> dict[str, str]:
    """The sections of docs/operations.md below `Runbooks`, by the anchors of their titles."""
    _, _, rest = OPERATIONS.read_text().partition("\n## Runbooks\n")
    text = rest.partition("\n## ")[0]
    sections = re.findall(r"^### (.*)\n((?:(?!###).*\n)*)", text, re.MULTILINE)
    return {title.lower().replace(" ", "-"): body for title, body in sections}


RUNBOOKS = runbooks()


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_alert_reads_metrics_that_exist(rule: dict[str, Any]) -> None:
    """And selects by labels that they have."""
    assert promql.check(rule["expr"])


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_alert_names_its_severity_and_the_runbook_that_names_it(rule: dict[str, Any]) -> None:
    file, _, anchor = rule["annotations"]["runbook"].partition("#")

    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]
    assert file == "docs/operations.md"
    assert f"`{rule['alert']}`" in RUNBOOKS[anchor]


@pytest.mark.parametrize("anchor", RUNBOOKS)
def test_a_runbook_names_alerts_that_exist(anchor: str) -> None:
    alerts = re.findall(r"`(Hopper[A-Z]\w+)`", RUNBOOKS[anchor])

    assert alerts
    assert set(alerts) <= set(NAMES)


@pytest.mark.parametrize("anchor", RUNBOOKS)
def test_a_runbook_says_what_one_sees_what_is_at_risk_and_what_to_do(anchor: str) -> None:
    parts = re.findall(r"^- \*\*(.+?)\*\*", RUNBOOKS[anchor], re.MULTILINE)

    assert parts == ["You see", "At risk", "Do"]


SOURCES = "".join(
    path.read_text() for folder in ("flows", "connectors") for path in (ROOT / folder).rglob("*.py")
)
OF_ELASTICSEARCH = {
    "429 cluster_block_exception",
    "disk usage exceeded flood-stage watermark",
    "GET NAME::failures/_search",
}
"""Words of its answers, which the log quotes, and requests to it."""
ANSWERS = ROOT / "tests" / "connectors" / "elasticsearch" / "answers"


@pytest.mark.parametrize("anchor", RUNBOOKS)
def test_what_one_sees_is_in_the_source(anchor: str) -> None:
    """Words of the log, and metrics; what Elasticsearch says is in a recorded answer."""
    seen = RUNBOOKS[anchor].partition("- **At risk**")[0].partition("- **You see**")[2]

    for word in re.findall(r"`([^`]+)`", seen):
        is_known = word in NAMES or word in promql.known()
        assert is_known or word in SOURCES or word in OF_ELASTICSEARCH, word


def test_the_words_of_a_full_disk_are_those_of_elasticsearch() -> None:
    answer = (ANSWERS / "9.5.0-blocked-by-a-full-disk.json").read_text()

    assert "cluster_block_exception" in answer
    assert "disk usage exceeded flood-stage watermark" in answer


def test_each_alert_is_tested_to_fire() -> None:
    """By promtool, where it is installed: `deploy/check.sh`."""
    tests = yaml.safe_load((FOLDER / "alerts.test.yaml").read_text())["tests"]
    samples = [
        one for test in tests for query in test["promql_expr_test"] for one in query["exp_samples"]
    ]
    fired = {re.findall(r'alertname="(\w+)"', sample["labels"])[0] for sample in samples}

    assert fired == set(NAMES)


def test_prometheus_reads_these_rules() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())

    assert [(FOLDER / name).exists() for name in config["rule_files"]] == [True]
