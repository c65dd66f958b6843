"""The folder with the state of a job: one file for each shard, a description, and locks.

Rule 1: the file of a shard is made when the shard begins and has no state yet; `whole.py` decides
        that. The description notes it before the shard commits anything.
Rule 2: one job at a time has the folder. Its processes may share it, or each has one of its own.
Rule 3: what decides which group a message belongs to, and what a group counts, must be the same
        as when the folder was made.
Rule 4: a job with another name and other queues is another one: it would write what the folder has
        open to a sink of its own. A name or queues by themselves may change.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from connectors.errors import Unavailable
from flows.spec import Pipeline
from flows.state import database
from flows.state.database import REMEDY
from flows.state.lock import ALONE, ClusterMember, FolderLock, guarded, is_held_here
from flows.state.rows import FORMAT
from flows.state.sqlite import SQLiteStore
from flows.state.whole import is_new
from flows.values.begin import FolderView

LOG = logging.getLogger("hopper.state")

DESCRIPTION = "state.json"


class Owner(NamedTuple):
    """The job that a folder belongs to."""

    job: str
    """Its name."""
    queues: Sequence[str]
    """That it consumes."""

    @classmethod
    def of(cls, spec: Pipeline) -> Owner:
        """Return the job that a spec declares."""
        return cls(spec.name, spec.source.chosen.queue)

    def described(self) -> dict[str, Any]:
        """Return what the description of the folder says of it."""
        return {"job": self.job, "queues": [*self.queues]}


class StateFolder:
    """The state of a job in a folder (see `State`)."""

    def __init__(self, path: Path, every: float, member: ClusterMember = ALONE) -> None:
        """`every`: see `State`; `member`: this process as part of its cluster."""
        self.path, self.every, self.token = path, every, ""
        self._member, self._is_new = member, False
        self._stores: dict[str, SQLiteStore] = {}
        self._guard = threading.Lock()
        self._lock = FolderLock(path, member)

    def open(self, owner: Owner, shards: Sequence[str], fixed_keys: Mapping[str, Any]) -> None:
        """Take the folder, and check what is there; describe it if it is empty.

        `owner`: the job as it is now; `fixed_keys`: the keys of the spec that rule 3 is about, with
        their values.

        Raises:
            Unavailable: it is of another job, a file is damaged, or the spec has changed.
        """
        try:
            self.path.mkdir(0o700, parents=True, exist_ok=True)
            self._lock.take()
            with self._lock.released_by_an_error():
                with guarded(self.path):
                    found = described(self.path) or self._make(owner, shards, fixed_keys)
                    found = self._owned(found, owner)
                self._check(found, shards, fixed_keys)
        except OSError as error:
            where = error.filename or self.path
            raise Unavailable(
                f"state: {where}: {error.strerror}: state.path must be a folder to which the job "
                "may write, or which it may make"
            ) from error
        self.token = found["token"]

    def accept(self, owner: Owner, shards: Sequence[str], fixed_keys: Mapping[str, Any]) -> None:
        """Accept a changed spec for the job that has the folder, as `open` would.

        Raises:
            Unavailable: `open` would refuse it.
        """
        found = self._described()
        refuse_another_job(self.path, found, owner)
        self._refuse_another_spec(found, shards, fixed_keys)

    def view(self) -> FolderView:
        """See `State`."""
        found = self._described()
        present = {each for each in found["shards"] if file_of(self.path, each).exists()}
        process, place = self._member.process, self._member.place(self.path)
        return FolderView(
            *(process, place, found["token"], self._lock.nonce, found["folders"]),
            *(frozenset(found["made"]), frozenset(present)),
        )

    def begin(self, shard: str, views: Sequence[FolderView]) -> SQLiteStore:
        """See `State`."""
        file = file_of(self.path, shard)
        try:
            with guarded(self.path):
                own = self.view()
                self._refuse_copies(own, views)
                if is_new(shard, file.name, own, views):
                    if not own.folders:
                        LOG.warning(
                            "%s: the state is new: the job begins without open groups", self.path
                        )
                    database.create(file)
                if shard not in own.made:  # also after a crash between both
                    self._note_made(shard, {view.token: view.place for view in (own, *views)})
        except OSError as error:
            raise Unavailable(f"state: {error.filename or file}: {error.strerror}") from error
        return self.shard(shard)

    def shard(self, name: str) -> SQLiteStore:
        """See `State`."""
        with self._guard:
            if name not in self._stores:
                self._stores[name] = SQLiteStore(file_of(self.path, name), self.every)
            return self._stores[name]

    def problems(self) -> list[str]:
        """Return why the disk refuses commits now, one line for each shard; from any thread."""
        stores = [*self._stores.copy().values()]
        return [f"{store.path}: {store.problem}" for store in stores if store.problem]

    def close(self) -> None:
        """End the background work, and give the folder back."""
        for store in self._stores.values():
            store.close()
        self._lock.release()

    def _described(self) -> Mapping[str, Any]:
        found = described(self.path)
        if found is None:
            raise Unavailable(f"state: {self.path / DESCRIPTION} is missing: {REMEDY}")
        return found

    def _make(
        self, owner: Owner, shards: Sequence[str], fixed_keys: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        if found := sorted(self.path.glob("*.sqlite")):
            raise Unavailable(
                f"state: {self.path / DESCRIPTION} is missing, but {found[0].name} is there: "
                f"{REMEDY}"
            )
        description = {
            "format": FORMAT,
            **owner.described(),
            "token": secrets.token_hex(6),
            "shards": [*shards],
            "made": [],
            "folders": {},
            "spec": {**fixed_keys},
        }
        _write(self.path / DESCRIPTION, json.dumps(description, indent=2))
        return description

    def _owned(self, found: Mapping[str, Any], owner: Owner) -> Mapping[str, Any]:
        """Return the description with the owner as it is now. Rule 4."""
        refuse_another_job(self.path, found, owner)
        description = {**found, **owner.described()}
        if description != found:
            _write(self.path / DESCRIPTION, json.dumps(description, indent=2))
        return description

    def _note_made(self, shard: str, folders: Mapping[str, str]) -> None:
        """Note that a shard begins, and at the first one all folders of the state."""
        found = described(self.path)
        assert found is not None, "`view` has read it"
        made = [*found["made"], shard]
        description = {**found, "made": made, "folders": found["folders"] or folders}
        _write(self.path / DESCRIPTION, json.dumps(description, indent=2))

    def _refuse_copies(self, own: FolderView, views: Sequence[FolderView]) -> None:
        for view in views:
            is_same = view.token == own.token
            if is_same and not is_held_here(self.path, view.process, view.nonce):
                raise Unavailable(
                    f"state: {view.place} is a copy of {own.place}, and only one of both can go "
                    "on: let all processes share one folder, or give each the one that it had"
                )

    def _refuse_another_spec(
        self, found: Mapping[str, Any], shards: Sequence[str], fixed_keys: Mapping[str, Any]
    ) -> None:
        """Rule 3."""
        changed = [
            f"{key} was {json.dumps(found['spec'].get(key))}, and is {json.dumps(value)}"
            for key, value in fixed_keys.items()
            if found["spec"].get(key) != json.loads(json.dumps(value))
        ]
        if found["shards"] != [*shards]:
            changed.append(f"groups had {len(found['shards'])} shards, and have {len(shards)}")
        if changed:
            raise Unavailable(
                f"state: {self.path} is of another spec: {'; '.join(changed)}: with the old spec, "
                "write what is open (`hopper state --flush`), and then `hopper state --discard`"
            )

    def _check(
        self, found: Mapping[str, Any], shards: Sequence[str], fixed_keys: Mapping[str, Any]
    ) -> None:
        self._refuse_another_spec(found, shards, fixed_keys)
        for shard in shards:
            if (file := file_of(self.path, shard)).exists():
                database.check(file)


def refuse_another_job(folder: Path, found: Mapping[str, Any], owner: Owner) -> None:
    """Check whose folder it is. Rule 4.

    Raises:
        Unavailable: by its description, `found`, it belongs to another job.
    """
    if found["job"] != owner.job and not {*found["queues"]} & {*owner.queues}:
        raise Unavailable(
            f"state: {folder}: belongs to job {found['job']} of queue "
            f"{', '.join(found['queues'])}: give each job a folder of its own; if this is the same "
            "job, start it once with its old name"
        )


def file_of(folder: Path, shard: str) -> Path:
    """Return the file of a shard."""
    return folder / f"{shard.replace('/', '-')}.sqlite"


def described(folder: Path) -> Mapping[str, Any] | None:
    """Return the description of a folder; `None`: it has none.

    Raises:
        Unavailable: it is damaged, or another version has written it.
    """
    try:
        text = (folder / DESCRIPTION).read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"state: {folder / DESCRIPTION} is damaged: {REMEDY}")
    # Descriptions of the first formats have no number.
    database.refuse_other_format(folder / DESCRIPTION, found.get("format", "2 or lower"))
    return found


def _write(path: Path, text: str) -> None:
    """Write a file at once: after a crash it is whole, or it is not there."""
    new = path.with_suffix(".new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    database.fsync(path.parent)
