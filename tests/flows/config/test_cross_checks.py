"""Source, windows and sink must work together."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import SpecError
from flows.spec import load, warnings
from tests.flows.aggregate_specs import pipeline

NEVER_COMES = "a group whose end never comes holds its messages until the job stops, and when "
GROUPS = (
    "a group whose end never comes holds its messages for ever, and when such groups hold as many "
    "as prefetch allows, nothing arrives any more"
)
WAITS = "the last window waits for more messages until the job stops"
STREAM = f"{NEVER_COMES}it holds 4000, which is prefetch, nothing arrives any more"
LAST = "last: 'message.x == 1'"
RABBITMQ = "rabbitmq: {url: amqp://h, queue: q}"
SOON = (
    "rabbitmq: {url: amqp://h, queue: q, declare: "
    "{arguments: {x-consumer-timeout: 60000, x-dead-letter-exchange: d}}}"
)
WITHOUT_REASON = (
    "dead_letter: is missing: rejected messages go to the queue's x-dead-letter-exchange, without "
    "their reason"
)


def taken_back(least: str, timeout: str = "2m") -> str:
    """The warning about a window that is too long for a consumer timeout of a minute."""
    return (
        "must stay well under the broker's consumer timeout (1m), after which it takes the "
        f"messages back: write less than {least}, or raise the timeout on the broker and here, "
        f"with consumer_timeout: {timeout} or x-consumer-timeout"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pipeline.yaml"


def found_problems(path: Path, aggregate: str, source: str, sink: str = "memory: {}") -> list[str]:
    """The problems without the file's name; or the warnings."""
    path.write_text(pipeline(aggregate, source, sink), encoding="utf-8")
    try:
        return warnings(load(path, {}))
    except SpecError as error:
        return [problem.removeprefix(f"{path}:") for problem in error.problems]


@pytest.mark.parametrize(
    ("source", "aggregate", "expected"),
    [
        ("", f"window: {{{LAST}, time: 1s}}", []),
        ("", f"window: {{{LAST}, tumbling: {{every: 1m}}}}", []),
        ("", f"window: {{{LAST}, idle: 1s, count: 10}}", []),
        ("", f"window: {{{LAST}}}", [f"aggregate.window.time: is missing: {STREAM}"]),
        (
            "",
            f"window: {{{LAST}, count: 4000}}",
            [
                "aggregate.window.time: is missing: the last window waits for more messages until "
                "the job stops"
            ],
        ),
        (
            "",
            f"window: {{{LAST}, count: 4001}}",
            [
                "aggregate.window.count: is never reached: a consumer holds at most prefetch "
                "(4000) messages",
                f"aggregate.window.time: is missing: {STREAM}",
            ],
        ),
        ("", "window: {count: 1}", []),
        ("", "by: a\nwindow: {count: 1}", []),
        ("", "window: {until: group.count > 0}", []),
        ("format: json", "window: {bytes: 2}", []),
        ("format: json", "window: {bytes: 600}", [f"aggregate.window.time: is missing: {WAITS}"]),
        (
            "format: json",
            "window: {until: group.bytes >= 600}",
            [f"aggregate.window.time: is missing: {WAITS}"],
        ),
        (
            "format: json",
            "window: {until: 'group.bytes >= 600 || group.count >= 5000'}",
            [f"aggregate.window.time: is missing: {WAITS}"],
        ),
        (
            "format: json",
            "by: a\nwindow: {bytes: 600}",
            [f"aggregate.window.time: is missing: {GROUPS}"],
        ),
        (
            "format: json",
            "window: {until: 'group.bytes >= 600 && message.x == 1'}",
            [f"aggregate.window.time: is missing: {STREAM}"],
        ),
        ("", f"by: a\nwindow: {{{LAST}}}", [f"aggregate.window.time: is missing: {GROUPS}"]),
        ("", "by: a\nwindow: {count: 2}", [f"aggregate.window.time: is missing: {GROUPS}"]),
        ("", "by: a\nwindow: {size: n}", [f"aggregate.window.time: is missing: {GROUPS}"]),
        (
            "",
            "by: a\nwindow: {idle: 1s}",
            [
                "aggregate.window.time: is missing: a group that never falls silent is never "
                "complete"
            ],
        ),
    ],
)
def test_groups_complete_although_their_last_message_never_arrives(
    path: Path, source: str, aggregate: str, expected: list[str]
) -> None:
    assert found_problems(path, aggregate, f"memory: {{prefetch: 4000, {source}}}") == expected


@pytest.mark.parametrize(
    ("source", "aggregate", "expected"),
    [
        (
            "consumers: 2",
            "window: {count: 5000}",
            "6:19: aggregate.window.count: is more than a consumer holds: add a time, lower it to "
            "4000, or raise prefetch to 5000",
        ),
        (
            "consumers: 2",
            "by: a\nwindow: {count: 9001}",
            "7:19: aggregate.window.count: is more than all consumers hold: add a time, lower it "
            "to 8000, or raise prefetch to 4501",
        ),
        (
            "consumers: 1",
            "by: a\nwindow: {count: 5000}",
            "7:19: aggregate.window.count: is more than a consumer holds: add a time, lower it to "
            "4000, or raise prefetch to 5000",
        ),
        (
            "consumers: 2",
            "by: a\nwindow: {count: 9000, time: 1s}",
            "aggregate.window.count: is never reached: consumers hold at most 2 times prefetch "
            "(8000) messages, so each window waits for its time",
        ),
        (
            "consumers: auto",
            "by: a\nwindow: {count: 5000, time: 1s}",
            "aggregate.window.count: needs several consumers: a consumer holds at most prefetch "
            "(4000) messages, so each window waits for its time",
        ),
        (
            "format: json",
            "window: {bytes: 8001}",
            "6:19: aggregate.window.bytes: may never be reached by the messages that a consumer "
            "holds (4000): add a time, or a count of at most 4000",
        ),
        (
            "format: text",
            "window: {until: group.bytes >= 600}",
            "6:19: aggregate.window.until: may never be reached by the messages that a consumer "
            "holds (4000): add a time, or a count of at most 4000",
        ),
        (
            "consumers: 2",
            "window: {until: group.count > 5000}",
            "6:19: aggregate.window.until: may never be reached by the messages that a consumer "
            "holds (4000): add a time, or a count of at most 4000",
        ),
        (
            "consumers: 2",
            "by: a\nwindow: {bytes: 5MiB}",
            "7:19: aggregate.window.bytes: may never be reached by the messages that a consumer "
            "holds (8000): add a time, or a count of at most 8000",
        ),
    ],
)
def test_a_group_has_no_more_messages_than_consumers_hold(
    path: Path, source: str, aggregate: str, expected: str
) -> None:
    """With keys, than all consumers hold; without keys, than one holds."""
    assert found_problems(path, aggregate, f"memory: {{prefetch: 4000, {source}}}") == [expected]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("{tumbling: {every: 30s}}", [WITHOUT_REASON]),
        ("{tumbling: {every: 1h}, time: 30s}", [WITHOUT_REASON]),
        ("{time: 1h, tumbling: {every: 30s, event_time: a}}", [WITHOUT_REASON]),
        (
            "{tumbling: {every: 60s}}",
            [f"6:30: aggregate.window.tumbling.every: {taken_back('54s')}"],
        ),
        (
            "{tumbling: {every: 50s, lateness: 10s, event_time: a}}",
            [f"6:45: aggregate.window.tumbling.lateness: {taken_back('4s, or a shorter every')}"],
        ),
        (
            "{tumbling: {every: 60s, lateness: 10s, event_time: a}}",
            [
                "6:30: aggregate.window.tumbling.every: "
                + taken_back("54s with its lateness of 10s", "140s")
            ],
        ),
        ("{idle: 60s, count: 9}", [f"6:18: aggregate.window.idle: {taken_back('54s')}"]),
        (
            "{idle: 50s, event_time: t, lateness: 10s}",
            [f"6:18: aggregate.window.idle: {taken_back('54s')}"],
        ),
        ("{time: 1h}", [f"6:18: aggregate.window.time: {taken_back('54s', '2h')}"]),
        ("{time: 55s}", [f"6:18: aggregate.window.time: {taken_back('54s', '110s')}"]),
        (
            "{tumbling: {every: 25s, lateness: 6s, event_time: a}}",
            [
                "aggregate.window.tumbling.lateness: is more than half of the broker's consumer "
                "timeout (1m)",
                WITHOUT_REASON,
            ],
        ),
    ],
)
def test_windows_complete_before_the_consumer_timeout(
    path: Path, window: str, expected: list[str]
) -> None:
    """By any rule that completes them first."""
    assert found_problems(path, f"window: {window}", SOON) == expected


def test_a_queue_in_memory_has_no_consumer_timeout(path: Path) -> None:
    assert found_problems(path, "window: {tumbling: {every: 1d}}", "memory: {}") == []


ALIGNED = "by: a\nwindow: {tumbling: {every: 1m}}\nreduce: {t: {first: a}}"
OTHERS = "by: a\nwindow: {time: 1s}\nreduce: {t: {first: a}}"
BY_ID = (
    "4:76: sink.elasticsearch.action: must be index: the summary of an aligned window is read "
    "by its _id, so that a part never replaces the whole; a data stream cannot be read by _id: "
    "write to an index, or use windows without tumbling"
)
WHOLE = "4:76: sink.elasticsearch.action: must be index or create: a summary is a whole document"
NO_FIELD = (
    "4:65: sink.elasticsearch.index: names a field that a summary does not have: it has the "
    "fields of reduce and of summary"
)
NOT_USED = "is for documents of messages: summaries do not use it"


@pytest.mark.parametrize(
    ("aggregate", "sink", "expected"),
    [
        (ALIGNED, "a", []),
        (OTHERS, "a, action: create", []),
        (ALIGNED, "a, action: create", [BY_ID]),
        (ALIGNED, "a, action: update, id: {field: a}", [BY_ID]),
        (OTHERS, "a, action: update, id: {field: a}", [WHOLE]),
        (OTHERS, "a, action: delete, id: {field: a}", [WHOLE]),
        (OTHERS, "a, id: {field: a}", [f"sink.elasticsearch.id: {NOT_USED}"]),
        (ALIGNED, "a, routing: {field: a}", [f"sink.elasticsearch.routing: {NOT_USED}"]),
        (OTHERS, "'{tenant}'", [NO_FIELD]),
        (OTHERS, "'{header.t}'", [NO_FIELD]),
        (OTHERS.replace("by: a\n", ""), "'{key}'", [NO_FIELD]),
        (OTHERS, "'{tenant}', index_fallback: a", []),
        (OTHERS, "'e-{t.x}-{key}-{completed_by}-{@timestamp:%Y}'", []),
        (OTHERS, "'e-{window_start:%Y}-{window_end:%m}-{queue}'", []),
        (f"{OTHERS}\nsummary: {{start: from}}", "'e-{from:%Y}'", []),
        (f"{OTHERS}\nsummary: {{start: from}}", "'e-{window_start:%Y}'", [NO_FIELD]),
        (OTHERS, "'e-{routing_key}'", [NO_FIELD]),
        (f"{OTHERS}\nsummary: {{key: tenant}}", "'{tenant}'", []),
        ("window: {time: 1s}\nreduce: os.path:join", "'{tenant}'", []),
        ("window: {time: 1s}\nreduce: os.path:join", "'{property.type}'", [NO_FIELD]),
        ("window: {time: 1s}", "'{tenant}', id: {field: a}, action: update", []),
    ],
)
def test_the_sink_can_store_a_summary(
    path: Path, aggregate: str, sink: str, expected: list[str]
) -> None:
    elasticsearch = f"elasticsearch: {{url: 'http://elasticsearch:9200', index: {sink}}}"

    assert found_problems(path, aggregate, "memory: {}", elasticsearch) == expected


IN_INDEX = "4:65: sink.elasticsearch.index: cannot contain the name of the queue ({queue}): "


@pytest.mark.parametrize(
    ("queue", "index", "expected"),
    [
        ("orders.new", "e-{queue}", []),
        ("Orders", "e-{queue|lower}", []),
        (
            "Orders",
            "e-{queue}",
            [IN_INDEX + "the name of an index must be lowercase: write {queue|lower}"],
        ),
        (
            "new orders",
            "e-{queue}",
            [
                IN_INDEX + r'the name of an index must have no \ / * ? " < > | , # : and no space: '
                "write the index without it"
            ],
        ),
        (
            "_orders",
            "e-{queue}",
            [
                IN_INDEX + "the value of a placeholder must not begin with one of . - _ +: "
                "write the index without it"
            ],
        ),
    ],
)
def test_the_name_of_a_queue_must_fit_an_index_template(
    path: Path, queue: str, index: str, expected: list[str]
) -> None:
    """Otherwise no message would be stored: the queue is the same for all of them."""
    elasticsearch = f"elasticsearch: {{url: 'http://elasticsearch:9200', index: '{index}'}}"
    source = f"memory: {{name: '{queue}'}}"

    assert found_problems(path, "window: {time: 1s}", source, elasticsearch) == expected


@pytest.mark.parametrize("source", ["memory: {", "rabbitmq: {url: amqp://h, queue: q, "])
def test_only_the_body_of_a_bulk_request_names_indices(path: Path, source: str) -> None:
    kind = source.partition(":")[0]
    of_queue = found_problems(path, "window: {time: 1s}", f"{source}indices: 'events-*'}}")

    assert [line.partition(": ")[2] for line in of_queue] == [
        f"source.{kind}.indices: needs format: es_bulk"
    ]
    path.write_text(
        pipeline("window: {time: 1s}", f"{source}indices: 'events-*', format: es_bulk}}"),
        encoding="utf-8",
    )
    assert load(path, {}).source.chosen.indices == ("events-*",)


EVENT_TIME = "{tumbling: {every: 1m, event_time: at, lateness: 10s}}"


@pytest.mark.parametrize("source", ["memory: {prefetch: 200}", RABBITMQ[:-1] + ", prefetch: 200}"])
def test_a_given_prefetch_may_be_too_small_for_windows_by_event_time(
    path: Path, source: str
) -> None:
    found = found_problems(path, f"window: {EVENT_TIME}", source)

    assert (
        f"source.{source.partition(':')[0]}.prefetch: is an upper limit: when a consumer holds 200 "
        "messages of windows that are not over after 70s, nothing arrives any more; omit it, so "
        "that it grows as far as memory allows, or raise it"
    ) in found


def test_a_window_of_more_bytes_than_memory_never_completes(path: Path) -> None:
    found = found_problems(path, "window: {bytes: 5MiB, time: 1s}", "memory: {memory: 1MiB}")

    assert found == [
        "aggregate.window.bytes: is never reached: a process holds at most 1MiB of messages; "
        "raise source.memory.memory"
    ]


def test_no_remedy_asks_for_more_than_the_largest_prefetch(path: Path) -> None:
    assert found_problems(path, "window: {count: 70000}", "memory: {}") == [
        "6:19: aggregate.window.count: is more than a consumer holds: add a time, lower it to 65535"
    ]


@pytest.mark.parametrize(
    ("source", "window"),
    [
        ("memory: {}", EVENT_TIME),
        ("memory: {prefetch: 4000}", EVENT_TIME),
        ("memory: {prefetch: 200}", EVENT_TIME[:-1] + ", time: 5m}"),
        ("memory: {prefetch: 200}", "{tumbling: {every: 1m}}"),
    ],
)
def test_a_prefetch_that_grows_or_is_large_enough_gives_no_warning(
    path: Path, source: str, window: str
) -> None:
    assert found_problems(path, f"window: {window}", source) == []
