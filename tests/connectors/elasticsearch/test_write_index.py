"""To which index an alias writes."""

from __future__ import annotations

import pytest

from connectors.elasticsearch.write_index import AliasMembers, members


@pytest.mark.parametrize(
    ("answer", "writable"),
    [
        (b'{"a":{"aliases":{"it":{}}}}', "a"),
        (b'{"a":{"aliases":{"it":{"is_write_index":false}}}}', None),
        (b'{"a":{"aliases":{"it":{"is_write_index":true}}}}', "a"),
    ],
)
def test_a_single_index_is_written_to_unless_it_says_no(
    answer: bytes, writable: str | None
) -> None:
    assert members("it", answer) == AliasMembers(["a"], writable)


@pytest.mark.parametrize(
    ("of_b", "writable"), [(b"{}", None), (b'{"is_write_index":true,"filter":{}}', "b")]
)
def test_of_several_indices_one_must_say_yes(of_b: bytes, writable: str | None) -> None:
    answer = b'{"b":{"aliases":{"it":%s}},"a":{"aliases":{"it":{}}}}' % of_b

    assert members("it", answer) == AliasMembers(["a", "b"], writable)


@pytest.mark.parametrize(
    "answer",
    [b'{"error":{},"status":404}', b"{}", b"<html>", b"[]", b'{"a":{"aliases":{"other":{}}}}'],
)
def test_another_answer_tells_nothing(answer: bytes) -> None:
    assert members("it", answer) is None
