"""Events per second that a database stores, each batch on the disk before the next, compared with plain SQLite."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from recsys.rng import generator
from recsys.schema import EventKind, ItemId, UserId
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore

BATCH = 100
BATCHES = 300
LOOKUPS = 2_000
ROUNDS = 3
USERS = 5_000
ITEMS = 50_000


_COLUMNS = "event_id, user_id, item_id, event, timestamp, received_at"
_INSERT = f"INSERT OR IGNORE INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - only names
_LAST = "SELECT max(seq) FROM events WHERE user_id = ?"


class PlainEvents:
    """Baseline: the same table, indexes and pragmas with Python's sqlite3 only, on one connection."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._pooled = database.engine.raw_connection()
        self._connection: Any = self._pooled.driver_connection

    def append(self, events: Sequence[Event], received_at: int) -> list[bool]:
        """Store new events; return, for each, True if all were new."""
        rows = [(e.event_id, e.user_id, e.item_id, e.event.value, e.timestamp, received_at) for e in events]
        self._connection.execute("BEGIN IMMEDIATE")
        inserted = self._connection.executemany(_INSERT, rows).rowcount
        self._connection.execute("COMMIT")
        return [inserted == len(rows)] * len(rows)

    def last_user_seq(self, user_id: UserId) -> int:
        """Return the number of a user's newest event; 0 without any."""
        return int(self._connection.execute(_LAST, (user_id,)).fetchone()[0] or 0)

    def close(self) -> None:
        """Close the connection."""
        self._pooled.close()
        self.database.close()


class StoredEvents(EventStore):
    """Store with its own database."""

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def event_lines(url: str = "", batches: int = BATCHES, size: int = BATCH, seed: int = 0) -> Iterator[str]:
    """Yield the lines of a table: plain SQLite, then the store on SQLite, then on `url` if it is given.

    All use the disk of temporary files and take turns, so that other work on the machine affects all equally. `url` is
    an empty database; events are written into it.
    """
    kinds: dict[str, Callable[[Path], PlainEvents | StoredEvents]] = {
        "plain sqlite3, same pragmas": lambda folder: PlainEvents(Database.open(f"sqlite:///{folder / 'plain.db'}")),
        "events on SQLite": lambda folder: StoredEvents(Database.open(f"sqlite:///{folder / 'live.db'}")),
    }
    if url:
        kinds["events on PostgreSQL"] = lambda _: StoredEvents(Database.open(url))
    rounds_by_name: dict[str, list[list[float]]] = {name: [] for name in kinds}
    lookups: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(ROUNDS):
        for name, make in kinds.items():
            with TemporaryDirectory() as folder:
                store = make(Path(folder))
                try:
                    rounds_by_name[name].append(_time_append(store.append, draw_batches(batches, size, seed + turn)))
                    start = time.perf_counter()
                    for n in range(LOOKUPS):
                        store.last_user_seq(UserId(f"user-{n}"))
                    lookups[name].append((time.perf_counter() - start) / LOOKUPS)
                finally:
                    store.close()
    yield f"batches of {size} events, {batches} of them, {ROUNDS} rounds; median round, batches durable one by one"
    yield f"{'':30} {'events/s':>10} {'ms a batch':>11} {'p99':>7} {'last_user_seq, us':>17}"
    for name, rounds in rounds_by_name.items():
        seconds = sorted(rounds, key=sum)[len(rounds) // 2]
        high = sorted(seconds)[len(seconds) * 99 // 100]
        yield (
            f"{name:30} {size * batches / sum(seconds):10,.0f} {median(seconds) * 1e3:11.2f} {high * 1e3:7.2f} "
            f"{median(lookups[name]) * 1e6:17.1f}"
        )


def draw_batches(batches: int, size: int, seed: int) -> list[list[Event]]:
    """Draw batches of events with random ids, users and items."""
    rng = generator(seed, "events of the benchmark")
    kinds = tuple(EventKind)
    count = batches * size
    ids = rng.bytes(16 * count)
    users, items, chosen = (rng.integers(limit, size=count) for limit in (USERS, ITEMS, len(kinds)))
    events = [
        Event(
            str(UUID(bytes=ids[16 * n : 16 * n + 16])),
            UserId(f"user-{users[n]}"),
            ItemId(f"item-{items[n]}"),
            kinds[chosen[n]],
            1_700_000_000 + n,
        )
        for n in range(count)
    ]
    return [events[start : start + size] for start in range(0, count, size)]


def _time_append(
    append: Callable[[Sequence[Event], int], list[bool]], batches: Sequence[Sequence[Event]]
) -> list[float]:
    seconds = []
    for batch in batches:
        start = time.perf_counter()
        accepted = append(batch, 0)
        seconds.append(time.perf_counter() - start)
        if not all(accepted):
            raise RuntimeError("a new event was rejected as a duplicate")
    return seconds
