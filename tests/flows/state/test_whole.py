"""A shard continues with all of its state, is new, or is refused with what is missing and where."""

from __future__ import annotations

import pytest

from connectors.errors import Unavailable
from flows.state.whole import is_new
from flows.values.begin import FolderView

S, FILE = "shard/0", "shard-0.sqlite"


def folder(
    process: int, made: str = "", present: str = "", knows: str = "", token: str = ""
) -> FolderView:
    """The folder of a process, with letters for shards (`s` is the one that begins) and folders."""
    names = {"s": S, "o": "shard/other"}
    return FolderView(
        process,
        f"/f{process}",
        token or "abc"[process],
        "nonce",
        {one: f"/f{'abcx'.index(one)}" for one in knows},
        frozenset(names[one] for one in made),
        frozenset(names[one] for one in present),
    )


@pytest.mark.parametrize(
    "folders",
    [
        [folder(0)],
        [folder(0), folder(1)],
        # A first start was broken off: this folder knows the others, or one of them knows it.
        [folder(0, made="o", present="o", knows="ab"), folder(1)],
        [folder(0), folder(1, made="o", present="o", knows="ab")],
        # Two processes share a folder.
        [folder(0), folder(1, token="a")],
    ],
)
def test_a_shard_is_new_where_no_folder_had_it_and_none_is_missing(
    folders: list[FolderView],
) -> None:
    assert is_new(S, FILE, folders[0], folders)


@pytest.mark.parametrize(
    "folders",
    [
        [folder(0, made="so", present="so", knows="a")],
        [folder(0, made="s", present="s", knows="ab"), folder(1)],
        [folder(0, made="o", present="so", knows="ab")],  # the file was moved here
        [folder(0, made="s", present="s", knows="a"), folder(1, token="a")],
    ],
)
def test_a_shard_continues_where_its_file_is(folders: list[FolderView]) -> None:
    assert not is_new(S, FILE, folders[0], folders)


@pytest.mark.parametrize(
    ("folders", "text"),
    [
        ([folder(0, made="s", knows="a")], "is missing; it was made in /f0: restore it"),
        ([folder(0, knows="ab"), folder(1, made="s", knows="ab")], "it was made in /f1"),
        ([folder(0), folder(1, made="s", present="s", knows="b")], "in /f1, but is needed in /f0"),
        (
            [folder(0, made="s", present="s"), folder(1, present="s")],
            "in /f0 and in /f1: remove the one that is not used",
        ),
        ([folder(0, made="o", present="o", knows="ab")], "/f1 is not here: run as many processes"),
        (
            [folder(0), folder(1, made="o", present="o", knows="b")],
            "/f0 is new, and /f1 is not: run as many processes",
        ),
        (
            [folder(0, token="x"), folder(1, made="o", present="o", knows="ab")],
            "/f0 has lost its content, and /f1 has not: mount the disk",
        ),
    ],
)
def test_what_is_not_there_is_refused(folders: list[FolderView], text: str) -> None:
    with pytest.raises(Unavailable) as refused:
        is_new(S, FILE, folders[0], folders)

    assert text in str(refused.value)
    assert FILE in str(refused.value)
