"""The last words of a process that Bytewax ends by a panic."""

from __future__ import annotations

import subprocess
import sys

import pytest

PANIC = """
import logging
from flows.process import last_words
from flows.steps.raised import remembered

logging.basicConfig(format="%(levelname)s %(message)s")
last_words.install(renew=lambda: None)


class PanicException(BaseException):
    pass


@remembered
def step(raises):
    if raises:
        raise raises


try:
    step({raised})
except (ValueError, StopIteration):
    pass
raise {panic}("Send thread panic: Any {{ .. }}")
"""


def last_words(raised: str, panic: str = "PanicException") -> tuple[int, str]:
    code = PANIC.format(raised=raised, panic=panic)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("raised", ["None", "StopIteration()"])
def test_the_end_of_another_process_is_one_plain_line(raised: str) -> None:
    assert last_words(raised) == (
        1,
        "ERROR another process of the cluster has ended, so this one ends too; the broker "
        "redelivers unacknowledged messages\n",
    )


def test_a_bug_in_this_process_is_logged_with_its_traceback() -> None:
    """In a cluster Bytewax does not report it."""
    code, printed = last_words('ValueError("a defect")')

    assert code == 1
    assert printed.startswith("ERROR this process ends; this is a bug in Hopper\nTraceback")
    assert printed.endswith("ValueError: a defect\n")
    assert "PanicException" not in printed


def test_other_errors_are_raised_unchanged() -> None:
    code, printed = last_words("None", panic="KeyError")

    assert code == 1
    assert printed.startswith("Traceback")
