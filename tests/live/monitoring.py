"""A job with metrics and health, and its pages."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.live.indices import Index
from tests.live.job import JobProcess
from tests.live.pipeline import spec
from tests.live.queues import RabbitMQRig
from tests.waiting import until
from tools.local.ports import free_ports


def watched(folder: Path, rig: RabbitMQRig, events: Index, **values: Any) -> Path:
    """A job with short times until it is unhealthy, and with a metrics port."""
    path = spec(folder, rig, events, **values)
    metrics = f"{{port: {free_ports(1)[0]}, unhealthy_after: 1s}}"
    path.write_text(f"{path.read_text()}metrics: {metrics}\n")
    return path


def ask(job: JobProcess, page: str) -> tuple[int, Any]:
    """Status and JSON of one of its pages."""
    found = re.search(r"metrics: (http://\S+)/metrics", job.log)
    if found is None:
        return 0, {"reasons": []}
    try:
        with urllib.request.urlopen(found[1] + page) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def counted(job: JobProcess, name: str) -> int:
    found = re.search(r"metrics: (http://\S+)", job.log)
    assert found
    with urllib.request.urlopen(found[1]) as answer:
        [value] = re.findall(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
    return int(float(value))


def causes(content: Any) -> str:
    """The causes of all reasons of a page."""
    return " ".join(reason["cause"] for reason in content["reasons"])


def wait_for(job: JobProcess, page: str, status: int, reason: str = "") -> Any:
    """Wait for a status and a cause, and return the page; the job checks itself once a second."""

    def answers() -> Any:
        code, content = ask(job, page)
        return content if code == status and reason in causes(content) else None

    return until(answers, timeout=30)
