"""The models of tests, in `pipeline.yaml` and in files of their own.

The job never imports them: it leaves out the key `tests`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from connectors.spec import Problem, Spec, instead_of
from connectors.times import read_time
from connectors.units import Duration
from flows.spec import Pipeline
from flows.testing.expect_spec import Expectation
from flows.testing.steps_spec import StepSpec

BEGINNING = "2026-01-01T00:00:00Z"
"""When a test without `start` begins: windows of whole hours begin there too."""


def _time(text: str) -> str:
    if read_time(text) is None:
        raise ValueError("must be a time, as in 2026-01-01T00:00:00Z")
    return text


class PipelineTest(Spec):
    """What happens to a pipeline, and what it is expected to do, by a clock of its own."""

    elsewhere: ClassVar = instead_of(
        {
            "write steps": "when given input messages input_batch",
            "write expect": "then output output_batches expected",
            "write name": "title test case",
        }
    )

    name: Annotated[str, Field(min_length=1)]
    """What the test shows."""
    start: Annotated[str, AfterValidator(_time)] = BEGINNING
    """The time of day at which the test begins."""
    steps: Annotated[tuple[StepSpec, ...], Field(strict=False, min_length=1)]
    """What happens, in order; consecutive messages of one moment arrive together."""
    until: Duration | None = None
    """When the test ends, counted from its beginning; omitted: when nothing is left to do, at most
    a day after the last step."""
    expect: Expectation
    """What the pipeline is expected to do."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        now = 0.0
        for number, step in enumerate(self.steps):
            if step.at is not None and step.at < now:
                yield Problem(("steps", number, "at"), "is before the step above it")
            now = now if step.at is None else step.at
        if self.until is not None and self.until < now:
            yield Problem(("until",), "is before the last step")


Tests = Annotated[tuple[PipelineTest, ...], Field(strict=False)]


class PipelineFile(Pipeline):
    """One job: messages from a source, in windows, to a sink; and its tests."""

    tests: Tests = ()
    """Tests of this pipeline, which `hopper test` runs; the job leaves them out."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        yield from super().problems()
        yield from _double_names(self.tests)
        yield from unknown_queues(self.tests, self.source.chosen.queue)


class FileOfTests(Spec):
    """A file of tests, beside the pipeline."""

    pipeline: str | None = None
    """The pipeline, relative to this file; omitted: of `orders.test.yaml` it is `orders.yaml`."""
    tests: Annotated[Tests, Field(min_length=1)]
    """The tests."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        yield from _double_names(self.tests)


SUFFIX = ".test.yaml"


def is_file_of_tests(name: str) -> bool:
    """Whether a file has tests only, by its name."""
    return name.endswith(SUFFIX)


def unknown_queues(tests: Sequence[PipelineTest], queues: Sequence[str]) -> Iterator[Problem]:
    """Yield a problem for each message in a queue that the pipeline does not consume."""
    for number, test in enumerate(tests):
        for at, step in enumerate(test.steps):
            if step.queue is not None and step.queue not in queues:
                path = ("tests", number, "steps", at, "queue")
                yield Problem(path, f"is no queue of the pipeline, which has {', '.join(queues)}")


def _double_names(tests: Sequence[PipelineTest]) -> Iterator[Problem]:
    names = [test.name for test in tests]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Problem(("tests", number, "name"), "is the name of a test above it too")
