"""What a spec wants of a cluster: the index template, and what it is for. Pure."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from connectors.elasticsearch.setup.spec import ElasticsearchSetup
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.template import parse_template
from connectors.units import duration_text

Kind = Literal["index", "alias", "data stream", "indices"]
"""What the sink writes to; `indices`: to several, by a template of their names."""


class Wanted(msgspec.Struct, frozen=True):
    """The cluster as a spec wants it."""

    kind: Kind
    index: str
    """The name that the sink writes to; for `indices` the pattern of all names."""
    first_index: str | None
    """For an alias: the index to create, if the alias does not exist."""
    template: str
    """Name of the index template."""
    body: dict[str, Any]
    """The index template, as Elasticsearch takes it."""
    retention: str | None
    """For a data stream: how long it keeps documents, as in `30d`; `None`: for ever."""
    aliases: tuple[str, ...]


def wanted(setup: ElasticsearchSetup, sink: ElasticsearchSink, job: str) -> Wanted:
    """Derive it from a spec; `job`: the name of the job, for the name of the template."""
    kind, index = _kind(setup, sink), pattern(sink.index)
    stream = setup.data_stream
    retention = duration_text(stream.retention) if stream and stream.retention else None
    return Wanted(
        kind=kind,
        index=index,
        first_index=setup.first_index,
        template=setup.template or job.lower().strip("-_"),
        body=_body(setup, sink, retention),
        retention=retention,
        aliases=setup.aliases,
    )


def pattern(index: str) -> str:
    """Return the pattern of all names that a template makes: `orders-*` of `orders-{tenant}`."""
    texts = parse_template(index).texts
    return re.sub(r"\*+", "*", "*".join(texts))


def _kind(setup: ElasticsearchSetup, sink: ElasticsearchSink) -> Kind:
    if parse_template(sink.index).placeholders:
        return "indices"
    if setup.data_stream is not None:
        return "data stream"
    return "index" if setup.first_index is None else "alias"


def _body(
    setup: ElasticsearchSetup, sink: ElasticsearchSink, retention: str | None
) -> dict[str, Any]:
    template: dict[str, Any] = {}
    if setup.mapping:
        template["mappings"] = setup.mapping
    if setup.settings:
        template["settings"] = setup.settings
    if setup.aliases:
        template["aliases"] = {name: {} for name in setup.aliases}
    body: dict[str, Any] = {
        "index_patterns": _patterns(setup, sink),
        "priority": setup.priority,
        "template": template,
    }
    if setup.data_stream is not None:
        body["data_stream"] = {}
        template["lifecycle"] = {} if retention is None else {"data_retention": retention}
    return body


def _patterns(setup: ElasticsearchSetup, sink: ElasticsearchSink) -> list[str]:
    if setup.first_index is not None:
        return [re.sub(r"-\d+$", "-*", setup.first_index)]
    patterns = [pattern(sink.index)]
    return patterns if sink.index_fallback is None else [*patterns, sink.index_fallback]
