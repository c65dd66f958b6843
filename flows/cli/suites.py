"""Finds the tests of a pipeline: `tests:` in it, and files of tests beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from connectors.errors import SpecError
from connectors.spec import Spec
from flows.cli import options
from flows.config.placeholders import Examination, examine_file
from flows.config.problems import line, place_of, placed
from flows.config.yaml import Path as KeyPath
from flows.config.yaml import YamlDocument
from flows.spec import Pipeline, chosen_path
from flows.testing.spec import (
    SUFFIX,
    FileOfTests,
    PipelineFile,
    PipelineTest,
    is_file_of_tests,
    unknown_queues,
)

S = TypeVar("S", bound=Spec)


class Suite(NamedTuple):
    """The tests of one file, and the pipeline that they are about."""

    file: str
    pipeline_file: str
    pipeline: Pipeline
    tests: Sequence[PipelineTest]
    document: YamlDocument

    def line_of(self, path: KeyPath) -> int:
        """Return the line of a key, or of the nearest one around it."""
        return place_of(self.document, path).line


def suites(files: Sequence[str], environment: Mapping[str, str]) -> list[Suite]:
    """Read the tests of these files; none: those of the chosen pipeline, and beside it.

    A pipeline brings along the file of tests that has its name.

    Raises:
        SpecError: a file cannot be read, or is wrong; lists the problems of all files.
    """
    found: list[Suite] = []
    problems: list[str] = []
    for file in dict.fromkeys(_with_tests_beside(files) if files else _all_of(chosen_path())):
        try:
            found.append(_suite(file, environment))
        except SpecError as error:
            problems += [one for one in error.problems if one not in problems]
    if problems:
        raise SpecError(problems)
    return found


def _with_tests_beside(files: Sequence[str]) -> Iterator[str]:
    for file in files:
        yield file
        if not is_file_of_tests(file) and file != options.STDIN:
            beside = Path(file).with_suffix(SUFFIX)
            if beside.exists():
                yield str(beside)


def _all_of(pipeline: str) -> Iterator[str]:
    """The pipeline, and all files of tests in its folder."""
    yield pipeline
    yield from sorted(str(one) for one in Path(pipeline).parent.glob(f"*{SUFFIX}"))


def _suite(file: str, environment: Mapping[str, str]) -> Suite:
    name, content = options.name_of(file), options.content(file)
    if not is_file_of_tests(file):
        whole, document = _right(name, examine_file(PipelineFile, content, environment))
        return Suite(name, name, whole, whole.tests, document)
    given, document = _right(name, examine_file(FileOfTests, content, environment))
    own = Path(file).name.removesuffix(SUFFIX) + ".yaml"
    pipeline = str(Path(file).parent / (given.pipeline or own))
    spec = options.pipeline(pipeline, environment)
    wrong = placed(unknown_queues(given.tests, spec.source.chosen.queue), document)
    if wrong:
        raise SpecError([line(name, one) for one in wrong])
    return Suite(name, pipeline, spec, given.tests, document)


def _right(name: str, examined: Examination[S]) -> tuple[S, YamlDocument]:
    if examined.problems or examined.spec is None:
        raise SpecError([line(name, one) for one in examined.problems])
    return examined.spec, examined.document
