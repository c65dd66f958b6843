"""Runs a test of a pipeline, by a clock of its own."""

from __future__ import annotations

from connectors.times import read_time
from flows.simulation.play import play
from flows.spec import Pipeline
from flows.testing.compare import Difference, differences
from flows.testing.spec import PipelineTest
from flows.testing.steps import steps_of


def run(pipeline: Pipeline, test: PipelineTest) -> list[Difference]:
    """Return what is not as the test expects; none: it passes."""
    start = read_time(test.start)
    assert start is not None, "the spec has checked it"
    return differences(test.expect, play(pipeline, steps_of(test), start, test.until))
