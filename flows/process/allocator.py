"""Tells the C library's allocator to keep little of the memory that the process has freed.

glibc gives each thread an arena of its own, and freed memory of one arena serves no other. A job
has a thread for each consumer and for each request in flight; each kept what one large message took
at some time, and all together kept more than the messages that were held.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

ARENAS = -8, 1
"""`M_ARENA_MAX`: all threads share one arena. They allocate while they have Python's interpreter
lock, so they do not wait for each other there."""
OWN_PAGES_FROM = -3, 1024**2
"""`M_MMAP_THRESHOLD`, bytes: a larger body has pages of its own, which the system has back when it
is freed. Without a number glibc raises the threshold to the largest block ever freed."""
KEPT_FREE = -1, 8 * 1024**2
"""`M_TRIM_THRESHOLD`, bytes: free memory at the end of the heap, which the next windows take again;
beside a fixed threshold of the pages glibc's own number is 128 KiB."""


def keep_little(environ: Mapping[str, str] = os.environ) -> bool:
    """Set up the allocator, and return whether it knows these options.

    To be called before there are other threads. Options of the user (`MALLOC_ARENA_MAX`,
    `MALLOC_TRIM_THRESHOLD_`, …) stay as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in environ):
        return False
    known = [mallopt(*option) for option in (ARENAS, OWN_PAGES_FROM, KEPT_FREE)]
    return all(known)
