"""An answer of a proxy is described in one line."""

from __future__ import annotations

import pytest

from connectors.elasticsearch.bulk_response import Reply, Retry, read
from connectors.elasticsearch.proxy_answer import MAX_WORDS_LENGTH, REDIRECTS, describe

HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize("status", REDIRECTS)
def test_a_redirect_names_its_target_and_the_remedy(status: int) -> None:
    headers = {"location": "https://user:secret@elsewhere/events/_bulk"}

    reading = read(Reply(status, b"<h1>Moved</h1>", headers=headers), 1)

    assert isinstance(reading, Retry)
    assert reading.status == status
    assert reading.reason == (
        "a redirect to https://user:***@elsewhere/events/_bulk: "
        "write that address in sink.elasticsearch.url"
    )


@pytest.mark.parametrize(
    ("headers", "body", "ending"),
    [
        (HTML, b"<html><body><h1>Sign in</h1>", "(text/html; charset=utf-8: Sign in)"),
        (HTML, b"<style>a{}</style><b>No</b>", "(text/html; charset=utf-8: No)"),
        (HTML, b"<img src=x>", "(text/html; charset=utf-8: <img src=x>)"),
        ({}, b"upstream\r\ntimed\x1b[31m out", "(no content type: upstream timed [31m out)"),
        ({"content-type": "text/plain"}, b"", "(text/plain, no content)"),
        ({}, b"\xff\x00", "(no content type: \ufffd)"),
        ({"content-type": "application/json"}, b'{"message":"x"}', '{"message":"x"})'),
    ],
)
def test_a_page_is_described_by_its_kind_and_first_words(
    headers: dict[str, str], body: bytes, ending: str
) -> None:
    description = describe(403, headers, body)

    assert description.startswith("not an answer of Elasticsearch (")
    assert description.endswith(ending)
    assert description.isprintable()


def test_a_long_page_is_cut() -> None:
    assert len(describe(403, {}, b"word " * 10_000)) < MAX_WORDS_LENGTH + 100
