"""When a reload requests a drain, and what a bad file does."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from connectors.errors import Unavailable
from connectors.message import Reload
from flows.process.reload import Reloader, seen
from flows.process.stop import ProcessStop
from flows.spec import Pipeline
from flows.values.reloads import Reloads

SPEC = """
version: 1
name: test
source: {memory: {}}
aggregate: {window: {count: 1}}
sink: {memory: {}}
"""


class WatchedFile:
    """A file, and what a process would do that runs it."""

    def __init__(self, folder: Path, *, watch: bool) -> None:
        self.path, self.stop, self.reloads = folder / "spec.yaml", ProcessStop(3600, int), Reloads()
        self.path.write_text(SPEC)
        self.started_with = seen(str(self.path))
        self.reloader = Reloader(
            str(self.path), self.started_with, self.stop, self.reloads, watch=watch
        )

    def write(self, text: str) -> None:
        self.path.write_text(text)


def test_a_changed_file_requests_a_drain_and_a_new_start(tmp_path: Path) -> None:
    job = WatchedFile(tmp_path, watch=True)
    job.write(SPEC.replace("count: 1", "count: 2"))

    job.reloader.look(asked=False)
    assert job.stop.reason is None
    job.reloader.look(asked=False)
    assert job.stop.reason == "reload: the file has changed"
    assert job.stop.reload == Reload(job.started_with or "", seen(str(job.path)) or "")


def test_a_changed_file_waits_for_a_request_without_reload_true(tmp_path: Path) -> None:
    job = WatchedFile(tmp_path, watch=False)
    job.write(SPEC.replace("count: 1", "count: 2"))

    for _ in range(3):
        job.reloader.look(asked=False)
    assert job.stop.reason is None
    job.reloader.look(asked=True)
    assert job.stop.reason == "reload by SIGHUP"


def test_an_unchanged_file_is_reloaded_on_request(tmp_path: Path) -> None:
    """Files with secrets and the user's own functions may have changed."""
    job = WatchedFile(tmp_path, watch=True)

    job.reloader.look(asked=True)

    assert job.stop.reload == Reload(job.started_with or "", job.started_with or "")


def test_a_file_that_the_next_start_would_refuse_is_not_used(tmp_path: Path) -> None:
    """As one that changes what a state counts: the job would drain, and not start again."""
    job = WatchedFile(tmp_path, watch=False)

    def accept(_: Pipeline) -> None:
        raise Unavailable("state: /s is of another spec")

    Reloader(str(job.path), "", job.stop, job.reloads, watch=False, accept=accept).look(asked=True)

    assert (job.stop.reason, job.reloads.refused) == (None, 1)
    assert job.reloads.problems == ["state: /s is of another spec"]


def test_a_bad_file_is_logged_once_with_place_and_remedy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = WatchedFile(tmp_path, watch=True)
    job.write(SPEC.replace("count: 1", "cuont: 1"))

    for _ in range(4):
        job.reloader.look(asked=False)

    assert job.stop.reason is None
    [text] = [text for _, level, text in caplog.record_tuples if level == logging.ERROR]
    assert text.startswith("the changed file is not used, and the job goes on as before: ")
    assert "spec.yaml:5:22: aggregate.window.cuont: unknown key; did you mean `count`?" in text
    assert job.reloads.refused == 1
    job.write(SPEC.replace("count: 1", "count: 3"))
    for _ in range(2):
        job.reloader.look(asked=False)
    assert job.stop.reload is not None


def test_a_request_for_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    job = WatchedFile(tmp_path, watch=False)
    job.path.unlink()

    job.reloader.look(asked=True)

    assert job.stop.reason is None
    assert "cannot be read" in job.reloads.problems[0]


def test_a_stop_takes_the_place_of_a_reload_and_not_the_reverse() -> None:
    stop = ProcessStop(3600, int)
    stop.request("reload", Reload("a", "b"))
    stop.request("another reload", Reload("b", "c"))
    assert (stop.reason, stop.reload) == ("reload", Reload("a", "b"))

    stop.request("SIGTERM")
    stop.request("reload", Reload("a", "b"))
    assert (stop.reason, stop.reload) == ("SIGTERM", None)


def test_without_a_reload_a_process_does_not_start_anew(tmp_path: Path) -> None:
    job = WatchedFile(tmp_path, watch=True)
    job.stop.request("SIGTERM")

    job.reloader.renew()
