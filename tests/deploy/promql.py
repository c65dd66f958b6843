"""Checks the PromQL of alerts and dashboard, by a parser with the grammar of Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import promql_parser as promql
from prometheus_client import REGISTRY

from connectors import metrics
from flows.process import collector

OF_PROMETHEUS = {"up": set[str]()}
"""Series that Prometheus itself makes."""
OF_TARGETS = {"job", "instance"}
"""Labels that Prometheus adds to all series."""
PARTS = {"histogram": ("_bucket", "_sum", "_count")}
"""The series of a metric, by its kind; otherwise it has one, of its own name."""


@cache
def known() -> dict[str, set[str]]:
    """All series that a process shows, also those of Python, and the labels of each."""
    described = (*collector.described(), *metrics.described())
    samples = (sample for family in REGISTRY.collect() for sample in family.samples)
    return {
        **OF_PROMETHEUS,
        **{sample.name: set(sample.labels) for sample in samples},
        **{
            one.name + part: {*one.labels, *(["le"] if part == "_bucket" else [])}
            for one in described
            for part in PARTS.get(one.kind, ("",))
        },
    }


def check(expression: str) -> set[str]:
    """Return the series that an expression reads, after a check that they have its labels.

    Raises:
        ValueError: it is no PromQL.
    """
    parsed = promql.parse(_without_variables(expression))
    read = [node for node in _nodes(parsed) if isinstance(node, promql.VectorSelector)]
    for selector in read:
        name = str(selector.name)
        assert name in known(), f"{expression}: no metric {name}"
        selected = {matcher.name for matcher in selector.matchers.matchers}
        assert selected <= known()[name] | OF_TARGETS, f"{expression}: labels of {name}"
    return {str(selector.name) for selector in read}


def _without_variables(expression: str) -> str:
    """Put values in the place of Grafana's variables: a duration, or the text of a matcher."""
    return re.sub(r"\$\w+", "any", re.sub(r"\$__rate_interval", "5m", expression))


def _nodes(expression: promql.Expr) -> Iterator[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(expression, found.append)
    for node in found:
        yield node.vector_selector if isinstance(node, promql.MatrixSelector) else node
