"""Checks a cluster for everything that the job needs, without storing anything.

It checks the same as the job does at its start, but continues after an error, so that the user sees
all errors at once. Elasticsearch simulates storing a sample of documents, since version 8.12;
OpenSearch does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.elasticsearch.address import ElasticsearchAddressing
from connectors.elasticsearch.bulk_response import Retry, read
from connectors.elasticsearch.check import refused_for_good
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.product import ABOUT, Product, product
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.target import Target, check_pipeline, what_is
from connectors.errors import Unavailable
from connectors.finding import Finding
from connectors.message import Properties, Rejection
from connectors.reject_kind import kind_of

MAX_INDICES = 10
"""The largest number of indices to check, if the index is a template that a sample fills."""
MAX_KINDS = 5
"""The largest number of kinds of reasons to report for the documents of a sample."""


class Sample(msgspec.Struct, kw_only=True, frozen=True):
    """A document to simulate, with its address."""

    line: int
    document: dict[str, Any]
    index: str
    id: str


def survey(
    spec: ElasticsearchSink,
    queues: Sequence[str],
    sample: Sequence[tuple[int, dict[str, Any]]],
    seconds: float,
    now: float,
) -> list[Finding]:
    """Check the cluster; each request may take `seconds`.

    `sample`: documents, each with the number of its line, as they would come from the first queue.
    `queues` and `now` fill templates.
    """
    addressing, *others = [ElasticsearchAddressing(spec, queue) for queue in queues]
    client = Client(spec, addressing.index, ask_seconds=seconds)
    try:
        access, server = _access(client)
        if server is None:
            return [access]
        samples, nowhere = _addressed(addressing, sample, now)
        names = [addressing.index] if addressing.index else [one.index for one in samples]
        for other in others if addressing.needs_queue else ():
            names += [one.index for one in _addressed(other, sample, now)[0]]
        return [
            access,
            *_indices(client, spec, list(dict.fromkeys(names)), server),
            *_pipeline(client, spec),
            *nowhere,
            *_sample(client, spec, samples),
        ]
    finally:
        client.close()


def _access(client: Client) -> tuple[Finding, Product | None]:
    """Return the finding and the product; `None`: the server refuses, or does not answer."""
    where = f"at {client.nodes}"
    try:
        reading = read(client.send_empty_bulk(), 0)
        if isinstance(reading, Retry):
            refusal = refused_for_good(client, reading)
            waits = f"{where} takes no documents now: the job would wait: {reading.reason}"
            return Finding("Elasticsearch", False, refusal or waits), None
        reply = client.ask(lambda official: official.info(filter_path=ABOUT))
    except Unavailable as error:
        return Finding("Elasticsearch", False, str(error)), None
    server = product(reply)
    return Finding("Elasticsearch", True, f"{server} {where} accepts the login"), server


def _indices(
    client: Client, spec: ElasticsearchSink, names: Sequence[str], server: Product
) -> Iterator[Finding]:
    """Yield the findings about the index; for a template, about the indices of the sample."""
    if not names:
        text = "each document names its own index: give a --sample to check those of its documents"
        yield Finding(f"index {spec.index}", None, text)
    for name in names[:MAX_INDICES]:
        target = Target(client, spec, name)
        if server.is_opensearch:
            text = "cannot be checked: OpenSearch tells no privileges"
            yield Finding(f"writing to {name}", None, text)
        else:
            yield _checked(f"writing to {name}", target.check_privilege, "is permitted")
        try:
            found = target.find()
            target.check_state(found)
            kind = what_is(found, spec)
            unknown = f"cannot be checked: Elasticsearch answers {found.status}"
            yield Finding(f"index {name}", None if kind is None else True, kind or unknown)
        except Unavailable as error:
            yield Finding(f"index {name}", False, str(error))


def _pipeline(client: Client, spec: ElasticsearchSink) -> Iterator[Finding]:
    name = spec.pipeline
    if name is not None:
        yield _checked(f"ingest pipeline {name}", lambda: check_pipeline(client, name), "exists")


def _checked(subject: str, check: Callable[[], None], fine: str) -> Finding:
    try:
        check()
    except Unavailable as error:
        return Finding(subject, False, str(error))
    return Finding(subject, True, fine)


def _addressed(
    addressing: ElasticsearchAddressing, sample: Sequence[tuple[int, dict[str, Any]]], now: float
) -> tuple[list[Sample], list[Finding]]:
    """Return the documents with their addresses, and findings about those without."""
    found, nowhere = [], []
    for line, document in sample:
        body = msgspec.json.encode(document)
        where = addressing.address(document, Properties(), body, now)
        if isinstance(where, Rejection):
            nowhere.append(f"line {line}: {where.reason}")
        else:
            index, name = where
            index = index or addressing.index or ""
            found.append(Sample(line=line, document=document, index=index, id=name or f"{line}"))
    return found, [Finding("sample", False, text) for text in nowhere[:MAX_KINDS]]


def _sample(
    client: Client, spec: ElasticsearchSink, samples: Sequence[Sample]
) -> Iterator[Finding]:
    """Yield whether Elasticsearch would store the documents, by mapping and ingest pipeline."""
    if not samples:
        return
    if spec.action not in ("index", "create"):
        yield Finding("sample", None, f"not checked: action: {spec.action} stores no documents")
        return
    docs = [{"_index": s.index, "_id": s.id, "_source": s.document} for s in samples]
    reply = client.ask(
        lambda official: official.perform_request(  # its typed method warns that it may change
            "POST",
            "/_ingest/_simulate",
            params={} if spec.pipeline is None else {"pipeline": spec.pipeline},
            body={"docs": docs},
        )
    )
    answers = _decoded(reply.body).get("docs")
    if reply.status != 200 or not isinstance(answers, list) or len(answers) != len(samples):
        text = f"cannot be checked: the server answers {reply.status} to a simulation"
        yield Finding("sample", None, f"{text}, which needs Elasticsearch 8.12 or later")
        return
    kinds: dict[str, list[tuple[int, str]]] = {}
    for one, answer in zip(samples, answers, strict=True):
        error = answer.get("doc", {}).get("error")
        if error is not None:
            reason = f"{error.get('type')}: {error.get('reason')}"
            kinds.setdefault(kind_of(reason), []).append((one.line, reason))
    for several in list(kinds.values())[:MAX_KINDS]:
        line, reason = several[0]
        more = f", and {len(several) - 1} more like it" if len(several) > 1 else ""
        yield Finding("sample", False, f"line {line}{more}: {reason}")
    if not kinds:
        yield Finding("sample", True, f"all {len(samples)} documents fit, by simulation")


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
