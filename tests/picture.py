"""The picture of groups over time: what several windows make of the messages of one key.

Each row is a window, as in `pipeline.yaml`; the row is the result of a simulation.
"""

from __future__ import annotations

import itertools
from typing import Any

import yaml

from flows.spec import Pipeline
from tests.played import played

MESSAGES = {0: "start", 1: None, 3: None, 4: "end", 12: "start", 13: None, 18: "end"}
"""The `type` of the message at each second."""
SECONDS = 22
"""The last second of the time line."""
LABEL = 33
"""Characters before the time line, on which a second takes two."""
_numbers = itertools.count()


def drawn(rows: list[str]) -> str:
    """The picture, with a row for each of these windows."""
    types = _placed({2 * at: of for at, of in MESSAGES.items() if of})
    scale = _placed({2 * at: f"{at}s" for at in range(0, SECONDS, 5)})
    lines = [" " * LABEL + scale, f"{'type':{LABEL}}{types}"]
    lines += [f"{row:{LABEL}}{_row(row)}" for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _placed(words: dict[int, str]) -> str:
    line = ""
    for column, word in words.items():
        line = line.ljust(column) + word
    return line


def _row(window: str) -> str:
    line = [" "] * (2 * SECONDS)
    groups = _groups(yaml.safe_load(window))
    for members, left_at, at_a_message in groups:
        # The end follows the message that completes the group, or else precedes the next message.
        end = 2 * left_at + (1 if at_a_message else -1)
        line[2 * members[0] : end] = "─" * (end - 2 * members[0])
        line[end] = "┤"
    left = {at for members, *_ in groups for at in members}
    still_open = [at for at in MESSAGES if at not in left]
    if still_open:
        line[2 * still_open[0] :] = "─" * (len(line) - 2 * still_open[0])
    for at in MESSAGES:
        line[2 * at] = "●"
    return "".join(line)


def _groups(window: dict[str, Any]) -> list[tuple[list[int], int, bool]]:
    """When the members and the end came, and whether the last member completed the group."""
    name = f"picture-{next(_numbers)}"
    spec = Pipeline.model_validate(
        {
            "version": 1,
            "name": name,
            "source": {"memory": {"name": name}},
            "aggregate": {"window": window, "reduce": {"members": {"list": "at"}}},
            "sink": {"memory": {"name": name}},
        }
    )
    comes_in = [{"at": _time(at), "body": {"at": at, "type": of}} for at, of in MESSAGES.items()]
    outcomes = played(spec, comes_in, _time(SECONDS)).outcomes
    return [
        (
            event["_source"]["members"],
            round(_second(event["at"])),
            event["_source"]["completed_by"] in ("count", "last", "until"),
        )
        for event in outcomes
    ]


def _time(second: int) -> str:
    return f"00:00:{second:02d}"


def _second(time: str) -> float:
    return float(time.rpartition(":")[2])
