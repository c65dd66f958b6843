"""When a changed file is read again, and when a process waits for its file."""

from __future__ import annotations

import pytest

from connectors.message import Reload
from flows.process.file_changes import FileChanges, fingerprint, is_behind


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        (["old", "old"], [False, False]),
        (["new", "new", "new"], [False, True, False]),
        (["half", "new", "new"], [False, False, True]),
        (["new", None, "new", "new"], [False, False, False, True]),
        ([None, None, "old", "old"], [False] * 4),
        (["bad", "bad", "old", "old", "bad", "bad"], [False, True, False, False, False, True]),
        (["bad", "bad", "good", "good"], [False, True, False, True]),
    ],
)
def test_a_change_counts_when_it_stays_and_once(
    looks: list[str | None], expected: list[bool]
) -> None:
    changes = FileChanges("old")

    assert [changes.look(seen) for seen in looks] == expected


def test_what_was_judged_on_request_is_not_judged_again() -> None:
    changes = FileChanges("old")
    changes.judge("bad")

    assert [changes.look("bad"), changes.look("bad")] == [False, False]


@pytest.mark.parametrize(
    ("seen", "reload", "expected"),
    [
        ("old", Reload("old", "new"), True),
        ("new", Reload("old", "new"), False),
        ("own", Reload("old", "new"), False),
        ("old", Reload("old", "old"), False),
        (None, Reload("old", "new"), False),
    ],
)
def test_a_process_waits_only_while_its_file_has_the_old_content(
    seen: str | None, reload: Reload, expected: bool
) -> None:
    assert is_behind(seen, reload) is expected


def test_fingerprints_tell_contents_apart() -> None:
    assert fingerprint(b"a") == fingerprint(b"a") != fingerprint(b"b")
