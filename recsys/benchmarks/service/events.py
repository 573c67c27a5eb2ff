"""Events: durable and acknowledged events per second, compared with SQLite alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from recsys.benchmarks.load import HttpReply, HttpRequest, closed_loop
from recsys.benchmarks.service.child import run_server
from recsys.benchmarks.service.results import NO_ROUTE, Bench, ResultRow
from recsys.benchmarks.service.shops import Served
from recsys.benchmarks.service.traffic import ZIPF, draw_names
from recsys.storage.database import Database

BATCH = 100
AIM = ">= 3,000 events/s, durable"
KINDS = ("view", "click", "cart", "purchase")
RAW_TABLE = (
    "CREATE TABLE raw (seq INTEGER PRIMARY KEY, event_id TEXT UNIQUE, user_id TEXT, item_id TEXT, event TEXT, "
    "timestamp INTEGER)"
)
RAW_INSERT = "INSERT OR IGNORE INTO raw (event_id, user_id, item_id, event, timestamp) VALUES (?, ?, ?, ?, ?)"


def measure_events(bench: Bench) -> Iterator[ResultRow]:
    """Measure batches of 100 events with one connection and with four."""
    shop, effort = bench.shops.sample(), bench.effort
    batches = _batches(shop, bench.seed)
    with run_server(shop.project, bench.folder / "events.log") as server:
        if {404, 405} & set(closed_loop(server.port, [_post(next(batches))], 1).counts):
            yield ResultRow("events", AIM, NO_ROUTE)
            return
        for connections in (1, 4):
            loads, raw = [], []
            for _ in range(effort.repeats):
                raw.append(_measure_sqlite(list(islice(batches, effort.batches)), bench.folder))
                asks = [_post(batch) for batch in islice(batches, effort.batches)]
                loads.append(closed_loop(server.port, asks, connections, check=all_accepted))
            rate = median(BATCH * load.goodput for load in loads)
            wrong = sum(load.failures for load in loads)
            yield ResultRow(
                f"events, batches of {BATCH}, {connections} connection{'s' if connections > 1 else ''}",
                AIM,
                f"{rate:,.0f} events/s, a batch p50 {median(load.ms(0.5) for load in loads):.1f} ms, "
                f"p99 {median(load.ms(0.99) for load in loads):.1f}; {wrong} of {sum(map(len, loads))} batches failed",
                f"raw SQLite {median(raw):,.0f} events/s",
            )


def all_accepted(_: HttpRequest, reply: HttpReply) -> str | None:
    """Check that all events of a batch were accepted."""
    statuses = [result["status"] for result in orjson.loads(reply.body)["results"]]
    return None if statuses == ["accepted"] * BATCH else "not all events were accepted"


def _batches(shop: Served, seed: int) -> Iterator[list[dict[str, Any]]]:
    users, items = draw_names(shop.users, ZIPF, seed, "event users"), draw_names(shop.items, ZIPF, seed, "event items")
    # The project is reused between runs, and an id that was accepted once is a duplicate forever.
    run, number, now = f"{time.time_ns():x}", count(), int(time.time())
    while True:
        yield [
            {
                "event_id": f"{run}-{next(number)}",
                "user_id": next(users),
                "item_id": next(items),
                "event": KINDS[index % len(KINDS)],
                "timestamp": now,
            }
            for index in range(BATCH)
        ]


def _post(batch: list[dict[str, Any]]) -> HttpRequest:
    return HttpRequest("/v1/events", "POST", orjson.dumps(batch))


def _measure_sqlite(batches: list[list[dict[str, Any]]], folder: Path) -> float:
    """Return events per second of plain INSERTs, one commit per batch, with the service's pragmas."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        database = Database.open(f"sqlite:///{Path(scratch) / 'raw.db'}")
        connection = database.engine.raw_connection()
        cursor = connection.cursor()
        cursor.execute(RAW_TABLE)
        started = time.perf_counter()
        for batch in batches:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(RAW_INSERT, [tuple(event.values()) for event in batch])
            cursor.execute("COMMIT")
        seconds = time.perf_counter() - started
        connection.close()
        database.close()
    return BATCH * len(batches) / seconds
