"""The guides for users of other tools: what they translate is there, on both sides."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from flows.json_schema import schema
from tests.documents import ROOT, blocks, table

LOGSTASH = ROOT / "docs" / "from-logstash.md"
CONNECT = ROOT / "docs" / "from-redpanda-connect.md"
ROWS = [
    (path, ours)
    for path, head in ((LOGSTASH, "Logstash"), (CONNECT, "Redpanda Connect"))
    for _, ours, _ in table(path, head)
]
BEYOND_THE_FILE = {"hopper", "header", "property", "x", "python", "module", "message_id"}
"""What a message has, a command, and what is no key."""


@pytest.mark.parametrize(("path", "ours"), ROWS)
def test_a_translation_names_keys_that_exist(path: Path, ours: str) -> None:
    known = json.dumps(schema())
    for text in re.findall("`([^`]+)`", ours):
        for name in re.split(r"[.,]", text.partition(":")[0].partition(" ")[0]):
            assert name in BEYOND_THE_FILE or f'"{name}"' in known, f"{path.name}: {text}"


def test_the_configuration_of_redpanda_connect_is_one() -> None:
    [block] = blocks("yml", path=CONNECT)

    assert {"input", "buffer", "pipeline", "output"} == yaml.safe_load(block.text).keys()


def test_what_is_translated_from_logstash_stands_in_its_configuration() -> None:
    """The plugins and the options that the table begins with."""
    [block] = blocks("ruby", path=LOGSTASH)
    named = [re.match(r"`(\w+)", theirs) for theirs, ours, _ in table(LOGSTASH, "Logstash") if ours]

    assert [match[1] for match in named if match and match[1] not in block.text] == [
        "inactivity_timeout",  # beside `timeout`, which is there
        "dead_letter_queue",  # is in logstash.yml
    ]
