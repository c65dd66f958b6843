"""`hopper tap`, against the port of a job in this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from flows.process.server import serve
from flows.tap.samples import Place
from tests.flows.cli.command import CommandResult, hopper
from tests.flows.served_job import ServedJob
from tools.local.ports import free_ports

ORDER = [
    {"order": "one", "type": "line", "amount": 2},
    {"order": "two", "type": "line", "amount": 5},
    {"order": "one", "type": "end", "amount": 3},
]

TEXT = "the body is no JSON object, so it is text"


@contextmanager
def fed(job: ServedJob) -> Iterator[None]:
    """Publish orders, and a message that is no JSON, while the block runs."""
    ends = threading.Event()

    def feed() -> None:
        while not ends.wait(0.05):
            job.publish(*ORDER, b"no JSON\x1b[2J")

    thread = threading.Thread(target=feed)
    thread.start()
    yield
    ends.set()
    thread.join()


Tap = Callable[..., CommandResult]


@pytest.fixture
def tap(tmp_path: Path) -> Iterator[Tap]:
    """Runs `hopper tap` on a job that is fed."""
    job = ServedJob()
    file = job.write(tmp_path)
    with fed(job):
        yield lambda *arguments: hopper("tap", file, *arguments)


def shown(result: CommandResult) -> list[Any]:
    """The samples, checked against the schema."""
    assert result.code == 0, result.err
    schema = json.loads(hopper("schema", "tap").out)
    samples = [json.loads(line) for line in result.out.splitlines()]
    for sample in samples:
        jsonschema.validate(sample, schema)
    return samples


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("read", "queue", "orders"),
        ("aggregate", "completed_by", "last"),
        ("write", "result", "stored"),
        ("dead-letter", "reason", f"missing_key: nothing in order; {TEXT}"),
    ],
)
def test_each_place_has_samples(tap: Tap, place: Place, name: str, value: str) -> None:
    samples = shown(tap("--at", place, "--limit", "3", "--json"))

    assert [(one["place"], one[name]) for one in samples] == [(place, value)] * 3


@pytest.mark.parametrize("key", ["one", '"one"'])
def test_a_key_selects_samples(tap: Tap, key: str) -> None:
    """As a text, or in JSON."""
    samples = shown(tap("--key", key, "--limit", "4", "--json"))

    assert {one["key"] for one in samples} == {'"one"'}


def test_people_read_lines_that_cannot_control_the_terminal(tap: Tap) -> None:
    result = tap("--at", "dead-letter", "--limit", "1")

    first, second = result.out.splitlines()
    assert first[14:] == f"missing_key: nothing in order; {TEXT}  orders"
    assert second == "    no JSON\\x1b[2J"
    assert result.err.startswith("1 sample of ")
    assert result.err.endswith(" that have passed\n")


def test_it_ends_after_a_time(tmp_path: Path) -> None:
    """Also when nothing passes."""
    result = hopper("tap", ServedJob().write(tmp_path), "--for", "200ms")

    assert (result.code, result.out) == (0, "")
    assert result.err == "0 samples of 0 that have passed\n"


def test_dropped_samples_are_reported(tmp_path: Path) -> None:
    """The process counts what a slow reader loses."""

    class SlowStream:
        def __iter__(self) -> Iterator[bytes]:
            yield b'data: {"place":"counts","passed":500,"sampled":100,"dropped":3}\n\n'
            yield (
                b'data: {"place":"aggregate","at":1,"key":null,"completed_by":"count",'
                b'"members":2,"start":0,"end":1}\n\n'
            )

        def close(self) -> None:
            """There is nothing to close."""

    [port] = free_ports(1)
    pages = {"/health": lambda: (True, {"job": "slow"})}
    serve(
        *("127.0.0.1", port, pages),
        content_streams={"/tap": lambda _query: SlowStream()},
        token="secret",
    )
    file = spec(tmp_path, "slow", f"{{port: {port}, token: secret}}")

    result = hopper("tap", file, "--at", "aggregate", "--limit", "1")

    assert "  completed by count  2 members  from " in result.out
    assert result.err == (
        "1 sample of 500 that have passed\n3 samples dropped: the output is slower than --rate 10\n"
    )


def spec(folder: Path, name: str, metrics: str, aggregate: str = "window: {time: 1s}") -> str:
    file = folder / "pipeline.yaml"
    file.write_text(
        f"{{version: 1, name: {name}, source: {{memory: {{}}}}, aggregate: {{{aggregate}}}, "
        f"sink: {{memory: {{}}}}, metrics: {metrics}}}"
    )
    return str(file)


def test_a_file_without_a_token_is_told_how_to_get_one(tmp_path: Path) -> None:
    file = spec(tmp_path, "orders", "{port: 9100}")

    result = hopper("tap", file)

    assert result.code == 2
    assert result.err.startswith(f"error: {file}: metrics.token is missing: what passes is data of")
    assert 'metrics: {port: 9100, token: "${HOPPER_TOKEN}"}' in result.err


def test_a_token_without_a_value_is_an_error(tmp_path: Path) -> None:
    result = hopper("tap", spec(tmp_path, "orders", "{port: 9100, token: '${TOKEN}'}"))

    assert result.code == 2
    assert "metrics.token: TOKEN has no value" in result.err


def test_a_job_with_another_token_refuses(tmp_path: Path) -> None:
    job = ServedJob()
    job.content["metrics"]["token"] = "carrot"

    result = hopper("tap", job.write(tmp_path))

    assert result.code == 1
    assert result.err == (
        f"error: {job.url} refuses: the request has another token than metrics.token of the spec "
        "that the job has read\n"
    )


@pytest.mark.parametrize(
    ("aggregate", "arguments", "why"),
    [
        ("window: {time: 1s}", ("--key", "a"), "--key: messages of orders have no key"),
        (
            "by: a, window: {time: 1s}",
            ("--key", "a", "--at", "dead-letter"),
            "--key: dead letters have no key; --at read shows messages by key",
        ),
        ("window: {time: 1s}", ("--rate", "101"), "101 is not in the range 1<=x<=100"),
        ("window: {time: 1s}", ("--at", "sink"), "'sink' is not one of"),
    ],
)
def test_a_wrong_option_is_named(
    aggregate: str, arguments: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    file = spec(tmp_path, "orders", "{port: 9100, token: secret}", aggregate)

    result = hopper("tap", file, *arguments)

    assert result.code == 2
    assert why in result.err


def test_a_job_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    [port] = free_ports(1)

    result = hopper("tap", spec(tmp_path, "absent", f"{{port: {port}, token: secret}}"))

    assert result.code == 1
    assert result.err.startswith("error: no process of absent answers on 127.0.0.1, ports ")
