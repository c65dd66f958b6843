"""Settings of Hypothesis, and which files pytest leaves out."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.effort import EFFORT

if sys.dont_write_bytecode:
    # Without bytecode each worker and each process that a test starts compiles all it imports anew.
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    del os.environ["PYTHONDONTWRITEBYTECODE"]
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

settings.register_profile(
    # For `make fuzz`: many inputs that no earlier run has found.
    "fuzz",
    max_examples=10_000,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
if "CI" not in os.environ:  # there Hypothesis has a profile of its own
    settings.register_profile("home", max_examples=EFFORT.examples, deadline=None)
    settings.load_profile("home")

# In the background a shell lets tests ignore Ctrl-C, and so do the processes that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out live tests that are not wanted: reading them without bytecode takes 2 s."""
    unwanted = config.option.markexpr == "not live"
    return True if unwanted and collection_path == Path(__file__).parent / "live" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what collection makes out of garbage collection, which took an eighth of the time.

    It lives to the end, and is most of the objects that there are.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000)
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with live tests and simulations: short files keep all workers busy to the end."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    if item.get_closest_marker("live"):
        return 0
    return 1 if "simulation" in item.path.parts else 2
