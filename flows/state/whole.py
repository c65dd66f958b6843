"""Decides whether a shard has its state, is new, or must not begin.

Pure. State belongs to shards. A process has one folder, alone or together with others; Bytewax
decides which process has a shard, so with another number of workers it may be another one.

Rule 1: a shard whose file is in the folder of its process continues with it. If the folder of
        another process has the file too, one of both is outdated: that is refused.
Rule 2: a shard whose file is nowhere is new only if no folder ever had it, and if no folder of the
        state is missing: each folder notes all folders that there were when its first shard began.
        So a folder that is lost never looks like a new one, also if the first start was broken off.
Rule 3: anything else is refused, with the file and the folder.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.errors import Unavailable
from flows.values.begin import FolderView

AS_BEFORE = (
    "run as many processes and workers as before; or move the `*.sqlite*` files of all folders "
    "into one, which all processes share; or write what is open with `hopper state --flush`, and "
    "begin anew with `hopper state --discard`, in each folder"
)


def is_new(shard: str, file: str, own: FolderView, views: Sequence[FolderView]) -> bool:
    """Return whether a shard has no state yet.

    `file`: name of its file; `own`: the folder of its process; `views`: those of all processes.

    Raises:
        Unavailable: its state is not there.
    """
    others = {view.token: view for view in views if view.token != own.token}.values()
    having = [view.place for view in others if shard in view.present]
    if shard in own.present:
        if having:
            raise _refused(
                f"{file} is in {own.place} and in {having[0]}: remove the one that is not used "
                "any more"
            )
        return False
    if having:
        raise _refused(f"{file} is in {having[0]}, but is needed in {own.place}: {AS_BEFORE}")
    for view in (own, *others):
        if shard in view.made:
            raise _refused(f"{file} is missing; it was made in {view.place}: {RESTORE}")
    places = {view.token: view.place for view in (own, *others)}
    for view in (own, *others):
        if view.folders and view.folders.keys() != places.keys():
            raise _refused(f"{file} is missing: {_difference(view, places)}")
    return True


RESTORE = "restore it from a backup, or begin anew with `hopper state --discard` in each folder"


def _difference(view: FolderView, places: dict[str, str]) -> str:
    lost = [place for token, place in view.folders.items() if token not in places]
    new = [place for token, place in places.items() if token not in view.folders]
    was_replaced = [place for place in new if place in lost]
    if was_replaced:
        return (
            f"{was_replaced[0]} has lost its content, and {view.place} has not: mount the disk "
            f"that it was on, or {RESTORE}"
        )
    if lost:
        return f"{lost[0]} is not here: {AS_BEFORE}"
    return f"{new[0]} is new, and {view.place} is not: {AS_BEFORE}"


def _refused(text: str) -> Unavailable:
    return Unavailable(f"state: {text}")
