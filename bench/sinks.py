"""The sinks: a stub that only answers, or a real Elasticsearch that is warmed up."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from itertools import islice
from types import TracebackType
from typing import Any, Protocol, Self

from bench.fill import messages
from bench.process import ROOT
from bench.watch import cpu_seconds

INDEX = "hopper-bench"

WARM_UP = 200_000
"""Documents after which Java has compiled its hot code; before, they take twice as long."""


class BenchSink(Protocol):
    """A sink that is open within its `with` block."""

    url: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def clear(self) -> None:
        """Forget all documents."""

    def remark(self, documents: int) -> str:
        """A remark on the sink for the report, after so many documents."""


class StubSink:
    """See `stub.py`."""

    def __init__(self, seconds: float = 0.0, throttled: float = 0.0) -> None:
        """`seconds`: delay of each answer; `throttled`: the share of throttled documents."""
        self.url, self._options = "", (str(seconds), str(throttled))

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.stub", *self._options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self._cpu_at_start = cpu_seconds(self._process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def clear(self) -> None:
        """See `BenchSink`."""

    def remark(self, documents: int) -> str:
        """See `BenchSink`."""
        used = cpu_seconds(self._process.pid) - self._cpu_at_start
        return f"The stub used {1e6 * used / documents:.1f} µs of CPU a document."

    def ages(self) -> list[float]:
        """The age of each document at its arrival, by its field `sent`."""
        ages: list[float] = self._get("ages")
        return ages

    def received_bytes(self) -> int:
        """Bytes of all bodies so far, as they were on the wire."""
        lengths: list[int] = self._get("lengths")
        return sum(lengths)

    def _get(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/{what}") as answer:
            return json.load(answer)


class Real:
    """The Elasticsearch at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> Self:
        sources = (body for body, _ in messages(WARM_UP, ids=False))
        while bulk := list(islice(sources, 1000)):
            self._request("POST", "/_bulk", b"".join(b'{"index":{}}\n%s\n' % body for body in bulk))
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """See `BenchSink`."""
        self._request("DELETE", "?ignore_unavailable=true")

    def remark(self, _documents: int) -> str:
        """See `BenchSink`."""
        with urllib.request.urlopen(self.url) as answer:
            version = json.load(answer)["version"]["number"]
        return f"Elasticsearch {version}, warmed up with {WARM_UP:,} documents."

    def _request(self, method: str, path: str, body: bytes | None = None) -> None:
        request = urllib.request.Request(f"{self.url}/{INDEX}{path}", body, method=method)
        request.add_header("content-type", "application/x-ndjson")
        with urllib.request.urlopen(request) as answer:
            answer.read()
