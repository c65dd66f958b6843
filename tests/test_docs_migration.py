"""The guides for users of other tools translate keys that exist on both sides."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from flows.json_schema import schema
from tests.documents import ROOT, blocks, table

LOGSTASH = ROOT / "docs" / "from-logstash.md"
CONNECT = ROOT / "docs" / "from-redpanda-connect.md"
ROWS = [
    (path, translation)
    for path, head in ((LOGSTASH, "Logstash"), (CONNECT, "Redpanda Connect"))
    for _, translation, _ in table(path, head)
]
BEYOND_THE_FILE = {"hopper", "header", "property", "x", "python", "module", "message_id"}
"""Parts of a message, a command, and words that are no keys."""


@cache
def known() -> str:
    """The schema, with all keys in quotation marks."""
    return json.dumps(schema())


@pytest.mark.parametrize(("path", "translation"), ROWS)
def test_a_translation_names_keys_that_exist(path: Path, translation: str) -> None:
    for text in re.findall("`([^`]+)`", translation):
        for name in re.split(r"[.,]", text.partition(":")[0].partition(" ")[0]):
            assert name in BEYOND_THE_FILE or f'"{name}"' in known(), f"{path.name}: {text}"


def test_the_configuration_of_redpanda_connect_is_valid() -> None:
    [block] = blocks("yml", path=CONNECT)

    assert {"input", "buffer", "pipeline", "output"} == yaml.safe_load(block.text).keys()


def test_the_translated_options_are_in_the_configuration_of_logstash() -> None:
    """The plugins and the options in the first column of the table."""
    [block] = blocks("ruby", path=LOGSTASH)
    named = [
        re.match(r"`(\w+)", original)
        for original, translation, _ in table(LOGSTASH, "Logstash")
        if translation
    ]

    assert [match[1] for match in named if match and match[1] not in block.text] == [
        "inactivity_timeout",  # used with `timeout`, which is there
        "dead_letter_queue",  # is in logstash.yml
    ]
