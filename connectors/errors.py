"""The errors that end the job, each named after what helps; an error about one message is a value.

HopperError
├── SpecError      fix pipeline.yaml
└── Unavailable    wait for the other side, or correct how it is reached
"""

from __future__ import annotations


class HopperError(Exception):
    """The job cannot go on."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


class SpecError(HopperError):
    """`pipeline.yaml` is not a pipeline: `problems` lists everything that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Unavailable(HopperError):
    """A service cannot be reached, or does not let us in."""
