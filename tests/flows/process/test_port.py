"""The page: what the port serves at `/`, and what a browser may do with it."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

import pytest

from flows.process.port import FILES
from tests.flows.served_job import ServedJob

SCRIPTS = [file.path for file in FILES.values() if file.path.suffix == ".js"]


@pytest.fixture(scope="module")
def job() -> ServedJob:
    return ServedJob()


@pytest.mark.parametrize("path", FILES)
def test_each_file_is_served_with_a_strict_policy(job: ServedJob, path: str) -> None:
    with urllib.request.urlopen(job.url + path) as answer:
        assert answer.read() == FILES[path].path.read_bytes()
        headers = answer.headers

    assert headers["Content-Type"] == f"{FILES[path].media_type}; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(one.split(" ", 1) for one in headers["Content-Security-Policy"].split("; "))
    assert policy.pop("img-src") == "data:"
    assert policy.pop("default-src") == "'none'"
    assert {policy.pop(key) for key in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert policy == dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'")


def test_every_file_of_the_page_is_served() -> None:
    [folder] = {file.path.parent for file in FILES.values()}

    assert {file.path for file in FILES.values()} == {*folder.iterdir()}


def test_the_page_needs_nothing_from_outside() -> None:
    """Its files name only each other, the pages of the port, and the namespace of SVG."""
    served = {path.lstrip("/") for path in FILES}
    pages = {"status", "health", "metrics", "events"}
    text = "".join(file.path.read_text() for file in FILES.values())

    assert {*re.findall(r"https?://[^\"'` ]+", text)} == {"http://www.w3.org/2000/svg"}
    named = {*re.findall(r"(?:src|href)=\"([^#\"]+)\"", text)} - {"data:,"}
    named |= {one.removeprefix("./") for one in re.findall(r"from \"(.+)\"", text)}
    assert named <= served | pages


def test_nothing_in_the_page_is_inline() -> None:
    """The policy would refuse it."""
    html = FILES["/"].path.read_text()

    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_makes_no_html_of_texts(script: Path) -> None:
    """What came in messages is set as text, so it cannot become an element."""
    text = script.read_text()
    makes = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|Function\("

    assert re.findall(makes, text) == []


def test_the_stream_has_the_same_as_the_status(job: ServedJob) -> None:
    with urllib.request.urlopen(f"{job.url}/events") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.readline() == b": events follow\n"
        assert answer.readline() == b"\n"
        assert answer.readline().startswith(b'data: {"job": "orders-')
    assert {*job.get("/status")} >= {"limit", "messages", "groups", "sink", "dead_letters", "spec"}
