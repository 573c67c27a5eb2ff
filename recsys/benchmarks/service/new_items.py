"""New items: time from PUT until they are in lists of similar items."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from itertools import islice
from statistics import median
from urllib.parse import quote

import orjson

from recsys.benchmarks.load import Client, HttpRequest, run
from recsys.benchmarks.service.child import run_server
from recsys.benchmarks.service.results import NO_ROUTE, Bench, ResultRow
from recsys.benchmarks.service.shops import Served
from recsys.benchmarks.service.traffic import UNIFORM, draw_names

PATIENCE_S = 10.0
LOOK_S = 0.01
AIM = "recommendable in 1 s"


def measure_new_items(bench: Bench) -> Iterator[ResultRow]:
    """Add items with the photo of an existing item; each must appear among the items most similar to its twin."""
    shop = bench.shops.sample()
    twins = list(islice(draw_names(shop.items, UNIFORM, bench.seed, "twins"), bench.effort.new_items))
    with run_server(shop.project, bench.folder / "new_items.log") as server:
        statuses, seconds = run(_put_all(server.port, shop, twins))
    if {404, 405} & set(statuses):
        yield ResultRow("new item", AIM, NO_ROUTE)
        return
    delays = [each for each in seconds if each is not None]
    times = f"median {median(delays):.2f} s, worst {max(delays):.2f} s; " if delays else ""
    yield ResultRow(
        "new item, from PUT to lists of similar items",
        AIM,
        f"{times}{len(delays)} of {len(twins)} found within {PATIENCE_S:.0f} s; statuses {sorted(set(statuses))}",
    )


async def _put_all(port: int, shop: Served, twins: list[str]) -> tuple[list[int], list[float | None]]:
    client = Client(port)
    statuses, seconds = [], []
    rows = {row["item_id"]: row for row in shop.project.load_items().to_dict("records")}
    for number, twin in enumerate(twins):
        row = rows[twin]
        new = f"new-{time.time_ns():x}-{number}"
        body = {
            "title": f"New {row['title']}",
            "category": row["category"],
            "price": float(row["price"]),
            "available": True,
            "image_base64": base64.b64encode(shop.project.resolve_image(str(row["image"])).read_bytes()).decode(),
        }
        started = time.perf_counter()
        reply = await client.ask(HttpRequest(f"/v1/items/{new}", "PUT", orjson.dumps(body)))
        statuses.append(reply.status)
        if reply.status >= 300:
            break
        seconds.append(await _await_similar(client, twin, new, started))
        await client.ask(HttpRequest(f"/v1/items/{new}", "DELETE"))
    client.close()
    return statuses, seconds


async def _await_similar(client: Client, twin: str, new: str, started: float) -> float | None:
    """Return the seconds from `started` until `new` is similar to its twin; None if it never is."""
    similar = HttpRequest(f"/v1/items/{quote(twin, safe='')}/similar?limit=10")
    while time.perf_counter() < started + PATIENCE_S:
        reply = await client.ask(similar)
        listed = [item["item"]["item_id"] for item in orjson.loads(reply.body)["items"]] if reply.status == 200 else []
        if new in listed:
            return time.perf_counter() - started
        await asyncio.sleep(LOOK_S)
    return None
