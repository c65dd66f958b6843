"""Random numbers for the delays before retries; all threads that retry draw them here.

They come from a generator of their own: a function of the user may seed the global one, and then
counts on its numbers.
"""

from __future__ import annotations

from random import Random

jitter = Random().random
"""Returns a random number from 0 to 1; from any thread."""
