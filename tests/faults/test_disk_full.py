"""A full disk is said so, leaves nothing half written, and is over once there is room again."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from recsys.config import EventSettings
from recsys.errors import StorageFullError
from recsys.schema import EventKind, ItemId, UserId
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore
from recsys.storage.live.exposures import Exposure, ExposureLog
from tests.servers import UNPRIVILEGED_USER, postgres_database, postgres_server

BATCH = 50


@dataclass
class SmallDisk:
    """A disk of its own in memory."""

    folder: Path

    def resize(self, mebibytes: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={mebibytes}m", self.folder], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0777", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a disk that is full needs the right to mount one: run as root")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def batch_of(number: int) -> list[Event]:
    user, item = UserId("user" * 60), ItemId("item" * 60)
    return [Event(f"{number}-{n}", user, item, EventKind.CLICK, number) for n in range(BATCH)]


def fill(store: EventStore) -> int:
    """Store batches until there is no room; the number of the one that did not fit."""
    for number in range(2_000):
        try:
            store.append(batch_of(number), received_at=0)
        except StorageFullError:
            return number
    pytest.fail("the disk is never full")


def stored(store: EventStore) -> list[int]:
    return store.frame(EventSettings())["timestamp"].tolist()


def expected(batches: int) -> list[int]:
    return [number for number in range(batches) for _ in range(BATCH)]


def check_full_disk(database: Database, make_room: Callable[[], None]) -> None:
    store = EventStore(database)
    failed = fill(store)
    assert failed > 0
    assert stored(store) == expected(failed), "acknowledged ones are there, of the other nothing"
    with pytest.raises(StorageFullError, match="no space is left for live data"):
        store.append(batch_of(failed), received_at=0)
    make_room()
    assert store.append(batch_of(failed), received_at=0) == [True] * BATCH
    assert stored(store) == expected(failed + 1)


def test_a_full_disk_under_sqlite(small_disk: SmallDisk) -> None:
    url = f"sqlite:///{small_disk.folder / 'live.db'}"
    database = Database.open(url)
    check_full_disk(database, lambda: small_disk.resize(8))
    database.close()
    again = Database.open(url)
    assert again.rows("PRAGMA integrity_check", ()) == [("ok",)]
    again.close()


def test_a_full_disk_under_postgres(small_disk: SmallDisk) -> None:
    with postgres_server() as server, postgres_database(server) as url:
        if os.geteuid() == 0:
            shutil.chown(small_disk.folder, UNPRIVILEGED_USER)
        for folder in (small_disk.folder, *small_disk.folder.parents[:4]):
            folder.chmod(folder.stat().st_mode | 0o011)
        small_disk.resize(16)
        database = Database.open(url)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"CREATE TABLESPACE small LOCATION '{small_disk.folder}'")
            connection.exec_driver_sql("ALTER TABLE events SET TABLESPACE small")
        small_disk.resize(2)
        check_full_disk(database, lambda: small_disk.resize(16))
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ALTER TABLE events SET TABLESPACE pg_default")
            connection.exec_driver_sql("DROP TABLESPACE small")
        database.close()


def test_a_quota_under_sqlite(tmp_path: Path) -> None:
    """A limit on the size of files, which a process has for itself."""
    code = (
        "import resource, sys\n"
        "from recsys.storage.database import Database\n"
        "from tests.faults.test_disk_full import check_full_disk\n"
        "unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "database = Database.open(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, unlimited[1]))\n"
        "check_full_disk(database, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, unlimited))\n"
        "database.close()\n"
    )
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'live.db'}"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_exposures_wait_for_room_and_the_oldest_are_dropped(
    small_disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database.open(f"sqlite:///{small_disk.folder / 'live.db'}")
    failed = fill(EventStore(database))
    large = ItemId("x" * 300_000)
    log = ExposureLog(database, capacity=5, every_s=0.01)
    for number in range(8):
        log.append(Exposure(f"r{number}", UserId("anna"), number, "v1", (large,), (1.0,), (None,), {}))
    assert not log.flush()
    assert not log.flush()
    assert (log.dropped, log.written, log.waiting) == (3, 0, 5)
    assert ["wait" in record.message for record in caplog.records] == [True], "said once"
    assert "anna" not in caplog.text
    small_disk.resize(8)
    until = time.monotonic() + 10
    while log.written < 5 and time.monotonic() < until:
        time.sleep(0.02)
    assert (log.dropped, log.written, log.waiting) == (3, 5, 0), "the thread tried again by itself"
    assert [len(log.request_exposures(f"r{number}")) for number in range(8)] == [0, 0, 0, 1, 1, 1, 1, 1]
    log.close()
    assert EventStore(database).append(batch_of(failed), received_at=0) == [True] * BATCH
    database.close()
