"""Checks of sink and summaries: a summary that is written again stays in its index."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import SpecError
from flows.spec import load

SPEC = """\
version: 1
name: a
source: {{memory: {{}}}}
aggregate:
  by: customer
  window: {{tumbling: {{every: 1h, event_time: at{early}}}}}
  reduce: {{total: {{sum: amount}}, tenant: {{first: tenant}}, "@timestamp": {{max: at}}}}
{aggregate}
sink: {{elasticsearch: {{url: "http://h", index: "{index}"{sink}}}}}
{state}
"""
STATE, AMEND, EARLY = "state: {path: /s}", "  late: amend", ", emit_every: 1m"


def problems(
    path: Path,
    index: str,
    *,
    aggregate: str = "",
    early: str = "",
    state: str = "",
    sink: str = "",
) -> list[str]:
    text = SPEC.format(index=index, aggregate=aggregate, early=early, state=state, sink=sink)
    path.write_text(text)
    try:
        load(path, {})
    except SpecError as error:
        return [one.partition(": ")[2] for one in error.problems]
    return []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pipeline.yaml"


@pytest.mark.parametrize("index", ["e-{total}", "e-{count}", "e-{@timestamp:%Y}"])
def test_an_amendment_of_the_state_stays_in_its_index(path: Path, index: str) -> None:
    name = index[3:].partition(":")[0].removesuffix("}")

    [problem] = problems(path, index, aggregate=AMEND, state=STATE)

    assert problem == (
        f"sink.elasticsearch.index: {{{name}}} may have another value when a late message amends "
        "the summary, which must stay in its index: use the key or the start of the window, such "
        "as {window_start:%Y.%m}; or late: park"
    )


def test_an_early_summary_stays_in_its_index(path: Path) -> None:
    [problem] = problems(path, "e-{total}", early=EARLY)

    assert problem.endswith("such as {window_start:%Y.%m}; or omit emit_every")


@pytest.mark.parametrize("more", ["  order: at", ", index_fallback: other"])
def test_the_first_value_may_change_if_messages_are_ordered_or_may_lack_it(
    path: Path, more: str
) -> None:
    of_sink = more if more.startswith(",") else ""
    aggregate = f"{AMEND}\n{'' if of_sink else more}"

    assert problems(path, "e-{tenant}", aggregate=aggregate, state=STATE, sink=of_sink)


@pytest.mark.parametrize(
    "index", ["e", "e-{key}", "e-{window_start:%Y}", "e-{window_end:%Y}", "e-{tenant}", "e-{queue}"]
)
def test_what_stays_may_name_the_index(path: Path, index: str) -> None:
    assert problems(path, index, aggregate=AMEND, state=STATE, early=EARLY) == []


def test_without_a_state_an_amendment_keeps_the_index_of_its_document(path: Path) -> None:
    assert problems(path, "e-{total}", aggregate=AMEND) == []
    assert problems(path, "e-{total}", state=STATE) == []
