"""What was acknowledged is there, once, whenever the writer or the server is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from recsys.config import EventSettings
from recsys.storage.database import Database
from recsys.storage.live.events import EventStore
from tests.faults.event_writer import batch_of
from tests.servers import postgres_database, postgres_server

SIZE = 20
ENDLESS = 10**9


class Writer:
    """The program `event_writer.py`, and the batches that it was told are stored."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.stored: list[int] = []

    def start(self, first: int) -> int:
        """Have it write from this batch on; the process to kill."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{first} {ENDLESS} {SIZE}\n")
        self.process.stdin.flush()
        word, pid = self._line()
        assert word == "PID"
        return int(pid)

    def wait_for(self, batches: int) -> None:
        """Wait until this many more are stored."""
        for _ in range(batches):
            word, number = self._line()
            assert word == "STORED", word
            self.stored.append(int(number))

    def wait_for_the_end(self) -> None:
        while (line := self._line()) != ["GONE"]:
            self.stored.append(int(line[1]))

    def _line(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()


@contextmanager
def running_writer(url: str) -> Iterator[Writer]:
    program = Path(__file__).with_name("event_writer.py")
    with subprocess.Popen(
        [sys.executable, str(program), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Writer(process)
        assert process.stdin is not None
        process.stdin.close()


def check(store: EventStore, acknowledged: list[int]) -> None:
    """All acknowledged batches are there, every batch wholly or not at all, and no event twice."""
    assert len(set(acknowledged)) == len(acknowledged), "a batch was new more than once"
    events = store.frame(EventSettings())
    found = Counter(events["timestamp"].tolist())
    assert set(acknowledged) <= set(found)
    assert set(found.values()) <= {SIZE}
    assert not events.duplicated(["timestamp", "item_id"]).any()


def send_everything_again(store: EventStore, batches: int) -> None:
    """What a client does that does not know what arrived: afterwards everything is there exactly once."""
    for number in range(batches):
        before = store.user_events(batch_of(number, 1)[0].user_id)
        assert store.append(batch_of(number, SIZE), received_at=0) == [not before] * SIZE
    counts = Counter(store.frame(EventSettings())["timestamp"].tolist())
    assert counts == dict.fromkeys(range(batches), SIZE)


def kill_writers(url: str, kills: int, seed: int) -> None:
    moments = random.Random(seed)  # noqa: S311 - when to kill is no secret
    database = Database.open(url)
    store = EventStore(database)
    with running_writer(url) as writer:
        started = 0
        for _ in range(kills):
            pid = writer.start(started)
            writer.wait_for(moments.randint(0, 3))
            time.sleep(moments.random() * 0.01)
            os.kill(pid, signal.SIGKILL)
            writer.wait_for_the_end()
            check(store, writer.stored)
            # The next one begins after what was acknowledged: its first batch may have been stored unheard.
            started = max(writer.stored, default=-1) + 1
    send_everything_again(store, started + 1)
    database.close()
    assert started > kills / 2


def test_no_acknowledged_event_is_lost_in_20_kills(tmp_path: Path) -> None:
    kill_writers(f"sqlite:///{tmp_path / 'live.db'}", kills=20, seed=1)


def test_no_acknowledged_event_is_lost_in_kills_of_postgres_clients(postgres_url: str) -> None:
    kill_writers(postgres_url, kills=5, seed=2)


@pytest.mark.slow
def test_no_acknowledged_event_is_lost_in_200_kills(database_url: str) -> None:
    kill_writers(database_url, kills=200, seed=3)


@pytest.mark.slow
def test_no_acknowledged_event_is_lost_when_postgres_is_killed() -> None:
    """A process of the server is killed, which makes all of it recover from its log."""
    with postgres_server() as server, postgres_database(server) as url:
        database = Database.open(url)
        store = EventStore(database)
        started = 0
        with running_writer(url) as writer:
            for _ in range(2):
                writer.start(started)
                writer.wait_for(3)
                kill_a_server_process(url)
                writer.wait_for_the_end()
                check(store, writer.stored)
                started = max(writer.stored) + 1
        send_everything_again(store, started + 1)
        database.close()


def kill_a_server_process(url: str) -> None:
    """Kill the process of one connection, and wait until the server has cut off all others and recovered."""
    plain = url.replace("+psycopg", "")
    with closing(psycopg.connect(plain, autocommit=True)) as witness, closing(psycopg.connect(plain)) as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        wait_until(lambda: not answers(witness))
    wait_until(lambda: connects(plain))


def answers(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def connects(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until, "PostgreSQL did not recover"
        time.sleep(0.05)
