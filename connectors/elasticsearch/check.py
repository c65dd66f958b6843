"""The first look at a cluster: are we let in, may we write, and does it take what we would send?

Whoever answers clearly that it cannot work is not waited for; all that is not clear may be so.
"""

from __future__ import annotations

import logging
from urllib.parse import quote

import msgspec

from connectors.elasticsearch.bulk import CONTENT_LENGTH_MOST, Again, read
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.proxy_answer import REDIRECTS
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.trouble import REFUSED_FOR_GOOD
from connectors.errors import Unavailable

log = logging.getLogger("hopper.elasticsearch")


def check(client: Client, spec: ElasticsearchSink, index: str | None) -> int:
    """Ask once; `index`: where documents go that name none, `None`: each names one.

    Returns the largest request that the cluster takes, in bytes.

    Raises:
        Unavailable: it answers, and what it says will not change by waiting.
    """
    reading = read(client.knock(), 0)
    if not isinstance(reading, Again):
        if index is not None:
            _check_privilege(client, spec, index)
            _check_data_stream(client, spec, index)
        return _content_length_max(client)
    if reading.status in REFUSED_FOR_GOOD:
        raise Unavailable(_refused_for_good(client, reading))
    log.warning("Elasticsearch at %s is waited for: %s", client.nodes, reading.reason)
    return CONTENT_LENGTH_MOST


def _refused_for_good(client: Client, reading: Again) -> str:
    said = f"{reading.status} {reading.reason}"
    if reading.status in REDIRECTS:  # it says itself what helps
        return f"Elasticsearch is not at {client.nodes}: {said}"
    if reading.status in (401, 403):
        return (
            f"Elasticsearch at {client.nodes} does not let us in ({said}): "
            "correct api_key or basic_auth"
        )
    return (
        f"what answers at {client.nodes} takes no bulk requests ({said}): "
        "correct sink.elasticsearch.url, with the path under which Elasticsearch is, if it has one"
    )


def _check_privilege(client: Client, spec: ElasticsearchSink, index: str) -> None:
    least, advice = _PRIVILEGES[spec.action]
    if not _may(client, index, least):
        raise Unavailable(
            f"Elasticsearch at {client.nodes} lets us in, but not write to the index {index}: "
            f"give the api_key or the user its privilege {advice}"
        )
    if spec.on_missing_index != "create" and not _may(client, index, "view_index_metadata"):
        raise Unavailable(
            f"Elasticsearch at {client.nodes} lets us in, but not look for the index {index}: "
            "give the api_key or the user its privilege view_index_metadata, "
            "or write on_missing_index: create"
        )


def _may(client: Client, index: str, privilege: str) -> bool:
    """Only a clear no is a no: a cluster without security does not know the question."""
    question = {"index": [{"names": [index], "privileges": [privilege]}]}
    reply = client.look("POST", "/_security/user/_has_privileges", msgspec.json.encode(question))
    try:
        return msgspec.json.decode(reply.body, type=_Permission).has_all_requested
    except ValueError:
        return True


def _check_data_stream(client: Client, spec: ElasticsearchSink, index: str) -> None:
    """One that we may not ask about, or that is made later, rejects documents one by one."""
    if spec.action == "create":
        return
    reply = client.look("GET", f"/_resolve/index/{quote(index, safe='')}")
    try:
        found = msgspec.json.decode(reply.body, type=_Found)
    except ValueError:
        return
    if found.data_streams:
        raise Unavailable(
            f"{index} is a data stream, which takes new documents only: "
            "write action: create, and see that each document has an @timestamp"
        )


def _content_length_max(client: Client) -> int:
    """Whoever may only write may not ask for it: then it is taken to be what it usually is."""
    reply = client.look("GET", f"/_nodes/http?filter_path={_LENGTHS}")
    try:
        nodes = msgspec.json.decode(reply.body, type=_Nodes).nodes
    except ValueError:
        return CONTENT_LENGTH_MOST
    lengths = [node.http.max_content_length_in_bytes for node in nodes.values()]
    return min(lengths, default=CONTENT_LENGTH_MOST)


class _Http(msgspec.Struct):
    max_content_length_in_bytes: int


class _Node(msgspec.Struct):
    http: _Http


class _Nodes(msgspec.Struct):
    nodes: dict[str, _Node]


class _Permission(msgspec.Struct):
    has_all_requested: bool


class _Found(msgspec.Struct):
    data_streams: list[msgspec.Raw] = []


_LENGTHS = "nodes.*.http.max_content_length_in_bytes"
_PRIVILEGES = {
    "index": ("create", "index"),
    "create": ("create_doc", "create_doc"),
    "update": ("index", "index"),
    "delete": ("delete", "delete"),
}
"""By action: the least that it needs, as whoever may do more has it too; and what to give."""
