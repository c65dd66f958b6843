"""Memory that threads have freed goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from flows.process.allocator import keep_little

THREADS = 8
SCRIPT = f"""
import sys, threading
from pathlib import Path
from flows.process.allocator import keep_little

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

assert keep_little({{}} if sys.argv[1] == "ours" else {{"MALLOC_ARENA_MAX": "8"}}) == (
    sys.argv[1] == "ours"
)
bytes(4_000_000)  # glibc's threshold becomes as large as this block
before, freed, end = resident(), threading.Barrier({THREADS} + 1), threading.Event()

def work():
    body = b"x" * 3_900_000
    freed.wait()
    del body
    freed.wait()
    end.wait()

for _ in range({THREADS}):
    threading.Thread(target=work, daemon=True).start()
freed.wait()
freed.wait()
print(resident() - before)
end.set()
"""


@pytest.mark.parametrize(("options", "is_kept"), [("ours", False), ("of the user", True)])
def test_large_blocks_that_threads_free_are_not_kept(options: str, is_kept: bool) -> None:
    """Options of the user are not changed: glibc then keeps a block for each thread."""
    command = [sys.executable, "-c", SCRIPT, options]
    kept = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert (kept > THREADS * 2_000_000) == is_kept, f"{kept} bytes are kept"


def test_the_allocator_knows_the_options() -> None:
    assert keep_little({})
    assert not keep_little({"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"})
