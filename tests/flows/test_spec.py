"""What `load` makes of a file, and its errors for a wrong one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import SpecError
from connectors.memory.spec import MemorySink, MemorySource
from connectors.rabbitmq.spec import RabbitMQSource
from flows.spec import Pipeline, load, warnings
from tests.flows.broken_specs import BROKEN

TOP = Path(__file__).parents[2]

IN_MEMORY = """
version: 1
name: a
source: {memory: {}}
aggregate: {window: {time: 1s}}
sink: {memory: {}}
"""


def pipeline(text: str, folder: Path, **environment: str) -> Pipeline:
    path = folder / "pipeline.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, environment)


@pytest.mark.parametrize("case", BROKEN, ids=[case["about"] for case in BROKEN])
def test_every_problem_is_reported_at_its_place_with_its_remedy(
    case: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pipeline.yaml").write_text(case["spec"], encoding="utf-8")

    with pytest.raises(SpecError) as caught:
        load("pipeline.yaml", case.get("environment", {}))

    assert [f"pipeline.yaml:{problem}" for problem in case["problems"]] == caught.value.problems


def test_no_problem_shows_a_secret() -> None:
    """All secrets of the broken specs contain these letters."""
    assert not [case for case in BROKEN if "secret" in "".join(case["problems"])]
    assert not [case for case in BROKEN if "cret" in "".join(case["problems"])]


def test_the_pipeline_of_this_project_is_valid_without_variables() -> None:
    spec = load(TOP / "pipeline.yaml", {})

    assert isinstance(spec.source.chosen, RabbitMQSource)
    assert spec.source.chosen.url == ("amqp://guest:guest@localhost:5672/",)
    assert spec.sink.elasticsearch
    assert spec.sink.elasticsearch.url == ("http://localhost:9200",)
    assert (spec.aggregate.window.count, spec.aggregate.window.time) == (1000, 1.0)
    assert spec.aggregate.window.bytes == 5 * 1024 * 1024
    assert warnings(spec) == []


def test_an_omitted_key_has_its_default(tmp_path: Path) -> None:
    spec = pipeline(IN_MEMORY, tmp_path)

    assert isinstance(spec.source.chosen, MemorySource)
    assert isinstance(spec.sink.chosen, MemorySink)
    assert (spec.source.chosen.prefetch, spec.source.chosen.memory) == ("auto", 64 * 1024**2)
    assert (spec.drain_timeout, spec.aggregate.on_stop) == (30.0, "write")
    assert (spec.dead_letter, spec.metrics) == (None, None)


def test_a_substituted_value_has_the_type_that_its_key_needs(
    tmp_path: Path,
) -> None:
    text = """
    version: ${VERSION}
    name: ${NUMBER}
    source:
      rabbitmq:
        url: amqp://g:p@h/
        queue: ${NUMBER}
        prefetch: ${NUMBER}
        declare:
          durable: ${DURABLE}
          arguments:
            x-max-length: ${NUMBER}
            x-text: "${NUMBER}"
    aggregate: {window: {time: "${NUMBER}ms"}}
    sink:
      elasticsearch:
        url: http://h
        index: ${NUMBER}
        api_key: ${NUMBER}
    """
    spec = pipeline(text, tmp_path, VERSION="1", NUMBER="2500", DURABLE="false")

    assert spec.name == "2500"
    rabbitmq, elasticsearch = spec.source.rabbitmq, spec.sink.elasticsearch
    assert rabbitmq
    assert elasticsearch
    assert elasticsearch.api_key
    assert (rabbitmq.queue, rabbitmq.prefetch) == (("2500",), 2500)
    assert rabbitmq.model_dump()["declare"]["durable"] is False
    assert rabbitmq.model_dump()["declare"]["arguments"] == {"x-max-length": 2500, "x-text": "2500"}
    assert spec.aggregate.window.time == 2.5
    assert elasticsearch.index == "2500"
    assert elasticsearch.api_key.get_secret_value() == "2500"


def test_an_empty_value_counts_as_omitted(tmp_path: Path) -> None:
    """So a variable of the environment may supply a credential, or none."""
    text = IN_MEMORY.replace(
        "sink: {memory: {}}",
        "sink:\n  elasticsearch:\n    url: http://h\n    index: a\n    api_key: ${KEY:-}",
    )
    spec = pipeline(text, tmp_path)

    assert spec.sink.elasticsearch
    assert spec.sink.elasticsearch.api_key is None


def test_a_pipeline_shows_no_secret_when_it_is_printed(tmp_path: Path) -> None:
    text = """
    version: 1
    name: a
    source: {rabbitmq: {url: [amqp://u:hidden@h/, "amqp://u:hidden@i/"], queue: q}}
    aggregate: {window: {time: 1s}}
    sink: {elasticsearch: {url: "http://u:hidden@h", index: a, api_key: hidden}}
    dead_letter: {rabbitmq: {url: amqp://u:hidden@h/, routing_key: parked}}
    """
    spec = pipeline(text, tmp_path)

    assert "hidden" not in repr(spec) + str(spec)
    assert "amqp://u:***@h/" in repr(spec)


@pytest.mark.parametrize(
    ("source", "window", "expected"),
    [
        ("memory: {}", "{time: 1s}", []),
        ("memory: {}", "{count: 65535, time: 1s}", []),
        (
            "memory: {}",
            "{count: 65536, time: 1s}",
            [
                "aggregate.window.count: is never reached: a consumer holds at most prefetch "
                "(65535) messages, so each window waits for its time"
            ],
        ),
        (
            "memory: {}",
            "{count: 10}",
            [
                "aggregate.window.time: is missing: the last window waits for more messages "
                "until the job stops"
            ],
        ),
        (
            "rabbitmq: {url: amqp://h, queue: q}",
            "{time: 20m}",
            [
                "aggregate.window.time: is more than half of the broker's consumer timeout (30m)",
                "dead_letter: is missing: rejected messages are lost, unless declare.arguments or "
                "a policy of the broker gives the queue an x-dead-letter-exchange",
            ],
        ),
        (
            "rabbitmq: {url: amqp://h, queue: q, declare: "
            "{arguments: {x-dead-letter-exchange: dlx, x-consumer-timeout: 3600000}}}",
            "{time: 20m}",
            [
                "dead_letter: is missing: rejected messages go to the queue's "
                "x-dead-letter-exchange, without their reason"
            ],
        ),
    ],
)
def test_a_risky_setting_is_a_warning(
    source: str, window: str, expected: list[str], tmp_path: Path
) -> None:
    text = IN_MEMORY.replace("memory: {}", source, 1).replace("{time: 1s}", window)

    assert sorted(warnings(pipeline(text, tmp_path))) == sorted(expected)


def test_warnings_of_a_connector_have_its_path(tmp_path: Path) -> None:
    elasticsearch = "url: http://h, index: a, index_fallback: b, bulk: {max_bytes: 1GiB}"
    text = IN_MEMORY.replace("sink: {memory: {}}", f"sink: {{elasticsearch: {{{elasticsearch}}}}}")

    assert warnings(pipeline(text, tmp_path)) == [
        "sink.elasticsearch.index_fallback: is never used: index is not a template",
        "sink.elasticsearch.bulk.max_bytes: is more than Elasticsearch accepts (100MiB), unless "
        "its http.max_content_length is higher",
    ]


def test_parking_on_another_broker_may_use_the_same_name(tmp_path: Path) -> None:
    text = IN_MEMORY.replace("memory: {}", "rabbitmq: {url: amqp://h, queue: q}", 1)
    spec = pipeline(text + "dead_letter: {rabbitmq: {url: amqp://other, routing_key: q}}", tmp_path)

    assert spec.dead_letter


def test_a_missing_file_is_a_problem_of_the_spec(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    with pytest.raises(SpecError) as caught:
        load(path)

    assert caught.value.problems == [
        f"{path}: cannot be read: No such file or directory; another file is named by "
        "HOPPER_PIPELINE=orders.yaml"
    ]


def test_the_place_of_a_missing_file_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as caught:
        load("nowhere.yaml")

    assert f"; it was looked for as {tmp_path}/nowhere.yaml; " in caught.value.problems[0]


def test_a_file_is_utf_8_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + IN_MEMORY.encode())
    load(path)

    path.write_bytes(b"version: 1\nname: \xff\n")
    with pytest.raises(SpecError) as caught:
        load(path)

    assert caught.value.problems == [f"{path}:2:1: is not text in UTF-8"]


@pytest.mark.parametrize("missing", [None, ModuleNotFoundError("opentelemetry")])
def test_traces_need_their_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: Exception | None
) -> None:
    """Whether it is installed is asked only for a file that has traces."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        "{version: 1, name: a, source: {memory: {}}, aggregate: {window: {count: 5}}, "
        "sink: {memory: {}}, traces: {}}"
    )
    load(path)

    def find(_: str) -> None:
        if missing is not None:
            raise missing

    monkeypatch.setattr("flows.config.traces.find_spec", find)

    with pytest.raises(SpecError) as error:
        load(path)
    [problem] = error.value.problems
    assert problem.endswith(
        "traces: needs OpenTelemetry: python -m pip install 'rabbit-hopper[traces]'"
    )


def test_a_spec_is_checked_without_the_libraries_of_services() -> None:
    code = "import flows.spec, sys; print({'pika', 'elasticsearch', 'bytewax'} & set(sys.modules))"

    assert python("-c", code).stdout == "set()\n"


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=TOP, capture_output=True, text=True, check=False
    )
