"""Hot swap: the model changes again and again under load, and nobody may notice but by its version."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import cycle, islice

import orjson

from recsys.benchmarks.load import Ask, Client, Load, NoAnswerError, at_rate, closed_loop, run, until
from recsys.benchmarks.service.asks import ZIPF, one_version, recommendations
from recsys.benchmarks.service.child import Server, served
from recsys.benchmarks.service.figures import NOT_THERE, Bench, Figure
from recsys.benchmarks.service.shops import Served

RATE = 50.0
PATIENCE_S = 15.0
LOOK_S = 0.05
SETTLED = 10
"""Memory is compared from here on: one swap leaves room for two models, which the next ones use again."""


def swapping(bench: Bench) -> Iterator[Figure]:
    """Many swaps of the sample's model, fewer of the large shop's, which takes longer to load."""
    for shop, swaps in zip(bench.shops.all(), (bench.effort.swaps, bench.effort.slow_swaps), strict=True):
        try:
            with served(shop.project, bench.folder / "swapping.log") as server:
                closed_loop(server.port, islice(recommendations(shop, ZIPF, bench.seed), 200), 1)
                yield from run(_swapped(bench, shop, server, swaps))
        finally:
            shop.activate(shop.versions[0])


async def _swapped(bench: Bench, shop: Served, server: Server, swaps: int) -> list[Figure]:
    client, over = Client(server.port), asyncio.Event()
    asks = until(over.is_set, recommendations(shop, ZIPF, bench.seed))
    under_load = asyncio.create_task(at_rate(client, asks, RATE, one_version))
    memory = [server.resident_mb()]
    for version in islice(cycle(reversed(shop.versions)), swaps):
        shop.activate(version)
        if not await _seen(server, version):
            break
        memory.append(server.resident_mb())
    over.set()
    load = await under_load
    client.close()
    return _figures(shop, swaps, load, memory)


def _figures(shop: Served, swaps: int, load: Load, memory: list[float]) -> list[Figure]:
    title, done = f"hot swap, {shop.name}, {swaps} under {RATE:.0f}/s", len(memory) - 1
    if not done:
        return [Figure(title, "no failed answer, none of two versions", f"{NOT_THERE}: no swap in {PATIENCE_S:.0f} s")]
    settled = memory[min(SETTLED, done)]
    return [
        Figure(
            title,
            "no failed answer, none of two versions",
            f"{done} swaps in {load.seconds:.0f} s; {load.failed} of {len(load)} failed, statuses {load.counts}, "
            f"{dict(load.complaints) or 'no complaint'}; p99 {load.ms(0.99):.1f} ms",
        ),
        Figure(
            "  memory",
            "within 5 %",
            f"{memory[0]:.0f} MB before, {settled:.0f} after {min(SETTLED, done)}, {memory[-1]:.0f} after {done}: "
            f"{memory[-1] / memory[0] - 1:+.1%} in all, {memory[-1] / settled - 1:+.1%} since then",
        ),
    ]


async def _seen(server: Server, version: str) -> bool:
    """Whether the service says within `PATIENCE_S` that this version serves."""
    client = Client(server.port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while await _version(client) != version:
                await asyncio.sleep(LOOK_S)
        return True
    except TimeoutError:
        return False
    finally:
        client.close()


async def _version(client: Client) -> str | None:
    try:
        found = orjson.loads((await client.ask(Ask("/readyz"))).body)
        return str(found["model_version"])
    except (NoAnswerError, orjson.JSONDecodeError, KeyError):
        return None
