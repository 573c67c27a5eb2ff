"""Events: how many per second are durable when they are acknowledged, against SQLite without anything around it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from recsys.benchmarks.load import Ask, Load, Reply, closed_loop
from recsys.benchmarks.service.asks import ZIPF, drawn
from recsys.benchmarks.service.child import Server, served
from recsys.benchmarks.service.figures import NOT_THERE, Bench, Figure
from recsys.benchmarks.service.shops import Served
from recsys.storage.database import Database

BATCH = 100
AIM = ">= 3,000 events/s, durable"
KINDS = ("view", "click", "cart", "purchase")
RAW_TABLE = (
    "CREATE TABLE raw (seq INTEGER PRIMARY KEY, event_id TEXT UNIQUE, user_id TEXT, item_id TEXT, event TEXT, "
    "timestamp INTEGER)"
)
RAW_INSERT = "INSERT OR IGNORE INTO raw (event_id, user_id, item_id, event, timestamp) VALUES (?, ?, ?, ?, ?)"


def events(bench: Bench) -> Iterator[Figure]:
    """Batches of 100 by one connection and by four."""
    shop, effort = bench.shops.sample(), bench.effort
    batches = _batches(shop, bench.seed)
    with served(shop.project, bench.folder / "events.log") as server:
        if not _is_there(server, next(batches)):
            yield Figure("events", AIM, NOT_THERE)
            return
        for connections in (1, 4):
            loads, raw = [], []
            for _ in range(effort.repeats):
                raw.append(_raw(list(islice(batches, effort.batches)), bench.folder))
                asks = [_ask(batch) for batch in islice(batches, effort.batches)]
                loads.append(closed_loop(server.port, asks, connections, check=all_accepted))
            yield _figure(connections, loads, median(raw))


def all_accepted(_: Ask, reply: Reply) -> str | None:
    """Each event of a batch was accepted."""
    statuses = [result["status"] for result in orjson.loads(reply.body)["results"]]
    return None if statuses == ["accepted"] * BATCH else "not all events were accepted"


def _figure(connections: int, loads: list[Load], raw: float) -> Figure:
    rate = median(BATCH * load.goodput for load in loads)
    wrong = sum(load.failed for load in loads)
    return Figure(
        f"events, batches of {BATCH}, {connections} connection{'s' if connections > 1 else ''}",
        AIM,
        f"{rate:,.0f} events/s, a batch p50 {median(load.ms(0.5) for load in loads):.1f} ms, "
        f"p99 {median(load.ms(0.99) for load in loads):.1f}; {wrong} of {sum(map(len, loads))} batches failed",
        f"raw SQLite {raw:,.0f} events/s",
    )


def _batches(shop: Served, seed: int) -> Iterator[list[dict[str, Any]]]:
    users, items = drawn(shop.users, ZIPF, seed, "event users"), drawn(shop.items, ZIPF, seed, "event items")
    # The project is kept between runs, and an id that was accepted once is a duplicate for good.
    run, number, now = f"{time.time_ns():x}", count(), int(time.time())
    while True:
        yield [
            {
                "event_id": f"{run}-{next(number)}",
                "user_id": next(users),
                "item_id": next(items),
                "event": KINDS[place % len(KINDS)],
                "timestamp": now,
            }
            for place in range(BATCH)
        ]


def _ask(batch: list[dict[str, Any]]) -> Ask:
    return Ask("/v1/events", "POST", orjson.dumps(batch))


def _is_there(server: Server, batch: list[dict[str, Any]]) -> bool:
    load = closed_loop(server.port, [_ask(batch)], 1)
    return not {404, 405} & set(load.counts)


def _raw(batches: list[list[dict[str, Any]]], folder: Path) -> float:
    """Events per second of bare INSERTs, a commit for each batch, with the pragmas that the service has."""
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
