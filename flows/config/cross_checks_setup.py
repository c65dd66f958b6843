"""Checks that `setup` fits the sink. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.elasticsearch.setup.spec import ElasticsearchSetup
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.template import parse_template
from connectors.spec import Problem

SETUP, INDEX = ("setup",), ("sink", "elasticsearch", "index")


def problems(setup: ElasticsearchSetup | None, sink: ElasticsearchSink | None) -> Iterator[Problem]:
    """Find what `hopper setup` could prepare, but the sink could not write to."""
    if setup is None:
        return
    if sink is None:
        yield Problem(SETUP, "needs sink.elasticsearch: nothing else is prepared")
        return
    template = parse_template(sink.index)
    if template.placeholders:
        yield from _of_several_indices(setup, sink, template.texts[0])
    else:
        yield from _of_one_name(setup, sink)
    if {sink.index, setup.first_index} & {*setup.aliases}:
        yield Problem((*SETUP, "aliases"), "must be other names than the index has itself")


def _of_several_indices(
    setup: ElasticsearchSetup, sink: ElasticsearchSink, begin: str
) -> Iterator[Problem]:
    for key in ("data_stream", "first_index"):
        if getattr(setup, key) is not None:
            text = "needs one name in sink.elasticsearch.index, not a template of several"
            yield Problem((*SETUP, key), text)
    if not begin:
        yield Problem(
            INDEX,
            "must begin with text, as events-{tenant} does: else the index template of setup would "
            "be for all indices of the cluster",
        )
    if sink.require_alias:
        text = "needs setup.first_index, and so one name in index: a template makes no aliases"
        yield Problem((*INDEX[:2], "require_alias"), text)


def _of_one_name(setup: ElasticsearchSetup, sink: ElasticsearchSink) -> Iterator[Problem]:
    if setup.data_stream is not None and sink.action != "create":
        text = "must be create: setup.data_stream makes a data stream, which takes no other"
        yield Problem((*INDEX[:2], "action"), text)
    if sink.require_alias and setup.first_index is None:
        text = "needs setup.first_index, which makes the index an alias"
        yield Problem((*INDEX[:2], "require_alias"), text)
    if setup.first_index == sink.index:
        text = "must be another name than sink.elasticsearch.index, which is its alias"
        yield Problem((*SETUP, "first_index"), text)
