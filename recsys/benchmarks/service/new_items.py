"""New items: from PUT until others recommend them."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from itertools import islice
from statistics import median
from urllib.parse import quote

import orjson

from recsys.benchmarks.load import Ask, Client, run
from recsys.benchmarks.service.asks import UNIFORM, drawn
from recsys.benchmarks.service.child import served
from recsys.benchmarks.service.figures import NOT_THERE, Bench, Figure
from recsys.benchmarks.service.shops import Served

PATIENCE_S = 10.0
LOOK_S = 0.01
AIM = "recommendable in 1 s"


def new_items(bench: Bench) -> Iterator[Figure]:
    """Items with the photo of one that is there already: it has to find its twin among the items most like it."""
    shop = bench.shops.sample()
    twins = list(islice(drawn(shop.items, UNIFORM, bench.seed, "twins"), bench.effort.new_items))
    with served(shop.project, bench.folder / "new_items.log") as server:
        statuses, seconds = run(_put_all(server.port, shop, twins))
    if {404, 405} & set(statuses):
        yield Figure("new item", AIM, NOT_THERE)
        return
    found = [each for each in seconds if each is not None]
    times = f"median {median(found):.2f} s, worst {max(found):.2f} s; " if found else ""
    yield Figure(
        "new item, from PUT to lists of similar items",
        AIM,
        f"{times}{len(found)} of {len(twins)} found within {PATIENCE_S:.0f} s; statuses {sorted(set(statuses))}",
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
        reply = await client.ask(Ask(f"/v1/items/{new}", "PUT", orjson.dumps(body)))
        statuses.append(reply.status)
        if reply.status >= 300:
            break
        seconds.append(await _found(client, twin, new, started))
        await client.ask(Ask(f"/v1/items/{new}", "DELETE"))
    client.close()
    return statuses, seconds


async def _found(client: Client, twin: str, new: str, started: float) -> float | None:
    """Seconds since `started` at which `new` is similar to its twin, None where it never is."""
    similar = Ask(f"/v1/items/{quote(twin, safe='')}/similar?limit=10")
    while time.perf_counter() < started + PATIENCE_S:
        reply = await client.ask(similar)
        listed = [item["item"]["item_id"] for item in orjson.loads(reply.body)["items"]] if reply.status == 200 else []
        if new in listed:
            return time.perf_counter() - started
        await asyncio.sleep(LOOK_S)
    return None
