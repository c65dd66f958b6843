"""The dashboard reads metrics that exist, and its panels stand beside each other."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.deploy import promql
from tests.documents import ROOT

BOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "hopper.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def title(panel: dict[str, Any]) -> str:
    return str(panel["title"])


@pytest.mark.parametrize("panel", PANELS, ids=title)
def test_a_panel_reads_metrics_that_exist(panel: dict[str, Any]) -> None:
    assert all(promql.check(target["expr"]) for target in panel["targets"])


@pytest.mark.parametrize("panel", PANELS, ids=title)
def test_a_panel_says_what_it_shows_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_variables_read_metrics_that_exist() -> None:
    queries = [
        variable["definition"].removeprefix("label_values(").rpartition(",")[0]
        for variable in BOARD["templating"]["list"]
        if variable["type"] == "query"
    ]

    assert [promql.check(query) for query in queries] == [{"hopper_info"}] * 2


def test_no_two_panels_share_an_id_or_a_place() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for one, other in itertools.combinations([panel["gridPos"] for panel in BOARD["panels"]], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
