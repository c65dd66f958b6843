"""The faults of a state hit the processes and the moments that they are for."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from flows.state.commit import Changes, Commit, Table
from flows.state.database import create
from flows.state.sqlite import SQLiteStore
from tests.chaos.disk import ROOM, disk_full, wait_for_commit

WRITER = """
import sys
for line in sys.stdin:
    try:
        with open(sys.argv[1], "wb", buffering=0) as file:
            print(file.write(bytes(int(line))), flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""


def test_a_full_disk_has_room_again_afterwards(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path / "file"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout

        def written(size: int) -> str:
            assert process.stdin
            assert process.stdout
            print(size, file=process.stdin, flush=True)
            return process.stdout.readline().strip()

        pids = list[int]()
        with disk_full(lambda: pids) as fill:
            assert written(2 * ROOM) == f"{2 * ROOM}"
            pids.append(process.pid)
            fill()
            assert written(2 * ROOM) == f"{ROOM}"
        assert written(2 * ROOM) == f"{2 * ROOM}"


def test_a_commit_is_noticed(tmp_path: Path) -> None:
    assert not wait_for_commit(tmp_path, 0.0)
    create(tmp_path / "shard.sqlite")
    store = SQLiteStore(tmp_path / "shard.sqlite", 1.0)
    store.recover()
    assert not wait_for_commit(tmp_path, 0.0)

    noticed = list[bool]()
    watching = threading.Thread(target=lambda: noticed.append(wait_for_commit(tmp_path, 30)))
    watching.start()
    number = 0
    while watching.is_alive():
        number += 1
        store.write(Commit(number, b"h", {Table.GROUPS: Changes([(1, bytes(5000))])}))
        store.wait()
        assert store.take_durable()
    store.close()

    assert noticed == [True]


def test_without_a_state_there_is_no_commit(tmp_path: Path) -> None:
    assert not wait_for_commit(tmp_path / "none", 0.0)
