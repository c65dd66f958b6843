"""Other clients of the same Elasticsearch, which overload it until it answers 429."""

from __future__ import annotations

import json
import threading
import time

import urllib3

MANY, LARGE = (16, 20, 100), (8, 1, 240_000)
"""Threads, documents of a request, bytes of a document. Many requests fill the write queue: then
items are refused. Large ones fill the memory for indexing: then whole requests are refused."""


def overload(url: str, how: tuple[int, int, int], seconds: float) -> tuple[int, int]:
    """Write for a while; return how many items, and how many requests, were answered with 429."""
    threads, documents, size = how
    line = json.dumps({"pad": "." * size})
    body = "".join(f'{{"index":{{}}}}\n{line}\n' for _ in range(documents)).encode()
    pool = urllib3.PoolManager(maxsize=threads)
    items, requests = [0], [0]
    deadline = time.monotonic() + seconds

    def write() -> None:
        while time.monotonic() < deadline:
            try:
                answer = pool.request(
                    "POST",
                    f"{url}/neighbour/_bulk?filter_path=items.*.status",
                    body=body,
                    headers={"content-type": "application/x-ndjson"},
                    retries=False,
                )
            except urllib3.exceptions.HTTPError:  # Elasticsearch is being restarted
                time.sleep(0.1)
                continue
            if answer.status == 429:
                requests[0] += 1
            elif answer.status == 200:
                items[0] += answer.data.count(b"429")

    writers = [threading.Thread(target=write, daemon=True) for _ in range(threads)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return items[0], requests[0]
