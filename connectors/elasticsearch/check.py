"""The check at the start: does the cluster accept the credentials, the index and our requests?

Fail on a definite refusal; treat any other failure as temporary, and wait.
"""

from __future__ import annotations

import logging

import msgspec

from connectors.elasticsearch.bulk_response import MAX_CONTENT_LENGTH, Retry, read
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.outage_log import REFUSED_FOR_GOOD
from connectors.elasticsearch.proxy_answer import REDIRECTS
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.target import Target, check_pipeline
from connectors.errors import Unavailable

log = logging.getLogger("hopper.elasticsearch")


def check(client: Client, spec: ElasticsearchSink, index: str | None) -> int | Retry:
    """Check once; `index`: for documents that name none, `None`: each names one.

    Returns:
        The largest request that the cluster accepts, in bytes; or why the job waits for it.

    Raises:
        Unavailable: the cluster refuses, and waiting does not help.
    """
    reading = read(client.send_empty_bulk(), 0)
    if not isinstance(reading, Retry):
        target = None if index is None else Target(client, spec, index)
        resolved = None if target is None else target.check()
        length = max_content_length(client)
        if target is not None and resolved is not None:
            target.check_state(resolved)
        if spec.pipeline is not None:
            check_pipeline(client, spec.pipeline)
        return length
    if refusal := refused_for_good(client, reading):
        raise Unavailable(refusal)
    log.warning("waiting for Elasticsearch at %s: %s", client.nodes, reading.reason)
    return reading


def refused_for_good(client: Client, reading: Retry) -> str:
    """Return what the server refuses, with the remedy; empty: waiting may help."""
    if reading.status not in REFUSED_FOR_GOOD:
        return ""
    said = f"{reading.status} {reading.reason}"
    if reading.status in REDIRECTS:  # the reason has the remedy
        return f"Elasticsearch is not at {client.nodes}: {said}"
    if reading.status == 403 and reading.own:
        return (
            f"Elasticsearch at {client.nodes} accepts the credentials, but they may not write "
            f"({said}): give the api_key or the user the privilege to write to the index"
        )
    if reading.status in (401, 403):
        return (
            f"Elasticsearch at {client.nodes} refuses the credentials ({said}): "
            "correct api_key or basic_auth"
        )
    return (
        f"the server at {client.nodes} accepts no bulk requests ({said}): "
        "correct sink.elasticsearch.url, and add the path of Elasticsearch if it has one"
    )


def max_content_length(client: Client) -> int:
    """Return the largest request in bytes; the default, if the credentials may not ask for it."""
    try:
        nodes = msgspec.json.decode(client.ask_limits().body, type=_Nodes).nodes
    except ValueError:
        return MAX_CONTENT_LENGTH
    lengths = [node.http.max_content_length_in_bytes for node in nodes.values()]
    return min(lengths, default=MAX_CONTENT_LENGTH)


class _Http(msgspec.Struct):
    max_content_length_in_bytes: int


class _NodeInfo(msgspec.Struct):
    http: _Http


class _Nodes(msgspec.Struct):
    nodes: dict[str, _NodeInfo]
