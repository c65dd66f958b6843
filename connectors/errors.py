"""The errors that end the job, each named after its remedy; an error about a message is a value.

HopperError
├── SpecError      fix pipeline.yaml
└── Unavailable    wait for the service, or correct its address or login
"""

from __future__ import annotations


class HopperError(Exception):
    """The job cannot continue."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


class SpecError(HopperError):
    """`pipeline.yaml` is invalid: `problems` lists all of its errors."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Unavailable(HopperError):
    """A service cannot be reached, or refuses the job."""
