"""`hopper test`: runs the tests of pipelines, without services and without waiting."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from flows.cli import exit_codes, options
from flows.cli.command import command as make
from flows.cli.output import RIGHT, WRONG, paint, plural, print_json, print_text, printable
from flows.cli.suites import Suite, suites
from flows.config.problems import path_text
from flows.testing.results import (
    FileResult,
    FoundDifference,
    OneResult,
    Tested,
    junit,
    lines_of,
)
from flows.testing.run import run
from flows.testing.spec import PipelineTest


@make(
    "test",
    "Run the tests of pipelines, without services.",
    examples=(
        "hopper test",
        "hopper test orders.yaml returns.test.yaml",
        "hopper test --name redelivered",
        "hopper test --junit results.xml",
    ),
    codes={
        exit_codes.DONE: "all tests have passed",
        exit_codes.WRONG: "a file is wrong, or there is no test",
        exit_codes.FAILED: "a test has failed",
    },
)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option(
    "--name", "part", metavar="TEXT", help="Only tests that have this text in their name."
)
@click.option("--junit", "xml", metavar="FILE", help="Write the results as JUnit's XML too.")
@options.env
@options.as_json
def command(
    files: tuple[str, ...],
    part: str | None,
    xml: str | None,
    environment: dict[str, str],
    as_json: bool,
) -> int:
    """Run the tests of pipelines: messages and faults at their times, and the expected results.

    FILE is a pipeline with `tests:`, which brings along the file of tests beside it
    (`orders.test.yaml` of `orders.yaml`), or such a file alone. Without FILE, they are those of the
    pipeline and all `*.test.yaml` beside it. docs/testing.md explains how to write them.

    The job's own steps run in memory, by a clock that does not wait: an hour takes milliseconds.
    Nothing is connected to, and placeholders stand for variables that are not set.
    """
    found = suites(files, environment)
    tested = [_run(suite, _chosen(suite.tests, part)) for suite in found]
    result = Tested(True, [file for file in tested if file.tests])
    if not result.files:
        raise click.UsageError(_none_found(found, part))
    result.passed = not result.failed
    if xml is not None:
        _write(xml, junit(result))
    if as_json:
        print_json(result)
    else:
        _print(result)
    return exit_codes.DONE if result.passed else exit_codes.FAILED


def _chosen(tests: Sequence[PipelineTest], part: str | None) -> list[tuple[int, PipelineTest]]:
    """The tests to run, each with its position in the file."""
    return [(at, test) for at, test in enumerate(tests) if part is None or part in test.name]


def _none_found(found: Sequence[Suite], part: str | None) -> str:
    names = [test.name for suite in found for test in suite.tests]
    if part is not None and names:
        return f"no test has {part} in its name; there are: {', '.join(names)}"
    files = ", ".join(suite.file for suite in found)
    return f"there is no test in {files}: write `tests:`, as docs/testing.md explains"


def _run(suite: Suite, tests: Sequence[tuple[int, PipelineTest]]) -> FileResult:
    results = [_run_one(suite, position, test) for position, test in tests]
    return FileResult(suite.file, suite.pipeline_file, results)


def _run_one(suite: Suite, position: int, test: PipelineTest) -> OneResult:
    began = time.perf_counter()
    differences = run(suite.pipeline, test)
    seconds = round(time.perf_counter() - began, 6)
    found = []
    for one in differences:
        path = ("expect", *one.at)
        line = suite.line_of(("tests", position, *path))
        found.append(FoundDifference(line, path_text(path), one.expected, one.actual))
    line = suite.line_of(("tests", position))
    return OneResult(test.name, line, not found, seconds, found)


def _write(file: str, content: bytes) -> None:
    try:
        Path(file).write_bytes(content)
    except OSError as error:
        raise click.UsageError(f"--junit {file}: cannot be written: {error.strerror}") from None


def _print(result: Tested) -> None:
    for file in result.files:
        print_text(file.file)
        for test in file.tests:
            verdict = paint("passed", RIGHT) if test.passed else paint("failed", WRONG)
            print_text(f"  {verdict}  {printable(test.name)}")
            for one in test.differences:
                for line in lines_of(file.file, one):
                    print_text(f"    {printable(line)}")
    count, seconds = len(result.tests), sum(test.seconds for test in result.tests)
    shown = f"{count - result.failed} passed, {result.failed} failed"
    print_text(f"{plural(count, 'test')}: {shown}, in {seconds * 1000:.0f} ms")
