"""Samples are served at the port, to requests with the token."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from http.client import HTTPResponse
from typing import Any

import pytest

from flows.process import tap_stream
from flows.process.tap_stream import MAX_RATE
from tests.flows.served_job import ServedJob
from tests.waiting import until


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> ServedJob:
    """It sends counts often, by which it notices a reader that is gone."""
    monkeypatch.setattr(tap_stream, "EVERY", 0.02)
    return ServedJob()


def tap(job: ServedJob, query: str, token: str | None = "radish") -> HTTPResponse:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{job.url}/tap?{query}", headers=headers)
    answer = urllib.request.urlopen(request)
    assert isinstance(answer, HTTPResponse)
    return answer


def refused(job: ServedJob, query: str, token: str | None = "radish") -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        tap(job, query, token)
    with refusal.value as answer:
        return answer.code, answer.read().decode().strip()


def readers(job: ServedJob) -> int:
    return len(job.simulation.job.taps.read.subscriptions)


def test_a_reader_gets_samples_and_counts(job: ServedJob) -> None:
    with tap(job, "at=read") as stream:
        until(lambda: readers(job))
        job.publish({"order": "one", "type": "line", "amount": 1})
        events: list[Any] = []
        while not any(event["place"] == "read" for event in events):
            line = stream.readline()
            if line.startswith(b"data: "):
                events.append(json.loads(line[6:]))

    assert events[-1]["key"] == '"one"'
    assert {"place": "counts", "passed": 1, "sampled": 1, "dropped": 0} in events


def test_a_reader_that_is_gone_ends_its_sampling(job: ServedJob) -> None:
    with tap(job, "at=read"):
        until(lambda: readers(job) == 1)
    until(lambda: readers(job) == 0)


def test_a_reader_that_breaks_off_ends_its_sampling(job: ServedJob) -> None:
    """Without a word, in the middle of the stream."""
    host, _, port = job.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        request = (
            "GET /tap?at=read HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer radish\r\n\r\n"
        )
        connection.sendall(request.encode())
        until(lambda: readers(job) == 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: readers(job) == 0)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (None, "what messages contain is shown only to a request with metrics.token"),
        (
            "guess",
            "the request has another token than metrics.token of the spec that the job has read",
        ),
    ],
)
def test_a_request_without_the_token_is_refused(
    job: ServedJob, token: str | None, why: str
) -> None:
    assert refused(job, "at=read", token) == (403, why)


def test_without_a_token_in_the_spec_it_is_refused_with_the_remedy() -> None:
    code, why = refused(ServedJob(token=None), "at=read", None)

    assert code == 403
    assert "add metrics.token, and restart the job" in why


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "missing required field `at`"),
        ("at=nowhere", "Invalid enum value 'nowhere'"),
        ("at=read&rate=0", f"rate must be from 1 to {MAX_RATE}"),
        ("at=read&rate=ten", "Expected `int`, got `str`"),
        ("at=dead-letter&key=1", "dead letters have no key"),
    ],
)
def test_a_wrong_parameter_is_named(job: ServedJob, query: str, why: str) -> None:
    code, text = refused(job, query)

    assert code == 400
    assert why in text


def test_too_many_readers_are_refused(job: ServedJob) -> None:
    taps = job.simulation.job.taps
    while taps.subscribe("read", 1, None):
        pass

    assert refused(job, "at=read") == (503, "too many readers; try again later")
