"""Asks a cluster for everything that the job needs of it, and stores nothing.

The questions are those of the start of the job; they go on after what is wrong, so that all of it
is told. A sample of documents is tried by a simulation, which Elasticsearch has since 8.12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from connectors.elasticsearch.address import ElasticsearchAddressing
from connectors.elasticsearch.bulk_response import Retry, read
from connectors.elasticsearch.check import refused_for_good
from connectors.elasticsearch.client import Client
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.elasticsearch.target import Target, check_pipeline, what_is
from connectors.errors import Unavailable
from connectors.finding import Finding
from connectors.message import Properties, Rejection
from connectors.reject_kind import kind_of

MAX_INDICES = 10
"""Of a template, that documents of a sample name: each is asked for."""
MAX_KINDS = 5
"""Of reasons why documents of a sample would be rejected, that are told."""


class Sample(msgspec.Struct, kw_only=True, frozen=True):
    """A document that is tried."""

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
    """Ask the cluster, each time for at most so many `seconds`.

    `sample`: documents, each with the number of its line, as they would come from the first queue.
    `queues` and `now` fill templates.
    """
    addressing, *others = [ElasticsearchAddressing(spec, queue) for queue in queues]
    client = Client(spec, addressing.index, look_seconds=seconds)
    try:
        access = _access(client)
        if not access.ok:
            return [access]
        samples, nowhere = _addressed(addressing, sample, now)
        names = [addressing.index] if addressing.index else [one.index for one in samples]
        for other in others if addressing.needs_queue else ():
            names += [one.index for one in _addressed(other, sample, now)[0]]
        return [
            access,
            *_indices(client, spec, list(dict.fromkeys(names))),
            *_pipeline(client, spec),
            *nowhere,
            *_sample(client, spec, samples),
        ]
    finally:
        client.close()


def _access(client: Client) -> Finding:
    where = f"at {client.nodes}"
    try:
        reading = read(client.send_empty_bulk(), 0)
        if isinstance(reading, Retry):
            told = refused_for_good(client, reading)
            waits = f"{where} takes no documents now: the job would wait: {reading.reason}"
            return Finding("Elasticsearch", False, told or waits)
        reply = client.ask("GET", "/?filter_path=version.number")
    except Unavailable as error:
        return Finding("Elasticsearch", False, str(error))
    version = _decoded(reply.body).get("version", {}).get("number", "of an unknown version")
    return Finding("Elasticsearch", True, f"{version} {where} lets us in")


def _indices(client: Client, spec: ElasticsearchSink, names: Sequence[str]) -> Iterator[Finding]:
    """What documents are written to; of a template, as far as the sample tells."""
    if not names:
        told = (
            "each document names its own: give a --sample, and those of its documents are asked for"
        )
        yield Finding(f"index {spec.index}", None, told)
    for name in names[:MAX_INDICES]:
        target = Target(client, spec, name)
        yield _asked(f"writing to {name}", target.check_privilege, "nothing forbids it")
        try:
            found = target.find()
            target.check_state(found)
            yield Finding(f"index {name}", True, what_is(found, spec))
        except Unavailable as error:
            yield Finding(f"index {name}", False, str(error))


def _pipeline(client: Client, spec: ElasticsearchSink) -> Iterator[Finding]:
    name = spec.pipeline
    if name is not None:
        yield _asked(f"ingest pipeline {name}", lambda: check_pipeline(client, name), "exists")


def _asked(subject: str, check: Callable[[], None], fine: str) -> Finding:
    try:
        check()
    except Unavailable as error:
        return Finding(subject, False, str(error))
    return Finding(subject, True, fine)


def _addressed(
    addressing: ElasticsearchAddressing, sample: Sequence[tuple[int, dict[str, Any]]], now: float
) -> tuple[list[Sample], list[Finding]]:
    """Where the documents of a sample go; and what is told of those that go nowhere."""
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
    return found, [Finding("sample", False, told) for told in nowhere[:MAX_KINDS]]


def _sample(
    client: Client, spec: ElasticsearchSink, samples: Sequence[Sample]
) -> Iterator[Finding]:
    """Whether Elasticsearch would store the documents, by mapping and ingest pipeline."""
    if not samples:
        return
    if spec.action not in ("index", "create"):
        yield Finding("sample", None, f"is not tried: action: {spec.action} stores no documents")
        return
    docs = [{"_index": s.index, "_id": s.id, "_source": s.document} for s in samples]
    pipeline = f"?pipeline={quote(spec.pipeline, safe='')}" if spec.pipeline else ""
    reply = client.ask("POST", f"/_ingest/_simulate{pipeline}", msgspec.json.encode({"docs": docs}))
    answers = _decoded(reply.body).get("docs")
    if reply.status != 200 or not isinstance(answers, list) or len(answers) != len(samples):
        yield Finding("sample", None, f"cannot be tried: Elasticsearch says {reply.status}")
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
        yield Finding("sample", True, f"all {len(samples)} documents fit, as a simulation tells")


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
